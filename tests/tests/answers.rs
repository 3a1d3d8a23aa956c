//! What S3 servers answer beside the plain success, played by a small one: late failures of copies, deletes that
//! compare `ETag`s, deletes that fail for some keys only, servers that lack a request or an answer's part.

#![allow(clippy::expect_used)] // tests

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use bytes::Bytes;
use converter::store::{Keys, Side, Store, StoreErrorKind, Url, open};
use crds::wire::Access;

/// How a server differs from the usual.
#[derive(Clone, Copy, Debug, Default)]
struct Manner {
    /// Deletes only at the ETag that the request names.
    compares: bool,
    /// Knows no `DeleteObjects`.
    lacks_groups: bool,
    /// Copies answer with success and an error's body so many times.
    late_failures: u32,
    /// A copy does not tell its ETag.
    silent: bool,
}

#[derive(Debug, Default)]
struct Server {
    manner: Manner,
    objects: BTreeMap<String, Bytes>,
    refused_once: bool,
}

type Answer = (StatusCode, [(&'static str, String); 1], String);

fn etag(body: &[u8]) -> String {
    format!("\"{}-{}\"", body.len(), body.first().copied().unwrap_or_default())
}

fn error(status: StatusCode, code: &str) -> Answer {
    (status, [("etag", String::new())], format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>so it is</Message></Error>"))
}

impl Server {
    fn copy(&mut self, to: &str, from: &str) -> Answer {
        if self.manner.late_failures > 0 {
            self.manner.late_failures -= 1;
            return error(StatusCode::OK, "InternalError");
        }
        let Some(body) = self.objects.get(from).cloned() else { return error(StatusCode::NOT_FOUND, "NoSuchKey") };
        let told = if self.manner.silent { String::new() } else { format!("<ETag>{}</ETag>", etag(&body).replace('"', "&quot;")) };
        self.objects.insert(to.to_owned(), body);
        (StatusCode::OK, [("etag", String::new())], format!("  \n<CopyObjectResult>{told}</CopyObjectResult>"))
    }

    fn delete(&mut self, request: &str) -> Answer {
        if self.manner.lacks_groups {
            return error(StatusCode::NOT_IMPLEMENTED, "NotImplemented");
        }
        let tag = |text: &str, name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            rest.split_once(&format!("</{name}>")).map(|(text, _)| text.replace("&quot;", "\"").replace("&amp;", "&"))
        };
        let mut told = String::new();
        let mut fail = |key: &str, code: &str| {
            told.extend(["<Error><Key>", &key.replace('&', "&amp;"), "</Key><Code>", code, "</Code></Error>"]);
        };
        for object in request.split("<Object>").skip(1) {
            let (key, wanted) = (tag(object, "Key").expect("a key"), tag(object, "ETag"));
            if key.ends_with("locked") {
                fail(&key, "AccessDenied");
            } else if key.ends_with("busy") && !std::mem::replace(&mut self.refused_once, true) {
                fail(&key, "SlowDown");
            } else if let Some(body) = self.objects.get(&key) {
                if self.manner.compares && wanted.is_some_and(|wanted| wanted != etag(body)) {
                    fail(&key, "PreconditionFailed");
                } else {
                    self.objects.remove(&key);
                }
            }
        }
        (StatusCode::OK, [("etag", String::new())], format!("<DeleteResult>{told}</DeleteResult>"))
    }
}

async fn serve(State(server): State<Arc<Mutex<Server>>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    let mut server = server.lock().expect("no panic");
    let key = uri.path().trim_start_matches("/bucket/").replace("%26", "&");
    let source = headers.get("x-amz-copy-source").map(|value| value.to_str().expect("text").trim_start_matches("bucket/").to_owned());
    match (method, source) {
        (Method::PUT, Some(from)) => server.copy(&key, &from),
        (Method::PUT, None) => {
            let tag = etag(&body);
            server.objects.insert(key, body);
            (StatusCode::OK, [("etag", tag)], String::new())
        }
        (Method::POST, _) => {
            assert!(headers.contains_key("content-md5"), "S3 demands it");
            server.delete(std::str::from_utf8(&body).expect("XML"))
        }
        (Method::DELETE, _) => {
            server.objects.remove(&key);
            (StatusCode::NO_CONTENT, [("etag", String::new())], String::new())
        }
        (Method::GET, _) => error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        _ => match server.objects.get(&key) {
            Some(body) => (StatusCode::OK, [("etag", etag(body))], String::from_utf8_lossy(body).into_owned()),
            None => error(StatusCode::NOT_FOUND, ""),
        },
    }
}

async fn store(manner: Manner) -> Result<(Store, Arc<Mutex<Server>>)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Arc::new(Mutex::new(Server { manner, ..Server::default() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let access = Access { endpoint: Some(format!("http://{}", listener.local_addr()?)), ..Access::default() };
    let app = axum::Router::new().fallback(serve).with_state(Arc::clone(&server));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let secret = [("AWS_ACCESS_KEY_ID", "somebody"), ("AWS_SECRET_ACCESS_KEY", "something")];
    let keys = Keys::from_secret(&secret.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    let url = Url::parse("s3://bucket/below").map_err(anyhow::Error::msg)?;
    Ok((open(Side::Destination, &url, &access, keys.as_ref())?, server))
}

fn left(server: &Arc<Mutex<Server>>) -> Vec<String> {
    server.lock().expect("no panic").objects.keys().cloned().collect()
}

#[tokio::test]
async fn a_copy_tells_its_etag_without_being_asked_again() -> Result<()> {
    let (store, _) = store(Manner { late_failures: 2, ..Manner::default() }).await?;
    let put = store.put("staged", Bytes::from_static(b"rows")).await?;
    assert_eq!(store.publish(&[("staged", "final")]).await?, [Some(put.etag)]);
    let used = store.meter().used().requests;
    assert_eq!((used.copy, used.head), (3, 0), "two failed after they had been answered");
    assert_eq!(store.publish(&[("gone", "final")]).await?, [None]);
    Ok(())
}

#[tokio::test]
async fn a_copy_that_tells_nothing_is_looked_at() -> Result<()> {
    let (store, _) = store(Manner { silent: true, ..Manner::default() }).await?;
    let put = store.put("staged", Bytes::from_static(b"rows")).await?;
    assert_eq!(store.publish(&[("staged", "final")]).await?, [Some(put.etag)]);
    assert_eq!(store.meter().used().requests.head, 1);
    Ok(())
}

async fn recorded(store: &Store, keys: &[&str]) -> Result<Vec<(String, String)>> {
    let mut recorded = Vec::new();
    for key in keys {
        recorded.push(((*key).to_owned(), store.put(key, Bytes::copy_from_slice(key.as_bytes())).await?.etag));
    }
    Ok(recorded)
}

fn borrowed(recorded: &[(String, String)]) -> Vec<(&str, &str)> {
    recorded.iter().map(|(key, etag)| (key.as_str(), etag.as_str())).collect()
}

#[tokio::test]
async fn a_server_that_compares_etags_is_trusted_with_them() -> Result<()> {
    let (store, server) = store(Manner { compares: true, ..Manner::default() }).await?;
    let recorded = recorded(&store, &["a&b", "c", "replaced", "busy"]).await?;
    store.put("replaced", Bytes::from_static(b"somebody else's")).await?;
    assert_eq!(store.delete_recorded(&borrowed(&recorded), "probe").await?, ["replaced"]);
    assert_eq!(left(&server), ["below/replaced"], "the probe is gone too");
    let used = store.meter().used().requests;
    assert_eq!((used.delete, used.head, used.list), (4, 0, 0), "two to probe, one for all, one for the busy one");
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_is_looked_at_before() -> Result<()> {
    let (store, server) = store(Manner::default()).await?;
    let recorded = recorded(&store, &["a", "c", "replaced"]).await?;
    store.put("replaced", Bytes::from_static(b"somebody else's")).await?;
    assert_eq!(store.delete_recorded(&borrowed(&recorded), "probe").await?, ["replaced"]);
    assert_eq!(left(&server), ["below/replaced"]);
    assert_eq!(store.meter().used().requests.head, 3);
    Ok(())
}

#[tokio::test]
async fn a_key_that_cannot_be_deleted_is_named() -> Result<()> {
    let (store, server) = store(Manner { compares: true, ..Manner::default() }).await?;
    let recorded = recorded(&store, &["a", "b", "d/locked"]).await?;
    let denied = store.delete_recorded(&borrowed(&recorded), "probe").await.expect_err("one is locked");
    assert_eq!((denied.kind, denied.key.as_str()), (StoreErrorKind::Denied, "d/locked"));
    assert!(denied.to_string().contains("DeleteObjects") && denied.to_string().contains("AccessDenied"), "{denied}");
    assert_eq!(left(&server), ["below/d/locked"]);
    Ok(())
}

#[tokio::test]
async fn a_server_without_group_deletes_gets_single_ones() -> Result<()> {
    let (store, server) = store(Manner { lacks_groups: true, ..Manner::default() }).await?;
    let recorded = recorded(&store, &["a", "b", "c", "replaced"]).await?;
    store.put("replaced", Bytes::from_static(b"somebody else's")).await?;
    assert_eq!(store.delete_recorded(&borrowed(&recorded), "probe").await?, ["replaced"]);
    assert_eq!(left(&server), ["below/replaced"]);
    Ok(())
}
