//! What the protocol rests on, whatever the store is.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use converter::read::Input;
use converter::store::{Body, Created, Head, Listed, Store, StoreErrorKind, Url};
use futures::{StreamExt, TryStreamExt};

/// Reads, conditional writes, listings.
pub async fn conforms(store: &Store) -> Result<()> {
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
    let published = store.publish(&[("staged/gone", "d/y"), ("staged/x", &tile)]).await?;
    let [None, Some(published)] = &published[..] else { panic!("one was staged, and it is the second: {published:?}") };
    assert_eq!(store.head(&tile).await?, Some(Head { etag: published.clone(), bytes: staged.bytes }));
    assert_eq!(store.get(&tile).await?, "rows");
    assert!(store.delete_if(&tile, published).await?);

    let bodies = [("staged/2/a", &b"first"[..]), ("staged/2/b", b""), ("staged/3", b"third")];
    let heads = store.put_new(bodies.map(|(key, body)| (key.to_owned(), Body::Memory(Bytes::from_static(body)))).to_vec()).await?;
    for ((key, body), head) in bodies.into_iter().zip(heads) {
        assert_eq!(store.get_if(key, &head.etag).await?, body, "{key}");
        assert_eq!(store.head(key).await?, Some(head), "{key}");
    }
    assert_eq!(store.put_new(Vec::new()).await?, []);
    let hostile = store.put_new(vec![("a//b".to_owned(), Body::Memory(Bytes::new()))]).await.expect_err("no client library can hold it");
    assert_eq!(hostile.kind, StoreErrorKind::HostileKey);

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
pub async fn takes_large_objects(store: &Store) -> Result<()> {
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
    let put = store.put_body("large/1", Body::Scratch { file: file.clone(), offset: 100, length }).await?;
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

    let small = store.put_body("large/3", Body::Scratch { file: file.clone(), offset: 7, length: 9 << 20 }).await?;
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
pub async fn deletes_in_groups(store: &Store) -> Result<()> {
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
