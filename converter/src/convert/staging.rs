//! The way of finished objects to the store: staged where only a manifest finds them, small ones together where each
//! alone is too little work.

use crds::wire::StagedObject;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc::Sender;

use crate::store::{Body, Store, StoreError};
use crate::table::{ConvertedObject, FileError};

/// Bytes that are stored together at most, but for one object that is larger.
const GROUP_BYTES: u64 = 1 << 20;
/// Groups of objects that wait to be stored, and those that are stored at once.
pub(super) const GROUPS_AHEAD: usize = 2;
pub(super) const STORED_AT_ONCE: usize = 4;

/// An object that is not stored yet.
pub(super) struct Unstaged {
    pub final_key: String,
    pub staged_key: String,
    pub rows: u64,
    pub body: Body,
}

/// Stores a group.
pub(super) async fn stage(store: &Store, group: Vec<Unstaged>) -> Result<Vec<StagedObject>, StoreError> {
    let (mut staged, mut bodies) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
    for Unstaged { final_key, staged_key, rows, body } in group {
        bodies.push((staged_key.clone(), body));
        staged.push((final_key, staged_key, rows));
    }
    let heads = store.put_new(bodies).await?;
    let known = staged.into_iter().zip(heads);
    Ok(known
        .map(|((final_key, staged_key, rows), head)| StagedObject { final_key, staged_key, etag: head.etag, rows, bytes: head.bytes })
        .collect())
}

/// Stores any number of objects, some groups at once.
pub(super) async fn stage_all(store: &Store, objects: Vec<Unstaged>) -> Result<Vec<StagedObject>, StoreError> {
    let mut objects = objects.into_iter();
    let groups = std::iter::from_fn(|| {
        let group: Vec<Unstaged> = objects.by_ref().take(store.together()).collect();
        (!group.is_empty()).then_some(group)
    });
    futures::stream::iter(groups).map(|group| stage(store, group)).buffered(STORED_AT_ONCE).try_concat().await
}

/// Where a conversion puts its objects: it waits while there are too many on the way.
pub(super) struct Outlet {
    send: Sender<Vec<ConvertedObject>>,
    waiting: Vec<ConvertedObject>,
    /// Of those that wait.
    bytes: u64,
    together: usize,
}

impl Outlet {
    /// Into groups of the size that the store takes best.
    pub fn new(send: Sender<Vec<ConvertedObject>>, store: &Store) -> Self {
        Self { send, waiting: Vec::new(), bytes: 0, together: store.together() }
    }

    pub fn take(&mut self, object: ConvertedObject) -> Result<(), FileError> {
        self.bytes += object.body.len();
        self.waiting.push(object);
        if self.waiting.len() >= self.together || self.bytes >= GROUP_BYTES { self.empty() } else { Ok(()) }
    }

    /// Sends what waits.
    pub fn empty(&mut self) -> Result<(), FileError> {
        self.bytes = 0;
        let group = std::mem::take(&mut self.waiting);
        if group.is_empty() {
            return Ok(());
        }
        self.send.blocking_send(group).map_err(|_| FileError::GaveUp("its objects could not be stored".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Input;
    use crate::store::{Side, Url, open};
    use crds::wire::Access;

    fn folder(path: &std::path::Path) -> Store {
        open(Side::Destination, &Url::parse(&path.display().to_string()).unwrap(), &Access::default(), None).unwrap()
    }

    #[tokio::test]
    async fn objects_wait_until_they_are_worth_a_way() {
        let dir = tempfile::tempdir().unwrap();
        let store = folder(dir.path());
        for (what, sizes, expected) in [
            ("small ones by number", vec![1; 40], vec![16, 16, 8]),
            ("large ones by bytes", vec![700 << 10, 700 << 10, 2 << 20, 1], vec![2, 1, 1]),
            ("none", vec![], vec![]),
        ] {
            let (send, mut groups) = tokio::sync::mpsc::channel(40);
            let mut outlet = Outlet::new(send, &store);
            let told = tokio::task::spawn_blocking(move || {
                for size in sizes {
                    let body = Input::Memory(vec![0; size].into());
                    outlet.take(ConvertedObject { key: String::new(), body, rows: 1 }).unwrap();
                }
                outlet.empty().unwrap();
            });
            told.await.unwrap();
            let mut counts = Vec::new();
            while let Some(group) = groups.recv().await {
                counts.push(group.len());
            }
            assert_eq!(counts, expected, "{what}");
        }
    }

    #[tokio::test]
    async fn many_objects_are_told_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = folder(dir.path());
        let object = |number: usize| Unstaged {
            final_key: format!("final/{number}"),
            staged_key: format!("staged/{number}"),
            rows: number as u64,
            body: Body::Memory(vec![7; number].into()),
        };
        let staged = stage_all(&store, (0..100).map(object).collect()).await.unwrap();
        assert_eq!(staged.len(), 100);
        for (number, staged) in staged.into_iter().enumerate() {
            assert_eq!((staged.final_key, staged.rows, staged.bytes), (format!("final/{number}"), number as u64, number as u64));
            assert_eq!(store.head(&staged.staged_key).await.unwrap().unwrap().etag, staged.etag);
        }
    }
}
