//! Who owns an object that two files would write: equal basenames under different folders.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crds::wire::{FileRecord, Head, LedgerRecord, Outcome, PartRef, Plan};

use super::changes::{Change, Changes};
use crate::context::Context;
use crate::error::StageError;
use crate::ledger::{LedgerCursor, search};
use crate::source::{hash_of, name_hash};

/// A file converted in this run.
#[derive(Debug)]
pub(super) struct Claimant {
    pub key: String,
    pub finals: Vec<String>,
    /// Objects of its version that is in the dataset now: its own until it leaves them.
    pub holds: Vec<String>,
}

/// A file of the ledger that this run did not convert.
#[derive(Debug)]
pub(super) struct Holder {
    pub key: String,
    pub objects: Vec<String>,
    pub withdrawn: bool,
}

/// What the contest decides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdicts {
    /// Files that lost, and to whom.
    pub losers: BTreeMap<String, String>,
    /// Withdrawn files whose place a listed one takes.
    pub yielding: HashSet<String>,
    /// Objects of the contest and their owners from now on.
    pub owners: HashMap<String, String>,
    /// Names (their hashes) of files that were to be converted and were not: a withdrawn namesake
    /// stays until one of them can take its place.
    pub waited_for: HashSet<u64>,
}

/// Ledger's owner first, then the lowest key; a withdrawn holder gives way to a listed file. What a
/// file holds now stays its own unless it wins elsewhere and leaves it.
pub(super) fn settle(mut claimants: Vec<Claimant>, holders: &[Holder]) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for holder in holders.iter().filter(|holder| !holder.withdrawn) {
        verdicts.owners.extend(holder.objects.iter().map(|object| (object.clone(), holder.key.clone())));
    }
    for claimant in &claimants {
        verdicts.owners.extend(claimant.holds.iter().map(|object| (object.clone(), claimant.key.clone())));
    }
    claimants.sort_by(|a, b| a.holds.is_empty().cmp(&b.holds.is_empty()).then_with(|| a.key.cmp(&b.key)));
    let in_the_way = |owners: &HashMap<String, String>, claimant: &Claimant| {
        claimant.finals.iter().find_map(|object| owners.get(object).filter(|owner| **owner != claimant.key)).cloned()
    };
    // Whoever finds its place free takes it and leaves its old one, which may free another's place.
    while let Some(next) = claimants.iter().position(|claimant| in_the_way(&verdicts.owners, claimant).is_none()) {
        let winner = claimants.remove(next);
        verdicts.owners.retain(|_, owner| *owner != winner.key);
        verdicts.owners.extend(winner.finals.into_iter().map(|object| (object, winner.key.clone())));
    }
    for loser in claimants {
        let owner = in_the_way(&verdicts.owners, &loser).unwrap_or_default();
        verdicts.losers.insert(loser.key, owner);
    }
    for holder in holders.iter().filter(|holder| holder.withdrawn) {
        if holder.objects.iter().any(|object| verdicts.owners.contains_key(object)) {
            verdicts.yielding.insert(holder.key.clone());
        }
    }
    verdicts
}

/// How many files have a name, and which the last one was.
#[derive(Clone, Copy, Debug, Default)]
struct Named {
    count: u32,
    key: u64,
}

fn note(names: &mut HashMap<u64, Named>, name: u64, key: u64) {
    let last = names.entry(name).or_default();
    last.count += 1;
    last.key = key;
}

/// Looks for contests: first by hashes of names only, in memory that does not grow with the ledger,
/// then with all there is to know of the few that are contested.
pub(super) async fn contest(context: &Context, plan: &Plan, head: Option<&Head>) -> Result<Verdicts, StageError> {
    // The chunks of a grid have one owner each by plan.
    if context.config.grid.is_some() {
        return Ok(Verdicts::default());
    }
    let mut converted: HashMap<u64, Named> = HashMap::new();
    let mut waited_for: HashSet<u64> = HashSet::new();
    let mut changes = Changes::new(context, plan);
    while let Some(change) = changes.next().await? {
        match change {
            Change::File(file) if file.outcome == Outcome::Processed => {
                note(&mut converted, name_hash(&file.key), hash_of(&file.key));
            }
            Change::File(FileRecord { key, .. }) => {
                waited_for.insert(name_hash(&key));
            }
            Change::Other(file) if file.outcome == Outcome::Pending => {
                waited_for.insert(name_hash(&file.key));
            }
            Change::Other(_) => {}
        }
    }
    let mut known: HashMap<u64, Named> = HashMap::new();
    let parts = if converted.is_empty() { &[] } else { parts_of(head) };
    let names: Arc<HashSet<u64>> = Arc::new(converted.keys().copied().collect());
    let find = move |key: &str| Some((name_hash(key), hash_of(key))).filter(|(name, _)| names.contains(name));
    for (name, key) in search(&context.destination, parts, find).await? {
        note(&mut known, name, key);
    }
    let alone = |name: &u64, one: &Named| one.count == 1 && known.get(name).is_none_or(|known| known.count == 1 && known.key == one.key);
    let contested: HashSet<u64> = converted.iter().filter(|(name, one)| !alone(name, one)).map(|(name, _)| *name).collect();
    if contested.is_empty() {
        return Ok(Verdicts { waited_for, ..Verdicts::default() });
    }
    Ok(Verdicts { waited_for, ..decide(context, plan, head, &contested).await? })
}

async fn decide(context: &Context, plan: &Plan, head: Option<&Head>, contested: &HashSet<u64>) -> Result<Verdicts, StageError> {
    let mut published: HashMap<String, LedgerRecord> = HashMap::new();
    let mut ledger = LedgerCursor::new(&context.destination, parts_of(head), |_| false);
    while let Some(record) = ledger.next_below(None).await? {
        if record.published.is_some() && contested.contains(&name_hash(&record.key)) {
            published.insert(record.key.clone(), record);
        }
    }
    let (mut claimants, mut leaving) = (Vec::new(), HashSet::new());
    let mut changes = Changes::new(context, plan);
    while let Some(change) = changes.next().await? {
        if !contested.contains(&name_hash(change.key())) {
            continue;
        }
        match change {
            Change::File(file) if file.outcome == Outcome::Processed => {
                let holds = objects(published.remove(&file.key).filter(|record| !record.withdrawn));
                let finals = file.objects.into_iter().map(|object| object.final_key).collect();
                claimants.push(Claimant { key: file.key, finals, holds });
            }
            Change::Other(file) if file.outcome == Outcome::Withdrawn => {
                leaving.insert(file.key);
            }
            Change::File(_) | Change::Other(_) => {}
        }
    }
    let holders: Vec<Holder> = published
        .into_iter()
        .map(|(key, record)| Holder { withdrawn: record.withdrawn || leaving.contains(&key), key, objects: objects(Some(record)) })
        .collect();
    Ok(settle(claimants, &holders))
}

fn parts_of(head: Option<&Head>) -> &[PartRef] {
    head.map_or(&[], |head| &head.parts)
}

fn objects(record: Option<LedgerRecord>) -> Vec<String> {
    let published = record.and_then(|record| record.published).into_iter();
    published.flat_map(|published| published.objects).map(|object| object.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant(key: &str, finals: &[&str], holds: &[&str]) -> Claimant {
        let owned = |objects: &[&str]| objects.iter().map(|object| (*object).to_owned()).collect();
        Claimant { key: key.into(), finals: owned(finals), holds: owned(holds) }
    }

    fn holder(key: &str, objects: &[&str], withdrawn: bool) -> Holder {
        Holder { key: key.into(), objects: objects.iter().map(|object| (*object).into()).collect(), withdrawn }
    }

    fn losers(verdicts: &Verdicts) -> Vec<(&str, &str)> {
        verdicts.losers.iter().map(|(loser, winner)| (loser.as_str(), winner.as_str())).collect()
    }

    #[test]
    fn equal_basenames_in_different_partitions_are_legal() {
        let verdicts = settle(vec![claimant("x/a.nc", &["p=1/a"], &[]), claimant("y/a.nc", &["p=2/a"], &[])], &[]);
        assert!(verdicts.losers.is_empty());
    }

    #[test]
    fn the_ledgers_owner_wins_then_the_lowest_key() {
        let two = || vec![claimant("x/a.nc", &["a"], &[]), claimant("y/a.nc", &["a"], &[])];
        assert_eq!(losers(&settle(two(), &[])), [("y/a.nc", "x/a.nc")]);
        let owner = vec![claimant("x/a.nc", &["a"], &[]), claimant("y/a.nc", &["a"], &["a"])];
        assert_eq!(losers(&settle(owner, &[])), [("x/a.nc", "y/a.nc")]);
        let held = settle(vec![claimant("x/a.nc", &["a"], &[])], &[holder("z/a.nc", &["a"], false)]);
        assert_eq!(losers(&held), [("x/a.nc", "z/a.nc")]);
    }

    #[test]
    fn a_withdrawn_owner_gives_way() {
        let verdicts = settle(vec![claimant("new/a.nc", &["a"], &[])], &[holder("old/a.nc", &["a"], true)]);
        assert!(verdicts.losers.is_empty());
        assert!(verdicts.yielding.contains("old/a.nc"));
    }

    #[test]
    fn a_loser_takes_nothing_with_it() {
        let claimants = vec![claimant("1/a.nc", &["k"], &[]), claimant("2/a.nc", &["k", "l"], &[]), claimant("3/a.nc", &["l"], &[])];
        assert_eq!(losers(&settle(claimants, &[])), [("2/a.nc", "1/a.nc")]);
    }

    #[test]
    fn a_published_object_is_its_owners_until_it_leaves_it() {
        let stays = vec![claimant("a/f.nc", &["may"], &["jan"]), claimant("b/f.nc", &["may"], &["may"])];
        let verdicts = settle(stays, &[]);
        assert_eq!(losers(&verdicts), [("a/f.nc", "b/f.nc")]);
        assert_eq!(verdicts.owners["jan"], "a/f.nc", "the loser keeps what it has");
        let leaves = vec![claimant("a/f.nc", &["may"], &["jan"]), claimant("b/f.nc", &["june"], &["may"])];
        assert!(settle(leaves, &[]).losers.is_empty());
        let swapped = vec![claimant("a/f.nc", &["may"], &["jan"]), claimant("b/f.nc", &["jan"], &["may"])];
        assert_eq!(settle(swapped, &[]).losers.len(), 2, "each waits for the other: both stay as they are");
        let third = vec![claimant("a/f.nc", &["may"], &["jan"]), claimant("b/f.nc", &["may"], &["may"]), claimant("c/f.nc", &["jan"], &[])];
        assert_eq!(losers(&settle(third, &[])), [("a/f.nc", "b/f.nc"), ("c/f.nc", "a/f.nc")]);
    }
}
