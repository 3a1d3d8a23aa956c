//! One stage of a run, as a pod runs it: the digest goes into the termination message.

use crds::wire::{Digest, Document, ExitCode, Plan, Totals, brief};

use super::args::StageArgs;
use super::signal::until_told;
use crate::commit::commit;
use crate::context::{Context, Limits};
use crate::convert::{convert, digest, forget_crumb};
use crate::error::StageError;
use crate::failpoint::FailPoints;
use crate::ledger::Heads;
use crate::plan::{plan, read_plan};
use crate::store::Secrets;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Plan,
    Convert,
    Commit,
}

pub(super) async fn stage(stage: Stage, args: StageArgs) -> ExitCode {
    let outcome = match context(&args) {
        Ok(context) => {
            tracing::info!(run = %context.run, ?stage, index = args.index, failures = args.failures, "start");
            let outcome = Box::pin(until_told(work(stage, &context, args.index))).await;
            // A process that ends in good order convicts nobody.
            let in_order = !matches!(outcome, Ok(_) | Err(StageError::FailPoint(_)));
            if in_order && stage != Stage::Commit {
                let forgotten = tokio::time::timeout(std::time::Duration::from_secs(5), forget_crumb(&context, args.index)).await;
                tracing::info!(forgotten = matches!(forgotten, Ok(Ok(()))), "the breadcrumb");
            }
            outcome
        }
        Err(error) => Err(error),
    };
    let (digest, code) = match outcome {
        Ok(digest) => (digest, ExitCode::Done),
        Err(error) => (Digest::Failed(error.failure()), super::complain(&error)),
    };
    let message = digest.to_message();
    tracing::info!(digest = %message, code = code.code(), "end");
    if let Err(source) = std::fs::write(&args.termination_log, &message) {
        tracing::warn!(path = %args.termination_log.display(), %source, "the termination message could not be written");
    }
    code
}

fn context(args: &StageArgs) -> Result<Context, StageError> {
    let path = args.document.display();
    let text = std::fs::read_to_string(&args.document).map_err(|source| StageError::Config(format!("{path}: {source}")))?;
    let document: Document = serde_json::from_str(&text).map_err(|source| StageError::Config(format!("{path}: {source}")))?;
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let limits = Limits { threads: threads.max(1), memory_bytes: args.memory_bytes / 2 };
    let mut context = Context::open(document, args.run.clone(), limits, &Secrets::default())?;
    context.failures = args.failures;
    context.cause_of_missing.clone_from(&args.cause_of_missing);
    if args.failures == args.fail_attempt {
        context.fail = FailPoints::from_names(args.fail_at.as_deref(), args.fail_how.as_deref()).map_err(StageError::Config)?;
    }
    Ok(context)
}

async fn work(stage: Stage, context: &Context, index: u32) -> Result<Digest, StageError> {
    match stage {
        Stage::Plan => plan_stage(context).await,
        Stage::Convert => Ok(digest(&convert(context, &planned(context).await?, index).await?)),
        Stage::Commit => commit(context, &planned(context).await?).await,
    }
}

/// What fits one batch is planned, converted and committed by this pod alone.
async fn plan_stage(context: &Context) -> Result<Digest, StageError> {
    let plan = plan(context).await?;
    if plan.batches > 1 {
        let head = Heads::new(&context.destination, &context.layout).current().await?;
        return Ok(Digest::Plan {
            run: plan.run,
            classes: plan.counts,
            totals: head.map_or_else(Totals::default, |head| head.totals),
            batches: plan.batches,
            batch_files: plan.batch_files.iter().map(|files| u64::from(*files)).sum(),
            warnings: brief(&plan.warnings),
        });
    }
    if plan.batches == 1 {
        convert(context, &plan, 0).await?;
    }
    commit(context, &plan).await
}

async fn planned(context: &Context) -> Result<Plan, StageError> {
    let plan = read_plan(context).await?;
    plan.ok_or_else(|| StageError::corrupt(&context.layout.plan(&context.run), "there is no plan for this run"))
}
