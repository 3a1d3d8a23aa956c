//! Merges listing and ledger, both in key order, and gives every file its class.

use crds::wire::Head;
use futures::TryStreamExt;

use super::survey::Survey;
use crate::context::Context;
use crate::error::StageError;
use crate::ledger::LedgerCursor;
use crate::source::SourceFile;

/// Files that are no input and wait until it is known whether they have records.
const MOST_ASIDE: usize = 10_000;

/// Hears of every file of the listing and of the ledger once.
///
/// # Errors
/// Store trouble, a source that does not list its keys in order, or a guard.
pub(super) async fn merge(context: &Context, head: Option<&Head>, survey: Survey) -> Result<Survey, StageError> {
    let parts = head.map_or(&[][..], |head| &head.parts);
    let ledger = LedgerCursor::new(&context.destination, parts, |seal| survey.trusts(seal));
    let mut merge = Merge { context, survey, ledger, sheaf: Vec::new(), aside: Vec::new() };
    let mut listing = context.source.list();
    let mut before: Option<String> = None;
    while let Some(file) = listing.try_next().await? {
        if file.listed.garbled {
            merge.survey.listed(context, file, None).await?;
            continue;
        }
        if let Some(before) = before.filter(|before| *before >= file.key) {
            let message = format!(
                "the source does not list its keys in order ({:?} comes after {before:?}); use a store that does, as S3 does",
                file.key
            );
            return Err(StageError::Config(message));
        }
        before = Some(file.key.clone());
        merge.listed(file).await?;
    }
    merge.upto(None).await?;
    merge.survey.finish(context)?;
    Ok(merge.survey)
}

struct Merge<'a> {
    context: &'a Context,
    survey: Survey,
    ledger: LedgerCursor<'a>,
    /// Files of the listing that may be those of the sealed part before which the ledger stands.
    sheaf: Vec<SourceFile>,
    /// What is listed among them and is no input: it has no record if the part has one for each of the others.
    aside: Vec<SourceFile>,
}

impl Merge<'_> {
    async fn listed(&mut self, file: SourceFile) -> Result<(), StageError> {
        self.upto(Some(&file.key)).await?;
        match self.ledger.sealed() {
            Some((part, _)) if part.first <= file.key => {
                let most = part.records;
                if self.survey.takes(&file) {
                    self.sheaf.push(file);
                } else {
                    self.aside.push(file);
                }
                if self.sheaf.len() as u64 > most || self.aside.len() > MOST_ASIDE { self.open().await } else { Ok(()) }
            }
            _ => self.one(file).await,
        }
    }

    /// What the ledger has below `key`, or all of it, has been listed by now, or is missing.
    async fn upto(&mut self, key: Option<&str>) -> Result<(), StageError> {
        loop {
            while let Some(record) = self.ledger.next_below(key).await? {
                self.survey.missing(self.context, &record).await?;
            }
            let Some((part, end)) = self.ledger.sealed() else { return Ok(()) };
            if key.is_some_and(|key| end.is_none_or(|end| end > key)) {
                return Ok(());
            }
            if self.survey.finds(part, &self.sheaf) {
                for file in std::mem::take(&mut self.sheaf) {
                    self.survey.found(file);
                }
                for file in std::mem::take(&mut self.aside) {
                    self.survey.listed(self.context, file, None).await?;
                }
                self.ledger.pass();
            } else {
                self.open().await?;
            }
        }
    }

    /// The files before a sealed part are not those that it is of.
    async fn open(&mut self) -> Result<(), StageError> {
        self.ledger.open().await?;
        let mut files = std::mem::take(&mut self.sheaf);
        files.append(&mut self.aside);
        files.sort_by(|one, next| one.key.cmp(&next.key));
        for file in files {
            self.one(file).await?;
        }
        Ok(())
    }

    async fn one(&mut self, file: SourceFile) -> Result<(), StageError> {
        while let Some(record) = self.ledger.next_below(Some(&file.key)).await? {
            self.survey.missing(self.context, &record).await?;
        }
        let record = self.ledger.take(&file.key).await?;
        self.survey.listed(self.context, file, record.as_ref()).await
    }
}
