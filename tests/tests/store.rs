//! The store layer and `converter run` against a real S3 server (`tests/run store`), and the same
//! conformance suite on a folder.

#![allow(clippy::expect_used, clippy::case_sensitive_file_extension_comparisons)] // tests

mod bed;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use bytes::Bytes;
use converter::read::Input;
use converter::store::{Body, Created, Head, Listed, Side, Store, StoreErrorKind, Url, open};
use crds::wire::{Access, Report};
use futures::{StreamExt, TryStreamExt};

fn endpoint() -> String {
    std::env::var("S3_ENDPOINT").expect("S3_ENDPOINT is not set: run these tests with `tests/run store`")
}

fn start_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn access() -> Access {
    Access { endpoint: Some(endpoint()), ..Access::default() }
}

/// A bucket of this test's own.
fn bucket(name: &str) -> Result<String> {
    start_tls();
    let name = format!("{name}-{}", std::process::id());
    if let Ok(folder) = std::env::var("COD_S3_FOLDER") {
        // Ours: a bucket is a folder.
        std::fs::create_dir_all(Path::new(&folder).join(&name))?;
    } else {
        let made = Command::new("aws").args(["--endpoint-url", &endpoint(), "s3", "mb", &format!("s3://{name}")]).status()?;
        ensure!(made.success(), "cannot make the bucket {name}");
    }
    Ok(name)
}

fn store(name: &str) -> Result<Store> {
    let url = Url::parse(&format!("s3://{}/below/here", bucket(name)?)).map_err(anyhow::Error::msg)?;
    Ok(open(Side::Destination, &url, &access(), None)?)
}

/// What the protocol rests on, whatever the store is.
async fn conforms(store: &Store) -> Result<()> {
    assert_eq!(store.try_get("nothing").await?, None);
    assert_eq!(store.head("nothing").await?, None);
    store.delete("nothing").await?;

    let put = store.put("a/1", Bytes::from_static(b"one")).await?;
    assert_eq!(store.head("a/1").await?, Some(put.clone()));
    assert_eq!(store.get_if("a/1", &put.etag).await?, "one");
    assert_eq!(store.create("a/1", Bytes::from_static(b"two")).await?, Created::Lost(Bytes::from_static(b"one")));
    assert_eq!(store.create("a/1", Bytes::from_static(b"one")).await?, Created::Won, "our own bytes: the answer was lost");
    assert_eq!(store.create("a/2", Bytes::from_static(b"two")).await?, Created::Won);

    store.put("a/1", Bytes::from_static(b"other")).await?;
    let changed = store.get_if("a/1", &put.etag).await.expect_err("the object is another one now");
    assert_eq!(changed.kind, StoreErrorKind::Changed);
    assert!(!store.delete_if("a/1", &put.etag).await?, "not at this ETag");

    let staged = store.put("staged/x", Bytes::from_static(b"rows")).await?;
    let tile = "d/site=Cape%20Sorell/p=".to_owned() + &"0103".repeat(46) + "/f.nc-0.parquet";
    let published = store.publish("staged/x", &tile).await?.context("was staged")?;
    assert_eq!(store.head(&tile).await?, Some(Head { etag: published.clone(), bytes: staged.bytes }));
    assert_eq!(store.get(&tile).await?, "rows");
    assert_eq!(store.publish("staged/gone", "d/y").await?, None);
    assert!(store.delete_if(&tile, &published).await?);

    for key in ["l/a-b", "l/a/b", "l/ab", "l/ü", "l/a b+c%20d", "l/semi;colon='quote\"", "lx"] {
        store.put(key, Bytes::from_static(b"x")).await?;
    }
    let keys = |prefix: &'static str| async move {
        let listed: Vec<Listed> = store.list(prefix).try_collect().await?;
        Ok::<_, anyhow::Error>(listed.into_iter().map(|object| object.key).collect::<Vec<_>>())
    };
    let all = ["l/a b+c%20d", "l/a-b", "l/a/b", "l/ab", "l/semi;colon='quote\"", "l/ü", "lx"];
    assert_eq!(keys("l").await?, all, "raw prefix, byte order");
    assert_eq!(keys("l/").await?, all[..6]);
    assert_eq!(keys("l/a/").await?, ["l/a/b"]);
    assert_eq!(keys("none").await?, Vec::<String>::new());
    let listed: Vec<Listed> = store.list("l/ab").try_collect().await?;
    assert_eq!(store.head("l/ab").await?.context("there")?.etag, listed[0].etag, "listing and head agree");

    let hostile = store.put("a//b", Bytes::new()).await.expect_err("no client library can hold it");
    assert_eq!(hostile.kind, StoreErrorKind::HostileKey);
    store.delete_below("l").await?;
    assert_eq!(keys("l").await?, Vec::<String>::new());
    Ok(())
}

/// Objects larger than memory should hold: read into scratch, written out of it.
async fn takes_large_objects(store: &Store) -> Result<()> {
    let length: u64 = (70 << 20) + 12_345;
    let mut scratch = std::io::BufWriter::new(tempfile::tempfile()?);
    for number in 0..(length + 100).div_ceil(8) {
        scratch.write_all(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())?;
    }
    let file = Arc::new(scratch.into_inner()?);
    let expected = |at: u64, length: usize| -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    };
    let put = store.put_body("large/1", Body::Scratch { file: Arc::clone(&file), offset: 100, length }).await?;
    assert_eq!(store.head("large/1").await?, Some(put.clone()));
    assert_eq!(put.bytes, length);

    let input = store.fetch("large/1", &put.etag, 1 << 20).await?;
    assert!(matches!(&input, Input::File { length: fetched, .. } if *fetched == length), "{input:?}");
    for at in [0, 8 << 20, length - 1_000] {
        assert_eq!(input.read_at(at, 1_000)?, expected(100 + at, 1_000)?, "at {at}");
    }
    assert!(store.still("large/1", &put.etag).await?);
    let Input::Memory(whole) = store.fetch("large/1", &put.etag, length).await? else { panic!("it fits") };
    let memory = store.put_body("large/2", Body::Memory(whole.clone())).await?;
    assert_eq!(store.get_if("large/2", &memory.etag).await?, whole);

    let small = store.put_body("large/3", Body::Scratch { file: Arc::clone(&file), offset: 7, length: 9 << 20 }).await?;
    assert_eq!(store.get_if("large/3", &small.etag).await?, expected(7, 9 << 20)?);
    let empty = store.put_body("large/4", Body::Scratch { file, offset: 0, length: 0 }).await?;
    assert_eq!(store.get_if("large/4", &empty.etag).await?, "");

    for up_to in [0, u64::MAX] {
        let changed = store.fetch("large/1", &small.etag, up_to).await.expect_err("another version");
        assert_eq!(changed.kind, StoreErrorKind::Changed);
        let absent = store.fetch("large/none", &small.etag, up_to).await.expect_err("nothing there");
        assert_eq!(absent.kind, StoreErrorKind::NotFound);
    }
    // A body that ends too early leaves nothing behind.
    let short = Body::Scratch { file: Arc::new(tempfile::tempfile()?), offset: 0, length };
    store.put_body("large/5", short).await.expect_err("the scratch file is shorter");
    assert_eq!(store.head("large/5").await?, None);
    store.delete_below("large/").await?;
    Ok(())
}

/// Many at once, hostile keys among them, and only what was recorded.
async fn deletes_in_groups(store: &Store) -> Result<()> {
    let odd = ["g/a&b.nc", "g/<x>.nc", "g/ü b+c%20d.nc", "g/quote'\".nc", "g/ blanks "];
    let keys: Vec<String> = odd.iter().map(ToString::to_string).chain((0..1_200).map(|number| format!("g/{number:05}"))).collect();
    let mut recorded = futures::stream::iter(keys.clone())
        .map(|key| async move { Ok::<_, anyhow::Error>((key.clone(), store.put(&key, Bytes::from(key.clone())).await?.etag)) })
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await?;
    let replaced = store.put("g/00007", Bytes::from_static(b"somebody else's")).await?;
    recorded.push(("g/absent".to_owned(), replaced.etag.clone()));
    let recorded: Vec<(&str, &str)> = recorded.iter().map(|(key, etag)| (key.as_str(), etag.as_str())).collect();
    let before = store.meter().used().requests;
    assert_eq!(store.delete_recorded(&recorded, "probe").await?, ["g/00007"], "another version");
    let after = store.meter().used().requests;
    let left: Vec<Listed> = store.list("g/").try_collect().await?;
    assert_eq!(left.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["g/00007"]);
    assert_eq!(store.try_get("probe").await?, None);
    if matches!(store.url(), Url::Bucket { .. }) {
        let (deletes, looks) = (after.delete - before.delete, after.head + after.list - before.head - before.list);
        assert!(deletes <= 5 && looks <= 10, "{deletes} requests to delete, {looks} to look");
    }
    // Once more: what is gone is no error.
    assert_eq!(store.delete_recorded(&recorded, "probe").await?, ["g/00007"]);
    assert_eq!(store.delete_recorded(&[("g/00007", &replaced.etag)], "probe").await?, Vec::<String>::new());
    store.delete_all(&keys).await?;
    Ok(())
}

fn folder(dir: &Path) -> Result<Store> {
    let url = Url::parse(&dir.display().to_string()).map_err(anyhow::Error::msg)?;
    Ok(open(Side::Destination, &url, &Access::default(), None)?)
}

#[tokio::test]
async fn a_folder_conforms() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = folder(dir.path())?;
    conforms(&store).await?;
    takes_large_objects(&store).await?;
    deletes_in_groups(&store).await
}

#[tokio::test]
async fn s3_conforms() -> Result<()> {
    let store = store("conformance")?;
    conforms(&store).await?;
    takes_large_objects(&store).await?;
    deletes_in_groups(&store).await
}

#[tokio::test]
async fn s3_lists_more_than_a_page() -> Result<()> {
    let store = store("pages")?;
    futures::stream::iter((0..2_345).map(Ok))
        .try_for_each_concurrent(32, |index| {
            let store = store.clone();
            async move { store.put(&format!("many/{index:05}"), Bytes::from_static(b"x")).await.map(|_| ()) }
        })
        .await?;
    let listed: Vec<Listed> = store.list("many/").try_collect().await?;
    assert_eq!(listed.len(), 2_345);
    assert!(listed.is_sorted_by(|a, b| a.key < b.key));
    Ok(())
}

fn converter() -> PathBuf {
    std::env::var_os("COD_CONVERTER").map_or_else(|| PathBuf::from("target/debug/converter"), PathBuf::from)
}

fn run(args: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    let mut command = Command::new(converter());
    command.arg("run").args(args).env("AWS_ENDPOINT_URL", endpoint()).env("USER", "tester");
    Ok(command.envs(environment.iter().copied()).output()?)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The example's config as a file.
fn config(dir: &Path) -> Result<PathBuf> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/mooring.yaml");
    let resource: serde_json::Value = serde_yaml::from_str(&std::fs::read_to_string(example)?)?;
    let path = dir.join("config.json");
    std::fs::write(&path, resource["spec"]["config"].as_str().context("a text block")?)?;
    Ok(path)
}

async fn archive(dir: &Path, bucket: &str) -> Result<()> {
    let url = Url::parse(&format!("s3://{bucket}/archive/")).map_err(anyhow::Error::msg)?;
    let store = open(Side::Destination, &url, &access(), None)?;
    for month in 1..=3 {
        let path = dir.join(format!("{month}.nc"));
        sample(&path, month, 50)?;
        store.put(&format!("moorings/{month}.nc"), std::fs::read(&path)?.into()).await?;
    }
    Ok(())
}

fn sample(path: &Path, month: u32, rows: usize) -> Result<()> {
    let start: jiff::Timestamp = format!("2024-{month:02}-10T00:00:00Z").parse()?;
    tests::fixtures::mooring(path, &tests::fixtures::Mooring::new("SYD140", start.as_second(), rows))
}

#[tokio::test]
async fn a_laptop_converts_from_s3_to_s3_and_again_does_nothing() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let bucket = bucket("laptop")?;
    archive(dir.path(), &bucket).await?;
    let (config, report) = (config(dir.path())?.display().to_string(), dir.path().join("report.json"));
    let (source, destination) = (format!("s3://{bucket}/archive/"), format!("s3://{bucket}/out/"));
    let report_path = report.display().to_string();
    let args = ["--config", &config, "--source", &source, "--destination", &destination, "--report", &report_path];
    for (processed, unchanged) in [(3, 0), (0, 3)] {
        let output = run(&args, &[])?;
        ensure!(output.status.code() == Some(0), "{}", stderr(&output));
        let report: Report = serde_json::from_slice(&std::fs::read(&report)?)?;
        assert_eq!((report.files.discovered, report.files.processed, report.files.unchanged), (3, processed, unchanged));
        assert!(report.files.balanced());
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_key_and_a_missing_bucket_are_named() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let bucket = bucket("denied")?;
    archive(dir.path(), &bucket).await?;
    let config = config(dir.path())?.display().to_string();
    let (source, out) = (format!("s3://{bucket}/archive/"), dir.path().join("out").display().to_string());
    let wrong = run(
        &["--config", &config, "--source", &source, "--destination", &out],
        &[("SOURCE_AWS_ACCESS_KEY_ID", "nobody"), ("SOURCE_AWS_SECRET_ACCESS_KEY", "nothing")],
    )?;
    assert_eq!(wrong.status.code(), Some(11), "{}", stderr(&wrong));
    assert!(
        stderr(&wrong).contains("AccessDenied") && stderr(&wrong).contains("ListObjectsV2") && stderr(&wrong).contains(&bucket),
        "{}",
        stderr(&wrong)
    );

    let missing = run(&["--config", &config, "--source", "s3://no-such-bucket-here/", "--destination", &out], &[])?;
    assert_eq!(missing.status.code(), Some(11), "{}", stderr(&missing));
    assert!(stderr(&missing).contains("BucketNotFound") && stderr(&missing).contains("no-such-bucket-here"), "{}", stderr(&missing));

    let wrong = run(
        &["--config", &config, "--source", &source, "--destination", &format!("s3://{bucket}/out/")],
        &[("DESTINATION_AWS_ACCESS_KEY_ID", "nobody"), ("DESTINATION_AWS_SECRET_ACCESS_KEY", "nothing")],
    )?;
    assert_eq!(wrong.status.code(), Some(11), "{}", stderr(&wrong));
    assert!(stderr(&wrong).contains("destination"), "{}", stderr(&wrong));
    Ok(())
}

#[tokio::test]
async fn a_run_on_s3_stopped_anywhere_ends_as_if_nothing_had_happened() -> Result<()> {
    let bucket = bucket("stopped")?;
    let beds = std::cell::Cell::new(0);
    bed::stopped_anywhere(|change| {
        beds.set(beds.get() + 1);
        bed::Bed::on(tempfile::tempdir()?, format!("s3://{bucket}/{}/", beds.get()), change)
    })
    .await
}

/// A server that takes every PUT, whatever stands there: it ignores `If-None-Match`.
async fn forgetful(
    state: axum::extract::State<Objects>,
    method: Method,
    uri: Uri,
    _headers: HeaderMap,
    body: axum::body::Bytes,
) -> (StatusCode, [(&'static str, String); 1], Vec<u8>) {
    let etag = |body: &[u8]| [("etag", format!("\"{}\"", body.len()))];
    let mut objects = state.0.lock().expect("no panic");
    match method {
        Method::PUT => {
            let tag = etag(&body);
            objects.insert(uri.path().to_owned(), body.to_vec());
            (StatusCode::OK, tag, Vec::new())
        }
        Method::GET if uri.query().is_some_and(|query| query.contains("list-type")) => {
            (StatusCode::OK, etag(b""), b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_vec())
        }
        Method::GET => match objects.get(uri.path()) {
            Some(body) => (StatusCode::OK, etag(body), body.clone()),
            None => (StatusCode::NOT_FOUND, etag(b""), b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        },
        _ => (StatusCode::NO_CONTENT, etag(b""), Vec::new()),
    }
}

type Objects = std::sync::Arc<std::sync::Mutex<BTreeMap<String, Vec<u8>>>>;

#[tokio::test]
async fn an_endpoint_without_conditional_put_is_refused() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = axum::Router::new().fallback(forgetful).with_state(Objects::default());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let dir = tempfile::tempdir()?;
    std::fs::create_dir(dir.path().join("archive"))?;
    sample(&dir.path().join("archive/1.nc"), 1, 50)?;
    let config = config(dir.path())?.display().to_string();
    let source = dir.path().join("archive").display().to_string();
    let endpoint = format!("http://{address}");
    let refused = tokio::task::spawn_blocking(move || {
        run(&["--config", &config, "--source", &source, "--destination", "s3://any/out/"], &[("AWS_ENDPOINT_URL", endpoint.as_str())])
    })
    .await??;
    assert_eq!(refused.status.code(), Some(10), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("ConditionalPutUnsupported"), "{}", stderr(&refused));
    Ok(())
}

/// The incumbent's recorded results, where they are at hand: equal from a folder and from S3.
#[tokio::test]
async fn real_files_come_out_equal() -> Result<()> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    if !shared.join("tools/compare.py").exists() {
        eprintln!("no recorded results at hand");
        return Ok(());
    }
    let bucket = bucket("equality")?;
    let cases = [("mooring_ctd", "mooring_ctd_delayed_qc", "IMOS_ANMN"), ("vessel_sst", "vessel_sst_delayed_qc", "IMOS_SOOP-SST_MT_2011")];
    for (folder, dataset, file) in cases {
        let data = shared.join("data").join(folder);
        let dir = tempfile::tempdir()?;
        let input = std::fs::read_dir(&data)?.filter_map(|entry| Some(entry.ok()?.path())).find(|path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(file) && name.ends_with(".nc"))
        });
        let input = input.context("the recorded input")?;
        let name = input.file_name().and_then(|name| name.to_str()).context("a name")?;
        std::fs::create_dir(dir.path().join("in"))?;
        std::fs::copy(&input, dir.path().join("in").join(name))?;
        let url = Url::parse(&format!("s3://{bucket}/{folder}/")).map_err(anyhow::Error::msg)?;
        let remote = open(Side::Destination, &url, &access(), None)?;
        remote.put(&format!("in/{name}"), std::fs::read(&input)?.into()).await?;

        let config = data.join(format!("{dataset}.json")).display().to_string();
        let local = dir.path().display().to_string();
        for (source, destination) in [
            (format!("{local}/in"), format!("{local}/out")),
            (format!("s3://{bucket}/{folder}/in/"), format!("s3://{bucket}/{folder}/out/")),
        ] {
            let output = run(&["--config", &config, "--source", &source, "--destination", &destination, "--compat", "incumbent"], &[])?;
            ensure!(output.status.code() == Some(0), "{destination}: {}", stderr(&output));
        }
        let fetched = dir.path().join("fetched");
        let listed: Vec<Listed> = remote.list(&format!("out/{dataset}.parquet/")).try_collect().await?;
        for object in listed {
            let path = fetched.join(object.key.trim_start_matches("out/"));
            std::fs::create_dir_all(path.parent().context("a parent")?)?;
            std::fs::write(path, remote.get(&object.key).await?)?;
        }
        let python = std::env::var("COD_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        for out in [dir.path().join("out"), fetched] {
            let judged = Command::new(&python).arg(shared.join("tools/compare.py")).arg(data.join("expected.json")).arg(&out).output()?;
            ensure!(
                judged.status.success(),
                "{folder} in {}: {}{}",
                out.display(),
                String::from_utf8_lossy(&judged.stdout),
                stderr(&judged)
            );
        }
    }
    Ok(())
}
