//! Whether this document may write this dataset at all.

use crds::wire::{Document, Head, Reason};

use crate::error::StageError;

/// What a head allows.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// Files that are as they were published need no work.
    Incremental,
    /// The layout changed under a new rebuild token, or that of a grid is new: all objects are replaced.
    Relayout,
}

/// # Errors
/// The dataset belongs to somebody else, was made by no ledger, or lies in another layout.
pub fn admit(head: Option<&Head>, document: &Document, has_content: bool) -> Result<Admission, StageError> {
    let guard = |reason, message| Err(StageError::Guard { reason, message, confirm: None });
    let Some(head) = head else {
        if has_content {
            let message = format!(
                "the folder of {} holds objects but no ledger; choose an empty destination, or adopt the dataset first",
                document.dataset_name
            );
            return guard(Reason::NotAdopted, message);
        }
        return Ok(Admission::Incremental);
    };
    if head.owner != document.owner && document.take_over.as_deref() != Some(head.owner.as_str()) {
        let message =
            format!("the dataset belongs to {}; set spec.takeOver (--take-over) to {:?} to take it from there", head.owner, head.owner);
        return guard(Reason::OwnerConflict, message);
    }
    let asked = document.rebuild.is_some() && document.rebuild != head.rebuild;
    // A grid is always written anew whole: masked rows go, and the others come in order.
    if asked && head.grid.is_some() {
        return Ok(Admission::Relayout);
    }
    if head.hashes.layout == document.hashes.layout || (head.totals.objects + head.totals.rows == 0 && head.grid.is_none()) {
        return Ok(Admission::Incremental);
    }
    if asked {
        return Ok(Admission::Relayout);
    }
    let what = if head.grid.is_some() {
        "dimensions, chunks, variables, their types or compat"
    } else {
        "partitioning, column types, compat or naming"
    };
    let message = format!(
        "{what} are not those the dataset was written with; set a new spec.rebuild token (--rebuild) to write it anew, or take \
         the change back"
    );
    guard(Reason::LayoutConflict, message)
}
