//! What runs ask of their stores, counted.

use anyhow::Result;
use converter::commit::commit;
use converter::convert::convert;
use converter::failpoint::FailPoints;
use converter::plan::plan;
use crds::resource::CloudOptimisedDataset;
use crds::wire::{FileCounts, RequestCounts, Requests};

use super::{Bed, counts, removing};

/// All stages of a run in one process, checked, with what they asked for.
pub async fn run(bed: &Bed, run: &str) -> Result<(FileCounts, Requests)> {
    let context = bed.context(run, 0, FailPoints::none())?;
    let plan = plan(&context).await?;
    for index in 0..plan.batches {
        convert(&context, &plan, index).await?;
    }
    let digest = commit(&context, &plan).await?;
    let requests = Requests { source: context.source.requests(), destination: context.destination.meter().used().requests };
    Ok((bed.check(&digest).await?.files, requests))
}

/// A few files and many: the difference is what one file costs.
const FEW: u64 = 10;
const MANY: u64 = 40;

/// One GET a file, one PUT and one copy an object, deletes in groups, and no look at any of them.
pub async fn of_files(make: impl Fn(fn(&mut CloudOptimisedDataset)) -> Result<Bed>) -> Result<()> {
    let (mut first, mut changed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    let mut in_folder = false;
    for files in [FEW, MANY] {
        let mut bed = make(removing)?;
        bed.part_records = 1_000;
        in_folder = bed.document.destination.url.as_deref().is_some_and(|url| url.starts_with("file:"));
        for file in 0..files {
            bed.put(&format!("{file}.nc"), 1, 5)?;
        }
        let (told, requests) = run(&bed, "first").await?;
        assert_eq!(told, counts(files, files, 0, 0));
        assert_eq!((requests.source.get, requests.source.head), (files, 0));
        first.push(requests);
        // Rows of another month are other objects: the old ones are superseded.
        for file in 0..files {
            bed.put(&format!("{file}.nc"), 5, 6)?;
        }
        let (told, requests) = run(&bed, "changed").await?;
        assert_eq!(told, counts(files, files, 0, 0));
        assert_eq!(requests.source.get, files);
        changed.push(requests);
        for file in 1..files {
            bed.remove(&format!("{file}.nc"))?;
        }
        let (told, requests) = run(&bed, "gone").await?;
        assert_eq!(told, FileCounts { withdrawn: files - 1, ..counts(1, 0, 1, 0) });
        assert_eq!(bed.objects().await?.len(), 1);
        gone.push(requests);
    }
    let more = MANY - FEW;
    // A folder moves what was staged, and removes file by file.
    let removed = if in_folder { more } else { 0 };
    let written = RequestCounts { put: more, copy: more, ..RequestCounts::default() };
    assert_eq!(of_one_more(first[0].destination, first[1].destination), written, "new files");
    assert_eq!(of_one_more(changed[0].destination, changed[1].destination), RequestCounts { delete: removed, ..written }, "changed files");
    let deleted = RequestCounts { delete: removed, ..RequestCounts::default() };
    assert_eq!(of_one_more(gone[0].destination, gone[1].destination), deleted, "withdrawn files");
    assert_eq!(of_one_more(gone[0].source, gone[1].source), RequestCounts::default());
    Ok(())
}

fn of_one_more(few: RequestCounts, many: RequestCounts) -> RequestCounts {
    RequestCounts {
        list: many.list - few.list,
        get: many.get - few.get,
        head: many.head - few.head,
        put: many.put - few.put,
        copy: many.copy - few.copy,
        delete: many.delete - few.delete,
        multipart: many.multipart - few.multipart,
    }
}
