//! Places where a stage can be made to stop: one after each of its side effects.
//!
//! `COD_FAIL_AT=<name>` picks one; `COD_FAIL_HOW=hold` waits there for a signal instead of dying.
//! Only a first attempt obeys (or the one that `COD_FAIL_ATTEMPT` names), so that the retry shows
//! what a crash leaves behind.

use std::fmt;

use crate::error::StageError;

macro_rules! fail_points {
    ($($name:ident = $text:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FailPoint { $($name,)* }

        impl FailPoint {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

fail_points! {
    PlanProbed = "plan.probed",
    PlanBatchWritten = "plan.batch-written",
    PlanOthersWritten = "plan.others-written",
    PlanWritten = "plan.written",
    ConvertCrumb = "convert.crumb",
    ConvertStaged = "convert.staged",
    ConvertManifest = "convert.manifest",
    CommitFenced = "commit.fenced",
    CommitEarlierEffects = "commit.earlier-effects",
    CommitLedger = "commit.ledger",
    CommitEffectsListed = "commit.effects-listed",
    CommitSidecarStaged = "commit.sidecar-staged",
    CommitFiles = "commit.files",
    CommitReport = "commit.report",
    CommitHead = "commit.head",
    CommitCopied = "commit.copied",
    CommitDeleted = "commit.deleted",
    CommitSidecar = "commit.sidecar",
    CommitSettled = "commit.settled",
    CommitSwept = "commit.swept",
}

impl fmt::Display for FailPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The fail point in force, if any.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailPoints {
    at: Option<FailPoint>,
    hold: bool,
}

impl FailPoints {
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn stop_at(point: FailPoint) -> Self {
        Self { at: Some(point), hold: false }
    }

    /// # Errors
    /// A name that is no fail point.
    pub fn from_names(at: Option<&str>, how: Option<&str>) -> Result<Self, String> {
        let Some(name) = at.filter(|name| !name.is_empty()) else { return Ok(Self::none()) };
        let point = FailPoint::ALL.iter().find(|point| point.as_str() == name);
        let point = point.ok_or_else(|| format!("{name:?} is no fail point"))?;
        Ok(Self { at: Some(*point), hold: how == Some("hold") })
    }

    /// Stops here if this is the point in force.
    ///
    /// # Errors
    /// [`StageError::FailPoint`], which leaves the world as a crash would.
    pub async fn pass(&self, point: FailPoint) -> Result<(), StageError> {
        if self.at != Some(point) {
            return Ok(());
        }
        if self.hold {
            tracing::warn!(%point, "held at a fail point");
            std::future::pending::<()>().await;
        }
        Err(StageError::FailPoint(point))
    }
}
