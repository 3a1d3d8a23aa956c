//! Takes away what a committed run no longer needs, and runs that nobody will commit.

use std::collections::HashSet;

use crds::wire::{Head, PartRef};
use jiff::SignedDuration;

use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::store::Listed;

/// A run older than this is never committed any more.
const ABANDONED: SignedDuration = SignedDuration::from_hours(24);

/// `before` is the head that this one followed: whoever reads its ledger still finds it.
pub(super) async fn sweep(context: &Context, head: &Head, before: Option<&Head>) -> Result<(), StageError> {
    let store = &context.destination;
    // A commit of this run that comes late finds its sources gone.
    store.delete_below(&context.layout.staged_all(&context.run)).await?;
    context.fail.pass(FailPoint::CommitSwept).await?;

    let old = |object: &Listed| object.modified + ABANDONED < context.now;
    let own = context.layout.run(&context.run);
    store.delete_where(&context.layout.runs(), |object| old(object) && !object.key.starts_with(&own)).await?;

    let parts = [Some(head), before].into_iter().flatten().flat_map(|head| &head.parts);
    let named: HashSet<String> = parts.flat_map(objects).collect();
    store.delete_where(&context.layout.ledger_parts(), |object| old(object) && !named.contains(&object.key)).await?;
    if context.config.grid.is_some() {
        let named = |key: &str| [Some(head), before].into_iter().flatten().any(|head| head.grid.as_deref() == Some(key));
        store.delete_where(&context.layout.grids(), |object| old(object) && !named(&object.key)).await?;
    }
    Ok(())
}

/// A part, and where its lines lie.
fn objects(part: &PartRef) -> impl Iterator<Item = String> {
    let lines = part.seal.as_ref().and_then(|seal| seal.lines.as_ref());
    [Some(&part.key), lines.map(|lines| &lines.key)].into_iter().flatten().cloned()
}
