//! The store layer and `converter run` against a real S3 server (`tests/run store`), and the same
//! conformance suite on a folder.

#![allow(clippy::expect_used, clippy::case_sensitive_file_extension_comparisons)] // tests

mod bed;
mod grid_bed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use bed::objects;
use bytes::Bytes;
use converter::store::{Listed, Side, Store, Url, open};
use crds::wire::{Access, Digest, Report};
use futures::TryStreamExt;
use grid_bed::history::days;
use grid_bed::model::Kind;
use grid_bed::{GridBed, Knobs};
use tests::fixtures::{Container, Slice};

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

fn folder(dir: &Path) -> Result<Store> {
    let url = Url::parse(&dir.display().to_string()).map_err(anyhow::Error::msg)?;
    Ok(open(Side::Destination, &url, &Access::default(), None)?)
}

#[tokio::test]
async fn a_folder_conforms() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = folder(dir.path())?;
    objects::conforms(&store).await?;
    objects::takes_large_objects(&store).await?;
    objects::deletes_in_groups(&store).await
}

#[tokio::test]
async fn s3_conforms() -> Result<()> {
    let store = store("conformance")?;
    objects::conforms(&store).await?;
    objects::takes_large_objects(&store).await?;
    objects::deletes_in_groups(&store).await
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
        let requests = report.requests.context("the process saw the whole run")?;
        assert_eq!((requests.source.get, requests.source.head, requests.source.list), (processed, 0, 1));
        assert_eq!((requests.destination.copy, requests.destination.head), (processed + processed / 3, 0), "a sidecar with the first");
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

#[tokio::test]
async fn on_s3_a_file_costs_one_get_and_an_object_one_put_and_one_copy() -> Result<()> {
    let bucket = bucket("costs")?;
    let beds = std::cell::Cell::new(0);
    bed::costs::of_files(|change| {
        beds.set(beds.get() + 1);
        bed::Bed::on(tempfile::tempdir()?, format!("s3://{bucket}/{}/", beds.get()), change)
    })
    .await
}

/// Three days, then: one corrected, one gone, one new, and one too broken to have a place.
fn changed_days(destination: String) -> Result<GridBed> {
    let mut grid = GridBed::on(destination, Knobs { removing: true, sorted: true, ..Knobs::default() })?;
    for day in [0, 2, 3] {
        grid.put(&format!("{day}.nc"), grid.slice(&days(&[day]), 1 + day as u64), Kind::Good, 1_000)?;
    }
    Ok(grid)
}

fn change_days(grid: &mut GridBed) -> Result<()> {
    grid.put("2.nc", grid.slice(&days(&[2]), 9), Kind::Good, 2_000)?;
    grid.withdraw("3.nc")?;
    grid.put("1.nc", grid.slice(&days(&[1]), 2), Kind::Good, 2_000)?;
    grid.put("4.nc", grid.slice(&days(&[4]), 2), Kind::Cut, 2_000)
}

/// A late day moves the rows behind it, a day is masked, one is corrected: whatever stops the run, the store is the same.
#[tokio::test]
async fn a_grid_on_s3_stopped_anywhere_ends_as_if_nothing_had_happened() -> Result<()> {
    let bucket = bucket("grid-stopped")?;
    let none = converter::failpoint::FailPoints::none;
    let mut expected = None;
    let points = converter::failpoint::FailPoint::ALL.iter().filter(|point| **point != converter::failpoint::FailPoint::ConvertCrumb);
    for (number, point) in std::iter::once(None).chain(points.map(Some)).enumerate() {
        let mut grid = changed_days(format!("s3://{bucket}/{number}/"))?;
        grid.bed.attempt("first", 0, none()).await?;
        change_days(&mut grid)?;
        if let Some(point) = point {
            let stopped = grid.bed.attempt("second", 0, converter::failpoint::FailPoints::stop_at(*point)).await;
            ensure!(matches!(stopped, Ok(_) | Err(converter::error::StageError::FailPoint(_))), "{point}: {stopped:?}");
        }
        let Digest::Commit { files, totals, .. } = grid.bed.attempt("second", 0, none()).await? else { anyhow::bail!("no commit") };
        // The ETag of what a small object holds is its digest.
        let found = (files, totals, grid.bed.objects().await?);
        let expected = expected.get_or_insert_with(|| found.clone());
        assert_eq!(&found, expected, "{point:?}");
        assert_eq!((found.0.processed, found.0.unchanged, found.0.failed, found.0.withdrawn, found.1.rows), (2, 1, 1, 1, 3));
        let Digest::Commit { files, .. } = grid.bed.attempt("third", 0, none()).await? else { anyhow::bail!("no commit") };
        assert_eq!((files.processed, files.unchanged, files.failed), (0, 3, 1), "{point:?}");
    }
    Ok(())
}

/// Of large files the plan reads what their headers say, and the batches the rest, once.
#[tokio::test]
async fn a_grid_on_s3_is_planned_by_its_headers() -> Result<()> {
    let bucket = bucket("grid-headers")?;
    let at = |place: &str| format!("s3://{bucket}/{place}/");
    let source = open(Side::Source, &Url::parse(&at("archive")).map_err(anyhow::Error::msg)?, &access(), None)?;
    let knobs = Knobs { latitudes: 400, longitudes: 500, chunks: [2, 200, 250], ..Knobs::default() };
    let mut grid = GridBed::on(at("out"), knobs)?;
    grid.bed.respecify(|resource| {
        knobs.change(resource);
        resource.spec.source.get_or_insert_default().url = Some(at("archive"));
    })?;
    let mut whole = 0;
    for day in [0, 1, 2] {
        let path = grid.bed.archive().join("day.nc");
        Slice { container: Container::Netcdf4, ..grid.slice(&days(&[day]), 1 + day as u64) }.write(&path)?;
        let bytes = std::fs::read(&path)?;
        whole += bytes.len() as u64;
        source.put(&format!("{day}.nc"), bytes.into()).await?;
    }
    let context = grid.bed.context("run", 0, converter::failpoint::FailPoints::none())?;
    let plan = converter::plan::plan(&context).await?;
    let planned = context.source.bytes_read();
    assert!(whole > 6 << 20 && planned < whole / 3, "{planned} of {whole} bytes for the plan");
    for index in 0..plan.batches {
        converter::convert::convert(&context, &plan, index).await?;
    }
    let read = context.source.bytes_read() - planned;
    assert!(read == whole, "{read} bytes, the files have {whole}");
    let Digest::Commit { files, totals, .. } = converter::commit::commit(&context, &plan).await? else { anyhow::bail!("no commit") };
    assert_eq!((files.processed, totals.rows), (3, 3));
    // A version that is gone when its header is read comes with the next run.
    let listed: Vec<Listed> = source.list("").try_collect().await?;
    let (input, trouble) = source.peek("0.nc", &listed[1].etag, listed[0].bytes, 0).await?;
    let read = |input: converter::read::Input| tokio::task::spawn_blocking(move || input.read_at(1, 3));
    read(input).await?.expect_err("another version");
    assert_eq!(trouble.take().map(|error| error.kind), Some(converter::store::StoreErrorKind::Changed));
    let (input, trouble) = source.peek("0.nc", &listed[0].etag, listed[0].bytes, 0).await?;
    assert_eq!((&read(input).await??[..], trouble.take().is_none()), (&b"HDF"[..], true));
    Ok(())
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
