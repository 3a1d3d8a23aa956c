//! What each object of the listing means, decided from the object and its ledger record alone.

use crds::wire::{Class, LedgerRecord, Outcome, Reason};
use jiff::{SignedDuration, Timestamp};

use crate::source::SourceFile;

/// What the files of a run are judged by.
#[derive(Clone, Debug)]
pub struct Terms {
    pub content_hash: String,
    pub converter: String,
    pub rebuild: Option<String>,
    pub retries: u32,
    /// The memory budget of this run.
    pub memory: u64,
    pub min_age_seconds: u64,
    /// The config says how CSV files are read.
    pub csv: bool,
    /// The dataset is a grid, which only NetCDF files go into.
    pub grid: bool,
    pub now: Timestamp,
}

/// Why a file is converted in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    New,
    Changed,
    /// Its rows would be other ones now: content hash or rebuild token changed.
    Stale,
    /// Failed before, tried again.
    Retried,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Convert(Why),
    Unchanged,
    /// Failed before and not tried again.
    Held {
        reason: Reason,
        message: String,
    },
    /// Fails without being read.
    Failed {
        reason: Reason,
        message: String,
    },
    /// Not an input now.
    Skipped(Reason),
}

#[must_use]
pub fn classify(file: &SourceFile, record: Option<&LedgerRecord>, terms: &Terms) -> Verdict {
    if let Some(verdict) = judge_object(file, terms) {
        return verdict;
    }
    let Some(record) = record else { return Verdict::Convert(Why::New) };
    if let Some(published) = &record.published
        && published.etag == file.listed.etag
    {
        // Only a token that is given and new asks for anything; one that was taken away does not.
        let rebuilt = terms.rebuild.is_none() || published.rebuild == terms.rebuild;
        if rebuilt && published.content_hash == terms.content_hash {
            return Verdict::Unchanged;
        }
    }
    if record.last.outcome == Outcome::Failed && record.last.etag == file.listed.etag {
        return judge_failed(record, terms);
    }
    match &record.published {
        None => Verdict::Convert(Why::New),
        Some(published) if published.etag == file.listed.etag => Verdict::Convert(Why::Stale),
        Some(_) => Verdict::Convert(Why::Changed),
    }
}

/// What the object says without its history.
pub(super) fn judge_object(file: &SourceFile, terms: &Terms) -> Option<Verdict> {
    let listed = &file.listed;
    if listed.key.ends_with('/') {
        return Some(Verdict::Skipped(Reason::FolderMarker));
    }
    if listed.garbled || object_store::path::Path::parse(&listed.key).map_or(true, |path| path.as_ref() != listed.key) {
        let message = format!("no client library can hold the key {:?}; copy the object to a plain one", listed.key);
        return Some(Verdict::Failed { reason: Reason::HostileKey, message });
    }
    if file.hidden {
        return Some(Verdict::Skipped(Reason::HiddenName));
    }
    let suffix = listed.key.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase());
    match suffix.as_deref() {
        Some("csv" | "parquet") if terms.grid => {
            let message = "a Zarr dataset is made of NetCDF files; leave tables out with a filter".to_owned();
            return Some(Verdict::Failed { reason: Reason::UnsupportedFormat, message });
        }
        Some("nc" | "parquet") => {}
        Some("csv") if terms.csv => {}
        Some("csv") => {
            let message = "the config does not say how CSV files are read; add `csv_config`".to_owned();
            return Some(Verdict::Failed { reason: Reason::UnsupportedFormat, message });
        }
        _ => return Some(Verdict::Skipped(Reason::UnsupportedSuffix)),
    }
    let settled = terms.now - SignedDuration::from_secs(i64::try_from(terms.min_age_seconds).unwrap_or(i64::MAX / 2_000));
    (terms.min_age_seconds > 0 && listed.modified > settled).then_some(Verdict::Skipped(Reason::TooYoung))
}

/// A file that failed at this very ETag: held, or worth another attempt?
fn judge_failed(record: &LedgerRecord, terms: &Terms) -> Verdict {
    let last = &record.last;
    let rebuilt = terms.rebuild.is_none() || last.rebuild == terms.rebuild;
    let same_terms = rebuilt && last.content_hash == terms.content_hash && last.converter == terms.converter;
    let reason = last.reason.unwrap_or(Reason::UnreadableFile);
    let more_memory = reason.wants_memory() && last.memory.is_none_or(|memory| memory < terms.memory);
    let uncounted = matches!(reason, Reason::NotReached | Reason::BasenameCollision | Reason::TimeConflict);
    let held = match reason.class() {
        Class::Structural | Class::Terminal => true,
        Class::Transient => !uncounted && last.attempts > terms.retries,
    };
    if same_terms && held && !more_memory {
        Verdict::Held { reason, message: last.message.clone().unwrap_or_default() }
    } else {
        Verdict::Convert(Why::Retried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Listed;
    use crds::wire::{Last, Published};

    fn terms() -> Terms {
        Terms {
            content_hash: "c1".into(),
            converter: "1".into(),
            rebuild: None,
            retries: 2,
            memory: 1_000,
            min_age_seconds: 0,
            csv: false,
            grid: false,
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    fn file(key: &str, etag: &str) -> SourceFile {
        let modified = "2025-12-31T23:59:00Z".parse().unwrap();
        SourceFile {
            key: key.into(),
            listed: Listed { key: key.into(), etag: etag.into(), bytes: 1, modified, garbled: false },
            hidden: false,
        }
    }

    fn record(published: Option<&str>, last: &str, failed: Option<(Reason, u32)>) -> LedgerRecord {
        LedgerRecord {
            key: "a.nc".into(),
            published: published.map(|etag| Published {
                etag: etag.into(),
                content_hash: "c1".into(),
                converter: "1".into(),
                rebuild: None,
                rows: 1,
                objects: vec![],
            }),
            last: Last {
                etag: last.into(),
                outcome: if failed.is_some() { Outcome::Failed } else { Outcome::Processed },
                reason: failed.map(|(reason, _)| reason),
                message: Some("why".into()),
                attempts: failed.map_or(0, |(_, attempts)| attempts),
                content_hash: "c1".into(),
                converter: "1".into(),
                rebuild: None,
                memory: Some(1_000),
                run: "r".into(),
            },
            withdrawn: false,
        }
    }

    #[test]
    fn files_fall_into_classes() {
        let held = |reason| Verdict::Held { reason, message: "why".into() };
        let cases = [
            ("never seen", None, terms(), Verdict::Convert(Why::New)),
            ("as published", Some(record(Some("e"), "e", None)), terms(), Verdict::Unchanged),
            ("newer version", Some(record(Some("old"), "old", None)), terms(), Verdict::Convert(Why::Changed)),
            (
                "content changed",
                Some(record(Some("e"), "e", None)),
                Terms { content_hash: "c2".into(), ..terms() },
                Verdict::Convert(Why::Stale),
            ),
            ("rebuild", Some(record(Some("e"), "e", None)), Terms { rebuild: Some("t".into()), ..terms() }, Verdict::Convert(Why::Stale)),
            (
                "another converter alone is no reason",
                Some(record(Some("e"), "e", None)),
                Terms { converter: "2".into(), ..terms() },
                Verdict::Unchanged,
            ),
            ("broken", Some(record(None, "e", Some((Reason::NotNetcdf, 1)))), terms(), held(Reason::NotNetcdf)),
            (
                "broken, newer version of a published one",
                Some(record(Some("old"), "e", Some((Reason::NotNetcdf, 1)))),
                terms(),
                held(Reason::NotNetcdf),
            ),
            ("broken, mended", Some(record(None, "other", Some((Reason::NotNetcdf, 1)))), terms(), Verdict::Convert(Why::New)),
            (
                "broken, newer converter",
                Some(record(None, "e", Some((Reason::NotNetcdf, 1)))),
                Terms { converter: "2".into(), ..terms() },
                Verdict::Convert(Why::Retried),
            ),
            (
                "broken, rebuild",
                Some(record(None, "e", Some((Reason::NotNetcdf, 1)))),
                Terms { rebuild: Some("t".into()), ..terms() },
                Verdict::Convert(Why::Retried),
            ),
            ("store trouble once", Some(record(None, "e", Some((Reason::StoreError, 1)))), terms(), Verdict::Convert(Why::Retried)),
            ("store trouble too often", Some(record(None, "e", Some((Reason::StoreError, 3)))), terms(), held(Reason::StoreError)),
            ("never reached", Some(record(None, "e", Some((Reason::NotReached, 9)))), terms(), Verdict::Convert(Why::Retried)),
            ("collision", Some(record(None, "e", Some((Reason::BasenameCollision, 9)))), terms(), Verdict::Convert(Why::Retried)),
            ("too large", Some(record(None, "e", Some((Reason::ChunkTooLarge, 1)))), terms(), held(Reason::ChunkTooLarge)),
            (
                "too large, more memory",
                Some(record(None, "e", Some((Reason::MemoryBudgetExceeded, 1)))),
                Terms { memory: 2_000, ..terms() },
                Verdict::Convert(Why::Retried),
            ),
            (
                "broken, more memory",
                Some(record(None, "e", Some((Reason::NotNetcdf, 1)))),
                Terms { memory: 2_000, ..terms() },
                held(Reason::NotNetcdf),
            ),
            ("quarantined", Some(record(None, "e", Some((Reason::Quarantined, 1)))), terms(), held(Reason::Quarantined)),
        ];
        for (name, record, terms, expected) in cases {
            assert_eq!(classify(&file("a.nc", "e"), record.as_ref(), &terms), expected, "{name}");
        }
    }

    #[test]
    fn objects_that_are_no_input_are_named() {
        let skipped = |key: &str| classify(&file(key, "e"), None, &terms());
        assert_eq!(skipped("a/"), Verdict::Skipped(Reason::FolderMarker));
        assert_eq!(skipped("a.txt"), Verdict::Skipped(Reason::UnsupportedSuffix));
        assert_eq!(skipped("A.NC"), Verdict::Convert(Why::New));
        assert!(matches!(skipped("a//b.nc"), Verdict::Failed { reason: Reason::HostileKey, .. }));
        assert!(matches!(skipped("a/../b.nc"), Verdict::Failed { reason: Reason::HostileKey, .. }));
        assert_eq!(skipped("A.Parquet"), Verdict::Convert(Why::New));
        assert_eq!(
            classify(&SourceFile { hidden: true, ..file("_tmp/a.parquet", "e") }, None, &terms()),
            Verdict::Skipped(Reason::HiddenName)
        );
        assert_eq!(classify(&file("a.CSV", "e"), None, &Terms { csv: true, ..terms() }), Verdict::Convert(Why::New));
        assert!(matches!(skipped("a.csv"), Verdict::Failed { reason: Reason::UnsupportedFormat, .. }));
        let young = Terms { min_age_seconds: 120, ..terms() };
        assert_eq!(classify(&file("a.nc", "e"), None, &young), Verdict::Skipped(Reason::TooYoung));
    }
}
