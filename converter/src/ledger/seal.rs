//! A part is sealed when all its files are in the dataset as they were listed: a run that finds them so again needs
//! the seal alone, whatever the part's length.

use crds::wire::{LedgerRecord, Outcome, Seal};
use sha2::{Digest as _, Sha256};

/// Bytes of the digest: what an accident cannot hit.
const DIGEST: usize = 16;

/// The seal of a part with these records; none if any of them needs to be looked at in every run, or was converted
/// under another config than the first.
#[must_use]
pub fn seal(records: &[LedgerRecord]) -> Option<Seal> {
    let first = records.first()?.published.as_ref()?;
    let mut seal = Seal {
        digest: String::new(),
        content_hash: first.content_hash.clone(),
        rebuild: first.rebuild.clone(),
        rows: 0,
        objects: 0,
        bytes: 0,
        lines: None,
    };
    for record in records {
        let published = record.published.as_ref().filter(|_| !record.withdrawn && record.last.outcome == Outcome::Processed)?;
        if published.content_hash != seal.content_hash || published.etag != record.last.etag {
            return None;
        }
        // Where a token is asked for, those of another, or of none, are converted anew.
        seal.rebuild = seal.rebuild.filter(|token| published.rebuild.as_ref() == Some(token));
        seal.rows += published.rows;
        seal.objects += published.objects.len() as u64;
        seal.bytes += published.objects.iter().map(|object| object.bytes).sum::<u64>();
    }
    seal.digest = digest(records.iter().map(|record| (record.key.as_str(), record.last.etag.as_str())));
    Some(seal)
}

/// Of keys and `ETag`s, hexadecimal.
#[must_use]
pub fn digest<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut hasher = Sha256::new();
    for text in files.flat_map(|(key, etag)| [key, etag]) {
        // Texts may hold any byte: their lengths tell them apart.
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hex::encode(&hasher.finalize()[..DIGEST])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crds::wire::{Last, Published, PublishedObject};

    /// Of a file that is in the dataset, with three rows in two objects.
    pub fn record(key: &str) -> LedgerRecord {
        let object = |name: &str| PublishedObject { key: name.into(), etag: "o".into(), bytes: 10 };
        LedgerRecord {
            key: key.into(),
            published: Some(Published {
                etag: "e".into(),
                content_hash: "c".into(),
                converter: "1".into(),
                rebuild: None,
                rows: 3,
                objects: vec![object("a"), object("b")],
            }),
            last: Last {
                etag: "e".into(),
                outcome: Outcome::Processed,
                reason: None,
                message: None,
                attempts: 0,
                content_hash: "c".into(),
                converter: "1".into(),
                rebuild: None,
                memory: None,
                run: "r".into(),
            },
            withdrawn: false,
        }
    }

    fn published(record: &mut LedgerRecord) -> &mut Published {
        record.published.as_mut().unwrap()
    }

    type Spoil = fn(&mut LedgerRecord);

    #[test]
    fn only_files_that_are_in_as_they_were_listed_are_sealed() {
        let whole = seal(&[record("x"), record("y")]).unwrap();
        assert_eq!((whole.rows, whole.objects, whole.bytes, whole.content_hash.as_str()), (6, 4, 40, "c"));
        assert_eq!(whole.digest, digest([("x", "e"), ("y", "e")].into_iter()));
        assert_eq!(seal(&[]), None);
        let spoilt: [(&str, Spoil); 6] = [
            ("nothing of it is in", |record| record.published = None),
            ("withdrawn, and kept", |record| record.withdrawn = true),
            ("a newer version failed", |record| record.last.outcome = Outcome::Failed),
            ("a newer version is skipped", |record| record.last.outcome = Outcome::Skipped),
            ("another version was last looked at", |record| record.last.etag = "f".into()),
            ("of another config", |record| published(record).content_hash = "d".into()),
        ];
        for (why, spoil) in spoilt {
            let mut second = record("y");
            spoil(&mut second);
            assert_eq!(seal(&[record("x"), second]), None, "{why}");
        }
    }

    #[test]
    fn a_seal_has_the_token_that_all_its_files_have() {
        let of = |token: Option<&str>| {
            let mut record = record("x");
            published(&mut record).rebuild = token.map(str::to_owned);
            record
        };
        for (tokens, expected) in [
            ([None, None], None),
            ([Some("t"), Some("t")], Some("t")),
            ([Some("t"), Some("u")], None),
            ([Some("t"), None], None),
            ([None, Some("t")], None),
        ] {
            assert_eq!(seal(&tokens.map(of)).unwrap().rebuild.as_deref(), expected, "{tokens:?}");
        }
    }

    #[test]
    fn a_digest_tells_files_apart_whatever_their_names_hold() {
        let of = |files: &[(&str, &str)]| digest(files.iter().copied());
        let all =
            [of(&[("a", "b"), ("c", "d")]), of(&[("ab", ""), ("c", "d")]), of(&[("c", "d"), ("a", "b")]), of(&[("a", "bcd")]), of(&[])];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 32);
            assert!(!all[..at].contains(one));
        }
    }
}
