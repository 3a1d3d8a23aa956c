//! Deletes many objects by few requests, and never another version than the one that was recorded.
//!
//! A request names up to 1,000 keys, each with its `ETag` where the server looks at it. A server that
//! does not is found out once by a probe; there the objects are looked at right before.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use tokio::sync::OnceCell;

use super::answers::KeyError;
use super::bucket::{Bucket, From, Patience, Refused, fits_xml};
use super::meter::Kind;
use super::{Listed, Store, StoreError, StoreErrorKind, absent_as_none};

/// Objects in one request, the most that S3 takes.
pub const DELETE_GROUP: usize = 1_000;
const AT_ONCE: usize = 16;
/// So few objects are looked at and deleted one by one: a probe would cost more.
const TOO_FEW: usize = 3;
/// Objects that one page of a listing must settle to be worth more than asking for each.
const DENSE: usize = 8;
/// An `ETag` that no object has.
const NOBODY: &str = "00000000000000000000000000000000";

/// What a bucket was found to do with deletes.
#[derive(Debug, Default)]
pub(super) struct Deletes {
    honours_etags: OnceCell<bool>,
    /// It knows no `DeleteObjects`.
    one_by_one: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// Whatever stands there.
    None,
    /// The server compares.
    Asked,
    /// We look right before.
    Looked,
}

/// A key and, if it matters, the `ETag` at which it may go.
type Target<'a> = (&'a str, Option<&'a str>);

impl Store {
    /// Deletes the object; one that is not there is no error.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let path = self.path("DeleteObject", key)?;
        self.asked(Kind::Delete);
        let gone = self.objects.delete(&path).await.map_err(|source| self.wrap("DeleteObject", key, &source));
        absent_as_none(gone).map(|_| ())
    }

    /// Deletes the object only while it has this `ETag`. Says whether it did.
    pub async fn delete_if(&self, key: &str, etag: &str) -> Result<bool, StoreError> {
        match self.recorded(key).await? {
            Some(there) if there == etag => self.delete(key).await.map(|()| true),
            _ => Ok(false),
        }
    }

    /// The `ETag` before a conditional delete; in a folder a part of that delete.
    async fn recorded(&self, key: &str) -> Result<Option<String>, StoreError> {
        match &self.bucket {
            Some(_) => Ok(self.head(key).await?.map(|head| head.etag)),
            None => Ok(self.version("DeleteObject", key).await?.map(|version| version.etag)),
        }
    }

    /// Deletes all of these, whatever their versions.
    pub async fn delete_all(&self, keys: &[String]) -> Result<(), StoreError> {
        let keys: Vec<Target<'_>> = keys.iter().map(|key| (key.as_str(), None)).collect();
        for group in keys.chunks(DELETE_GROUP) {
            self.delete_group(group, Condition::None).await?;
        }
        Ok(())
    }

    /// Deletes objects (key and `ETag`) only while they are what was recorded. Returns the keys at which
    /// something else stands now. `probe` is a key at which the store may be tried out, once.
    pub async fn delete_recorded(&self, objects: &[(&str, &str)], probe: &str) -> Result<Vec<String>, StoreError> {
        let objects: Vec<Target<'_>> = objects.iter().map(|(key, etag)| (*key, Some(*etag))).collect();
        let mut left = Vec::new();
        let known = self.deletes.honours_etags.get().copied();
        let condition = match (&self.bucket, known) {
            (Some(_), None) if objects.len() < TOO_FEW => return self.delete_each(&objects).await,
            (Some(bucket), _) if self.honours_etags(bucket, probe).await? => Condition::Asked,
            // A folder looks at each file as it comes to it.
            _ => Condition::Looked,
        };
        for group in objects.chunks(DELETE_GROUP) {
            left.extend(self.delete_group(group, condition).await?);
        }
        Ok(left)
    }

    /// Deletes all below a prefix.
    pub async fn delete_below(&self, prefix: &str) -> Result<(), StoreError> {
        self.delete_where(prefix, |_| true).await
    }

    /// Deletes those objects below a prefix that are meant.
    pub async fn delete_where(&self, prefix: &str, meant: impl Fn(&Listed) -> bool) -> Result<(), StoreError> {
        let listed = self.list(prefix).try_filter(|object| std::future::ready(meant(object))).map_ok(|object| object.key);
        let groups = listed.try_chunks(DELETE_GROUP).map_err(|broken| broken.1);
        groups.try_for_each(|keys| async move { self.delete_all(&keys).await }).await
    }

    /// One by one: what a folder does, and what every server can. Returns what was left.
    async fn delete_each(&self, objects: &[Target<'_>]) -> Result<Vec<String>, StoreError> {
        let left: Vec<Option<String>> = futures::stream::iter(objects.iter().copied())
            .map(|(key, etag)| async move {
                let Some(etag) = etag else { return self.delete(key).await.map(|()| None) };
                match self.recorded(key).await? {
                    Some(there) if there == etag => self.delete(key).await.map(|()| None),
                    Some(_) => Ok(Some(key.to_owned())),
                    None => Ok(None),
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(left.into_iter().flatten().collect())
    }

    /// Up to [`DELETE_GROUP`] objects by one request. Returns what was left.
    async fn delete_group(&self, objects: &[Target<'_>], condition: Condition) -> Result<Vec<String>, StoreError> {
        let Some(bucket) = self.bucket.as_ref().filter(|_| !self.deletes.one_by_one.load(Ordering::Relaxed)) else {
            return self.delete_each(objects).await;
        };
        // What XML cannot carry.
        let (mut rest, odd): (Vec<Target<'_>>, Vec<Target<'_>>) = objects.iter().partition(|(key, _)| fits_xml(key));
        let mut left = self.delete_each(&odd).await?;
        let mut patience = Patience::default();
        loop {
            if condition == Condition::Looked {
                let looked = self.look(bucket, &rest).await?;
                left.extend(looked.others);
                rest = looked.same;
            }
            if rest.is_empty() {
                return Ok(left);
            }
            let refused = match self.ask_to_delete(bucket, &rest, condition).await {
                Ok(errors) => {
                    rest = self.outcome(&rest, errors, &mut left)?;
                    if rest.is_empty() {
                        return Ok(left);
                    }
                    Refused::now("deleted in part only")
                }
                // Not what a server says who knows the request.
                Err(refused) if refused.kind == StoreErrorKind::Unavailable && !refused.again && condition != Condition::Asked => {
                    tracing::warn!(message = refused.message, "the store knows no DeleteObjects: objects are deleted one by one");
                    self.deletes.one_by_one.store(true, Ordering::Relaxed);
                    left.extend(self.delete_each(&rest).await?);
                    return Ok(left);
                }
                Err(refused) => refused,
            };
            let told = |refused: Refused| {
                let message = format!("{} ({} objects)", refused.message, rest.len());
                self.error("DeleteObjects", rest[0].0, refused.kind, message)
            };
            patience.bear(refused).await.map_err(told)?;
        }
    }

    async fn ask_to_delete(&self, bucket: &Bucket, objects: &[Target<'_>], condition: Condition) -> Result<Vec<KeyError>, Refused> {
        let full: Vec<String> = objects.iter().map(|(key, _)| format!("{}{key}", self.url.prefix())).collect();
        let asked = condition == Condition::Asked;
        let named: Vec<Target<'_>> = full.iter().zip(objects).map(|(key, (_, etag))| (key.as_str(), etag.filter(|_| asked))).collect();
        bucket.delete(&named).await
    }

    /// Sorts what a request left undone: other versions are left alone, what may pass is returned, and
    /// anything else is an error that names its key.
    fn outcome<'a>(&self, asked: &[Target<'a>], errors: Vec<KeyError>, left: &mut Vec<String>) -> Result<Vec<Target<'a>>, StoreError> {
        let root = self.url.prefix().len();
        let (mut again, mut refused) = (Vec::new(), Vec::new());
        for error in errors {
            let key = error.key.get(root..).unwrap_or_default();
            let why = Refused::of(200, &super::answers::ErrorAnswer { code: error.code.clone(), message: error.message.clone() });
            match asked.iter().find(|(asked, _)| *asked == key) {
                Some(_) if why.kind == StoreErrorKind::Changed => left.push(key.to_owned()),
                Some(target) if why.again => again.push(*target),
                _ => refused.push((key.to_owned(), why)),
            }
        }
        let more = refused.len().saturating_sub(1);
        match refused.into_iter().next() {
            Some((key, why)) => {
                let more = if more > 0 { format!(" (and {more} more objects)") } else { String::new() };
                Err(self.error("DeleteObjects", &key, why.kind, format!("{}{more}", why.message)))
            }
            None => Ok(again),
        }
    }

    /// Whether the server compares `ETag`s when it deletes, found out on an object of our own.
    async fn honours_etags(&self, bucket: &Bucket, probe: &str) -> Result<bool, StoreError> {
        let found = self.deletes.honours_etags.get_or_try_init(|| async {
            let put = self.put(probe, Bytes::from_static(b"probe")).await?;
            let kept = self.left_alone(bucket, probe, NOBODY).await?;
            let honours = kept && !self.left_alone(bucket, probe, &put.etag).await?;
            if !honours {
                self.delete(probe).await?;
                tracing::info!("the store does not compare ETags when it deletes: objects are looked at before");
            }
            Ok(honours)
        });
        found.await.copied()
    }

    async fn left_alone(&self, bucket: &Bucket, key: &str, etag: &str) -> Result<bool, StoreError> {
        let full = format!("{}{key}", self.url.prefix());
        // A server that does not know the element may refuse the request as a whole.
        let mut patience = Patience::default();
        loop {
            match bucket.delete(&[(full.as_str(), Some(etag))]).await {
                Ok(errors) => return Ok(errors.iter().any(|error| error.code == "PreconditionFailed")),
                Err(refused) if refused.kind == StoreErrorKind::Unavailable && !refused.again => return Ok(false),
                Err(refused) => patience.bear(refused).await.map_err(|refused| self.refused("DeleteObjects", key, refused))?,
            }
        }
    }

    /// Which of these are still what was recorded. Those that lie close together are told by pages of a
    /// listing that starts at the first of them, the others are asked for one by one.
    async fn look<'a>(&self, bucket: &Bucket, objects: &[Target<'a>]) -> Result<Looked<'a>, StoreError> {
        let mut sorted = objects.to_vec();
        sorted.sort_unstable();
        let mut looked = Looked::default();
        let mut rest = &sorted[..];
        while rest.len() >= DENSE {
            let (first, last) = (rest[0].0, rest[rest.len() - 1].0);
            let full = format!("{}{}", self.url.prefix(), common(first, last));
            let after = From::After(format!("{}{}", self.url.prefix(), just_before(first)));
            let page = self.page(bucket, &full, Some(&after), None).await?;
            let is_last = page.next().is_ok_and(|next| next.is_none());
            // What has no place in the order of keys would only break the search.
            let listed: Vec<Listed> = page.listed(self.url.prefix().len()).into_iter().filter(|object| !object.garbled).collect();
            let told = match listed.last() {
                Some(end) if !is_last => rest.partition_point(|(key, _)| *key <= end.key.as_str()),
                _ => rest.len(),
            };
            for target in &rest[..told] {
                let found = listed.binary_search_by(|object| object.key.as_str().cmp(target.0)).ok();
                looked.tell(*target, found.map(|at| listed[at].etag.as_str()));
            }
            rest = &rest[told..];
            if told < DENSE {
                break;
            }
        }
        let asked: Vec<(Target<'a>, Option<String>)> = futures::stream::iter(rest.iter().copied())
            .map(|target| async move { Ok::<_, StoreError>((target, self.recorded(target.0).await?)) })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        for (target, etag) in asked {
            looked.tell(target, etag.as_deref());
        }
        Ok(looked)
    }
}

#[derive(Debug, Default)]
struct Looked<'a> {
    same: Vec<Target<'a>>,
    others: Vec<String>,
}

impl<'a> Looked<'a> {
    fn tell(&mut self, target: Target<'a>, there: Option<&str>) {
        match there {
            None => {}
            Some(there) if Some(there) == target.1 => self.same.push(target),
            Some(_) => self.others.push(target.0.to_owned()),
        }
    }
}

/// What two keys begin with.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a.char_indices().zip(b.chars()).find(|((_, x), y)| x != y).map_or(a.len().min(b.len()), |((at, _), _)| at);
    &a[..end]
}

/// A key below `key` with little between the two.
fn just_before(key: &str) -> String {
    let mut before = key.to_owned();
    if let Some(lower) = before.pop().and_then(|last| char::from_u32(u32::from(last).saturating_sub(1))).filter(|lower| *lower >= ' ') {
        before.extend([lower, '~']);
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_begins_right_before_the_first_key() {
        for key in ["d/a=1/f.nc-0.parquet", "a", "é", " ", "d/x~", "\u{E000}"] {
            assert!(just_before(key).as_str() < key, "{key:?}");
        }
        assert_eq!(just_before("ab"), "aa~");
        assert_eq!(common("d/a=1/x", "d/a=2/x"), "d/a=");
        assert_eq!(common("d/é1", "d/è1"), "d/");
        assert_eq!(common("ab", "abc"), "ab");
    }
}
