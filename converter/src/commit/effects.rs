//! What readers see: copies, then deletions, then the sidecar. Each may be done twice.

use std::collections::BTreeMap;

use crds::wire::{Copy, EffectsPart, Head, PublishedObject};
use futures::{StreamExt, TryStreamExt};

use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::ledger::{Heads, push_line, read_lines};
use crate::store::{DELETE_GROUP, Store};

/// Copies between two looks at the heads. Deletions are looked at before each request.
const BETWEEN_LOOKS: usize = 1_000;
/// Lines in one object of effects: about 20 MB.
const PART_LINES: u64 = 40_000;

/// Gathers effects and writes them out in parts.
#[derive(Debug)]
pub(super) struct EffectsWriter<'a> {
    context: &'a Context,
    kind: &'static str,
    lines: Vec<u8>,
    count: u64,
    parts: Vec<EffectsPart>,
}

impl<'a> EffectsWriter<'a> {
    pub fn new(context: &'a Context, kind: &'static str) -> Self {
        Self { context, kind, lines: Vec::new(), count: 0, parts: Vec::new() }
    }

    pub async fn push<T: serde::Serialize>(&mut self, effect: &T) -> Result<(), StageError> {
        push_line(&mut self.lines, effect)?;
        self.count += 1;
        if self.count >= PART_LINES { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), StageError> {
        if self.count > 0 {
            let key = self.context.layout.effects(&self.context.run, self.kind, &self.context.nonce, self.parts.len());
            self.context.destination.put(&key, std::mem::take(&mut self.lines).into()).await?;
            self.parts.push(EffectsPart { key, lines: std::mem::take(&mut self.count) });
        }
        Ok(())
    }

    pub async fn finish(mut self) -> Result<Vec<EffectsPart>, StageError> {
        self.flush().await?;
        Ok(self.parts)
    }
}

/// Applies the effects that a head leaves pending. Returns the `ETag`s of published objects that are
/// not those of their staged ones.
///
/// # Errors
/// Store trouble: apply them again. `LedgerSwapLost` when a higher generation stands: whoever wrote
/// it has applied these effects, and may have gone on from there.
pub async fn apply(context: &Context, head: &Head) -> Result<BTreeMap<String, String>, StageError> {
    let Some(pending) = &head.pending else { return Ok(BTreeMap::new()) };
    let store = &context.destination;
    let mut changed = BTreeMap::new();
    for part in &pending.copies {
        let copies: Vec<Copy> = read_lines(store, &part.key).await?;
        for chunk in copies.chunks(BETWEEN_LOOKS) {
            still_current(context, head).await?;
            // However few, some for each thread.
            let group = store.together().min(chunk.len().div_ceil(store.at_once()));
            let published: Vec<Vec<(String, String)>> = futures::stream::iter(chunk.chunks(group))
                .map(|copies| async move {
                    let published = publish(store, copies).await?;
                    for _ in copies {
                        context.fail.pass(FailPoint::CommitCopied).await?;
                    }
                    Ok::<_, StageError>(published)
                })
                .buffer_unordered(store.at_once())
                .try_collect()
                .await?;
            changed.extend(published.into_iter().flatten());
        }
    }
    for part in &pending.deletions {
        let objects: Vec<PublishedObject> = read_lines(store, &part.key).await?;
        for chunk in objects.chunks(DELETE_GROUP) {
            still_current(context, head).await?;
            delete(context, chunk).await?;
            context.fail.pass(FailPoint::CommitDeleted).await?;
        }
    }
    if let Some(copy) = &pending.sidecar {
        still_current(context, head).await?;
        changed.extend(publish(store, std::slice::from_ref(copy)).await?);
        context.fail.pass(FailPoint::CommitSidecar).await?;
    }
    Ok(changed)
}

/// A commit that stalled must not go on once somebody else has finished its work.
async fn still_current(context: &Context, head: &Head) -> Result<(), StageError> {
    let generation = Heads::new(&context.destination, &context.layout).generation().await?;
    if generation > Some(head.generation) {
        return Err(StageError::SwapLost(format!("generation {} was settled by another process", head.generation)));
    }
    Ok(())
}

/// Deletes superseded objects, unless somebody else has put others in their places.
async fn delete(context: &Context, objects: &[PublishedObject]) -> Result<(), StageError> {
    let objects: Vec<(&str, &str)> = objects.iter().map(|object| (object.key.as_str(), object.etag.as_str())).collect();
    let probe = format!("{}-delete", context.layout.probe(&context.nonce));
    for key in context.destination.delete_recorded(&objects, &probe).await? {
        tracing::warn!(key, "superseded, but not the object that was published: left alone, nobody owns it now");
    }
    Ok(())
}

/// Puts staged objects in their places. One that is gone was published before: by an earlier try of this
/// very commit, or by the one that overtook it. Returns by key the `ETag`s that are not those of the staged ones.
async fn publish(store: &Store, copies: &[Copy]) -> Result<Vec<(String, String)>, StageError> {
    let pairs: Vec<(&str, &str)> = copies.iter().map(|copy| (copy.from.as_str(), copy.to.as_str())).collect();
    let mut changed = Vec::new();
    for (copy, etag) in copies.iter().zip(store.publish(&pairs).await?) {
        let etag = match etag {
            Some(etag) => etag,
            None => there_already(store, copy).await?,
        };
        if etag != copy.etag {
            changed.push((copy.to.clone(), etag));
        }
    }
    Ok(changed)
}

async fn there_already(store: &Store, copy: &Copy) -> Result<String, StageError> {
    let there = store.head(&copy.to).await?;
    let gone = || StageError::corrupt(&copy.from, format!("the staged object is gone, and nothing stands at {}", copy.to));
    Ok(there.ok_or_else(gone)?.etag)
}
