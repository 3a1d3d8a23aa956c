//! Commit: the only stage that writes into the dataset.
//!
//! fence → finish what an earlier head left → fold manifests into ledger, report and effects →
//! swap the head → apply the effects → settle the head → sweep.

mod changes;
mod claims;
mod effects;
mod fence;
mod fold;
mod gather;
mod grid;
mod records;
mod report;
mod sweep;
mod torn;

use bytes::Bytes;
use crds::wire::{Copy, Digest, Head, Plan, Sidecar};
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::ledger::{Heads, Swap};
use fold::Folded;

/// How often a commit starts over because a twin of its own run was faster.
const TWINS: u32 = 3;

/// What a commit leaves: the current head, with its digest.
///
/// # Errors
/// Store trouble (run it again: it resumes from the head), or another run that committed first.
pub async fn commit(context: &Context, plan: &Plan) -> Result<Digest, StageError> {
    for _ in 0..TWINS {
        if let Some(digest) = try_commit(context, plan).await? {
            return Ok(digest);
        }
    }
    Err(StageError::SwapLost("twins of this run keep overtaking it".to_owned()))
}

/// None when a twin of this run swapped the head first: its work is taken up from there.
async fn try_commit(context: &Context, plan: &Plan) -> Result<Option<Digest>, StageError> {
    let heads = Heads::new(&context.destination, &context.layout);
    let mut current = heads.current().await?;
    let resumed = current.as_ref().is_some_and(|head| head.run == plan.run);
    if !resumed {
        fence::fence(context, plan).await?;
    }
    if let Some(head) = current.take_if(|head| head.pending.is_some()) {
        let settled = settle(context, &heads, head).await?;
        if !resumed {
            // The commit that left them may only be slow: it finds its sources gone.
            context.destination.delete_below(&context.layout.staged_all(&settled.run)).await?;
        }
        context.fail.pass(FailPoint::CommitEarlierEffects).await?;
        current = Some(settled);
    }
    if let Some(head) = current.as_ref().filter(|head| head.run == plan.run) {
        sweep::sweep(context, head, None).await?;
        return Ok(Some(head.digest.clone()));
    }
    let base = current.as_ref().map(|head| &head.run);
    if base != plan.base_run.as_ref() {
        return Err(StageError::SwapLost(format!("the plan stands on run {:?}, the dataset on {base:?}", plan.base_run)));
    }

    let folded = fold::fold(context, plan, current.as_ref()).await?;
    let head = new_head(context, plan, current.as_ref(), folded).await?;
    let swapped = heads.swap(&head).await?;
    context.fail.pass(FailPoint::CommitHead).await?;
    match swapped {
        Swap::Won => {}
        Swap::Lost(run) if run == plan.run => return Ok(None),
        Swap::Lost(run) => return Err(StageError::SwapLost(format!("run {run} holds generation {}", head.generation))),
    }
    let settled = if head.pending.is_some() { settle(context, &heads, head).await? } else { head };
    sweep::sweep(context, &settled, current.as_ref()).await?;
    Ok(Some(settled.digest))
}

async fn new_head(context: &Context, plan: &Plan, current: Option<&Head>, mut folded: Folded) -> Result<Head, StageError> {
    let grid = folded.grid.take();
    let sidecar = match (&grid, &context.config.grid) {
        (Some(published), _) => Staged::New(published.last.0.clone(), published.last.1.clone()),
        (None, Some(_)) => Staged::Same(current.and_then(|head| head.sidecar.clone())),
        (None, None) => stage_sidecar(context, current, folded.totals.objects).await?,
    };
    let mut pending = std::mem::take(&mut folded.effects);
    let sidecar = match sidecar {
        Staged::Same(sidecar) => sidecar,
        Staged::New(copy, sha256) => {
            let etag = copy.etag.clone();
            pending.sidecar = Some(copy);
            Some(Sidecar { sha256, etag })
        }
    };
    let generation = current.map_or(0, |head| head.generation) + 1;
    let report = report::write(context, plan, &mut folded).await?;
    context.fail.pass(FailPoint::CommitReport).await?;
    let nothing = pending.copies.is_empty() && pending.deletions.is_empty() && pending.sidecar.is_none();
    Ok(Head {
        generation,
        nonce: context.nonce.clone(),
        owner: context.document.owner.clone(),
        run: plan.run.clone(),
        hashes: context.document.hashes.clone(),
        // A token that was taken away has been obeyed all the same.
        rebuild: context.document.rebuild.clone().or_else(|| current.and_then(|head| head.rebuild.clone())),
        parts: folded.parts,
        totals: folded.totals,
        sidecar,
        grid: grid.map(|published| published.state).or_else(|| current.and_then(|head| head.grid.clone())),
        pending: (!nothing).then_some(pending),
        digest: report::digest(context, plan, generation, &folded.counts, &folded.story, folded.totals, report),
    })
}

enum Staged {
    Same(Option<Sidecar>),
    New(Copy, String),
}

/// Stages `_common_metadata` when its bytes are not those that were published last.
async fn stage_sidecar(context: &Context, current: Option<&Head>, objects: u64) -> Result<Staged, StageError> {
    let published = current.and_then(|head| head.sidecar.clone());
    if objects == 0 {
        return Ok(Staged::Same(published));
    }
    let body = crate::write::sidecar(&context.config);
    let sha256 = hex::encode(Sha256::digest(&body));
    if published.as_ref().is_some_and(|sidecar| sidecar.sha256 == sha256) {
        return Ok(Staged::Same(published));
    }
    let from = context.layout.staged_sidecar(&context.run, &context.nonce);
    let etag = context.destination.put(&from, Bytes::from(body)).await?.etag;
    context.fail.pass(FailPoint::CommitSidecarStaged).await?;
    Ok(Staged::New(Copy { from, to: format!("{}/_common_metadata", context.folder()), etag }, sha256))
}

/// Applies what the head leaves pending and writes the generation that leaves nothing.
pub(crate) async fn settle(context: &Context, heads: &Heads<'_>, head: Head) -> Result<Head, StageError> {
    let Some(pending) = &head.pending else { return Ok(head) };
    let changed = effects::apply(context, &head).await?;
    let parts = records::with_etags(context, &head, &changed).await?;
    let sidecar = head.sidecar.clone().map(|sidecar| Sidecar {
        etag: pending.sidecar.as_ref().and_then(|copy| changed.get(&copy.to)).cloned().unwrap_or(sidecar.etag),
        ..sidecar
    });
    let settled = Head { generation: head.generation + 1, nonce: context.nonce.clone(), parts, sidecar, pending: None, ..head.clone() };
    let swapped = heads.swap(&settled).await?;
    context.fail.pass(FailPoint::CommitSettled).await?;
    match swapped {
        Swap::Won => Ok(settled),
        // A twin settled the same head: what stands is as good, if nobody has gone on from there.
        Swap::Lost(run) if run == head.run => match heads.current().await? {
            Some(current) if current.run == head.run => Ok(current),
            _ => Err(StageError::SwapLost(format!("another run followed run {run}"))),
        },
        Swap::Lost(run) => Err(StageError::SwapLost(format!("run {run} settled the head of run {}", head.run))),
    }
}
