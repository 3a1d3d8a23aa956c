//! Brings lines of sealed parts together that lie in too many places, so that they are not asked for one by one for ever.

use std::collections::BTreeMap;

use crds::wire::{PartRef, SealedLines};

use crate::context::Context;
use crate::error::StageError;
use crate::ledger::{LinesWriter, MOST_BYTES, Stretch};

/// Stretches that are left as they are, beside those that it takes for their length.
const MOST_STRETCHES: usize = 8;

pub(super) struct Gathering<'a> {
    /// None where nothing is to be gathered.
    writer: Option<LinesWriter<'a>>,
    /// By a part's key, where its lines lie from now on.
    moved: BTreeMap<String, SealedLines>,
}

impl<'a> Gathering<'a> {
    /// Of all lines that a run asks for.
    pub fn of(context: &'a Context, stretches: &[Stretch<'_>]) -> Self {
        let bytes: u64 = stretches.iter().map(Stretch::bytes).sum();
        // Two that lie behind each other are more than one may hold.
        let too_many = stretches.len() > MOST_STRETCHES + 2 * (bytes / MOST_BYTES) as usize;
        let nonce = format!("{}-gathered", context.nonce);
        let writer = too_many.then(|| LinesWriter::new(&context.destination, &context.layout, &context.run, nonce));
        Self { writer, moved: BTreeMap::new() }
    }

    pub async fn add(&mut self, part: &PartRef, lines: &[u8]) -> Result<(), StageError> {
        if let Some(writer) = &mut self.writer {
            self.moved.insert(part.key.clone(), writer.add(lines).await?);
        }
        Ok(())
    }

    /// Tells the parts of the next ledger where their lines are.
    pub async fn finish(mut self, parts: &mut [PartRef]) -> Result<(), StageError> {
        let Some(writer) = self.writer else { return Ok(()) };
        writer.finish().await?;
        for part in parts {
            if let (Some(seal), Some(lines)) = (&mut part.seal, self.moved.remove(&part.key)) {
                seal.lines = Some(lines);
            }
        }
        Ok(())
    }
}
