//! The head: `head/<generation>`, create-if-absent, the highest is current.

use crds::wire::Head;
use crds::wire::layout::StateLayout;
use futures::TryStreamExt;

use crate::error::StageError;
use crate::store::{Created, Listed, Store};

/// Heads kept for those who look back.
const KEPT: usize = 1_000;

/// The heads of one dataset.
#[derive(Debug)]
pub struct Heads<'a> {
    store: &'a Store,
    layout: &'a StateLayout,
}

/// How a swap of the head ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Swap {
    Won,
    /// The run that holds the generation now.
    Lost(String),
}

impl<'a> Heads<'a> {
    #[must_use]
    pub fn new(store: &'a Store, layout: &'a StateLayout) -> Self {
        Self { store, layout }
    }

    async fn generations(&self) -> Result<Vec<(u64, String)>, StageError> {
        let prefix = self.layout.heads();
        let listed: Vec<Listed> = self.store.list(&prefix).try_collect().await?;
        let number = |object: &Listed| object.key.strip_prefix(&prefix)?.parse().ok();
        Ok(listed.iter().filter_map(|object| Some((number(object)?, object.key.clone()))).collect())
    }

    /// The current generation; none before the first commit.
    pub async fn generation(&self) -> Result<Option<u64>, StageError> {
        Ok(self.generations().await?.into_iter().map(|(generation, _)| generation).max())
    }

    /// The current head; none before the first commit.
    pub async fn current(&self) -> Result<Option<Head>, StageError> {
        match self.generations().await?.into_iter().max() {
            Some((_, key)) => self.read(&key).await.map(Some),
            None => Ok(None),
        }
    }

    async fn read(&self, key: &str) -> Result<Head, StageError> {
        let bytes = self.store.get(key).await?;
        serde_json::from_slice(&bytes).map_err(|source| StageError::corrupt(key, source))
    }

    /// Makes `head` current if nobody made its generation before. After a success the heads are
    /// listed once more: a higher one means that this writer was late.
    pub async fn swap(&self, head: &Head) -> Result<Swap, StageError> {
        let body = serde_json::to_vec(head).map_err(|source| StageError::corrupt("head", source))?;
        if let Created::Lost(there) = self.store.create(&self.layout.head(head.generation), body.into()).await? {
            let winner: Head = serde_json::from_slice(&there).map_err(|source| StageError::corrupt("head", source))?;
            return Ok(Swap::Lost(winner.run));
        }
        let mut generations = self.generations().await?;
        generations.sort_unstable();
        if let Some((highest, key)) = generations.last()
            && *highest > head.generation
        {
            return Ok(Swap::Lost(self.read(key).await?.run));
        }
        for (_, key) in generations.iter().rev().skip(KEPT) {
            self.store.delete(key).await?;
        }
        Ok(Swap::Won)
    }
}
