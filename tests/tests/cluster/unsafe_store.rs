//! A store that does not refuse a second create: everything rests on that, so nothing is begun on it.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::same;
use crate::support::bed::Bed;
use crate::support::dataset::{Dataset, condition, message};
use crate::support::resource::{config, manifest};

pub async fn is_refused_at_plan(bed: &Bed) -> Result<()> {
    let Some(host) = &bed.surroundings.host_address else {
        eprint!("[pods of this cluster cannot reach a server of this test: left out] ");
        return Ok(());
    };
    let prefixes = bed.files().await?.prefixes();
    let listener = TcpListener::bind((host.as_str(), 0)).await?;
    let address = listener.local_addr()?;
    let upstream = bed.surroundings.endpoint.strip_prefix("http://").context("the S3 server speaks no plain HTTP")?.to_owned();
    let server = tokio::spawn(serve(listener, upstream));

    let namespace = bed.namespace("unsafe").await?;
    let mut manifest = manifest(bed, &namespace, "unsafe", &config(bed, &prefixes)?);
    manifest["spec"]["destination"]["endpoint"] = json!(format!("http://{address}"));
    let dataset = Dataset::apply(bed, &manifest).await?;
    let expected = "Stalled=True/ConditionalPutUnsupported";
    let status = dataset.wait_for(expected, 60, |_, status| condition(status, "Stalled") == expected).await?;
    let said = message(&status, "Stalled");
    ensure!(said.contains(&bed.optimised.name), "no bucket in {said}");
    same!(condition(&status, "Ready").split('/').next(), Some("Ready=False"), "condition");
    let left: Vec<String> = bed.optimised.list(&dataset.prefix()).await?.into_keys().filter(|key| !key.contains("/probe/")).collect();
    same!(left, Vec::<String>::new(), "objects that were written all the same");
    server.abort();
    Ok(())
}

/// Passes everything on, but calls a refused create a success, as stores do that ignore the condition.
async fn serve(listener: TcpListener, upstream: String) -> Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let upstream = upstream.clone();
        tokio::spawn(async move { pass(client, &upstream).await });
    }
}

/// One connection, one request: our S3 server closes each connection after its answer.
async fn pass(mut client: TcpStream, upstream: &str) -> Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut piece = [0; 4_096];
        let read = client.read(&mut piece).await?;
        ensure!(read > 0, "closed early");
        head.extend_from_slice(&piece[..read]);
    }
    server.write_all(&head).await?;
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    if !text.contains("\r\nif-none-match:") {
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let body = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut answer = Vec::new();
    from_server.read_to_end(&mut answer).await?;
    body.abort();
    if answer.starts_with(b"HTTP/1.1 412") || answer.starts_with(b"HTTP/1.1 409") {
        answer =
            b"HTTP/1.1 200 OK\r\nETag: \"0123456789abcdef0123456789abcdef\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
    }
    to_client.write_all(&answer).await?;
    Ok(())
}
