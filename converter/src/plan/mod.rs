//! The plan: what one run will do, decided once from listing and ledger.

mod admit;
mod candidates;
mod classify;
mod founding;
mod grid;
mod guard;
mod headers;
mod merge;
mod pack;
mod speaker;
mod survey;

use std::sync::Arc;

use bytes::Bytes;
use crds::wire::{Head, Plan, Reason};

use crate::context::{CONVERTER_VERSION, Context};
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::ledger::Heads;
use crate::store::{Created, StoreError, StoreErrorKind};
use admit::{Admission, admit};
pub use classify::{Terms, Verdict, Why, classify};
pub(crate) use grid::read_state;
use merge::merge;
use survey::Survey;

/// Plans the run, or returns the plan that stands.
///
/// # Errors
/// Store trouble, a guard, or a dataset this document may not write.
pub async fn plan(context: &Context) -> Result<Plan, StageError> {
    if let Some(plan) = read_plan(context).await? {
        return Ok(plan);
    }
    probe_conditional_put(context).await?;
    context.fail.pass(FailPoint::PlanProbed).await?;

    let heads = Heads::new(&context.destination, &context.layout);
    let mut head = heads.current().await?;
    // Workers read the chunks that they add to: all that an earlier run published must be in place.
    if let Some(pending) = head.take_if(|head| head.pending.is_some() && context.config.grid.is_some()) {
        head = Some(crate::commit::settle(context, &heads, pending).await?);
    }
    // Only where no ledger says whose it is.
    let foreign = head.is_none() && context.destination.has_any(&format!("{}/", context.folder())).await?;
    let admission = admit(head.as_ref(), &context.document, foreign)?;
    let state = read_state(context, head.as_ref().filter(|_| admission == Admission::Incremental)).await?;
    let survey = Survey::new(context, admission == Admission::Relayout, state.as_ref());
    let mut survey = merge(context, head.as_ref(), survey).await?;
    let grid = match &context.config.grid {
        Some(grid) => {
            let reconfigured = head.as_ref().is_some_and(|head| head.hashes.metadata != context.document.hashes.metadata);
            grid::lay_out(context, &Arc::new(grid.clone()), state, reconfigured, &mut survey).await?
        }
        None => None,
    };
    survey.close(context).await?;
    write_plan(context, head.as_ref(), survey, admission == Admission::Relayout, grid).await
}

/// The plan of this run, if it has been written.
///
/// # Errors
/// Store trouble, or an object that is no plan.
pub async fn read_plan(context: &Context) -> Result<Option<Plan>, StageError> {
    let key = context.layout.plan(&context.run);
    let Some(bytes) = context.destination.try_get(&key).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|source| StageError::corrupt(&key, source))
}

/// Asks the store to refuse a second create of one key: everything rests on that.
async fn probe_conditional_put(context: &Context) -> Result<(), StageError> {
    let store = &context.destination;
    let key = context.layout.probe(&context.nonce);
    let refuse = |error: &StoreError| StoreError {
        kind: StoreErrorKind::NoConditionalPut,
        operation: "PutObject",
        key: String::new(),
        message: "the store does not refuse to create an object that is there (If-None-Match: *); \
                  use one that supports conditional writes"
            .to_owned(),
        place: error.place.clone(),
        side: error.side,
    };
    let blank = StoreError {
        kind: StoreErrorKind::NoConditionalPut,
        side: crate::store::Side::Destination,
        place: store.url().place().to_owned(),
        operation: "PutObject",
        key: String::new(),
        message: String::new(),
    };
    match store.create(&key, Bytes::from_static(b"first")).await {
        Ok(_) => {}
        Err(error) if error.message.contains("NotImplemented") || error.message.contains("501") => return Err(refuse(&error).into()),
        Err(error) => return Err(error.into()),
    }
    let second = store.create(&key, Bytes::from_static(b"second")).await?;
    store.delete(&key).await?;
    match second {
        Created::Lost(_) => Ok(()),
        Created::Won => Err(refuse(&blank).into()),
    }
}

async fn write_plan(
    context: &Context,
    head: Option<&Head>,
    survey: Survey,
    relayout: bool,
    grid: Option<String>,
) -> Result<Plan, StageError> {
    if relayout && survey.counts.pending > 0 {
        let message = format!(
            "a rebuild into another layout must fit one run, and {} files do not; raise spec.batching.maxFiles",
            survey.counts.pending
        );
        return Err(StageError::Guard { reason: Reason::LayoutConflict, message, confirm: None });
    }
    let plan = Plan {
        run: context.run.clone(),
        nonce: context.nonce.clone(),
        document: (*context.document).clone(),
        base_run: head.map(|head| head.run.clone()),
        started: context.now.as_millisecond(),
        converter: CONVERTER_VERSION.to_owned(),
        counts: survey.counts,
        batches: u32::try_from(survey.batch_files.len()).unwrap_or(u32::MAX),
        batch_files: survey.batch_files,
        batch_bytes: survey.batch_bytes,
        others: survey.other_parts,
        hostile: survey.hostile,
        relayout,
        grid,
        warnings: survey.warnings,
    };
    let key = context.layout.plan(&context.run);
    let body = serde_json::to_vec(&plan).map_err(|source| StageError::corrupt(&key, source))?;
    let created = context.destination.create(&key, body.into()).await?;
    context.fail.pass(FailPoint::PlanWritten).await?;
    match created {
        Created::Won => Ok(plan),
        Created::Lost(there) => serde_json::from_slice(&there).map_err(|source| StageError::corrupt(&key, source)),
    }
}
