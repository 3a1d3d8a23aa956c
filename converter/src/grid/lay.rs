//! Where the rows of files go: decided once, for all files of a run, from their times alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crds::wire::{GridRows, Owner, Place};

/// Times that lie no further apart are one: a millisecond.
pub const SAME_TIME: i64 = 1_000_000;

/// A file that is to be converted.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub owner: Owner,
    /// Of its rows, in nanoseconds since 1970.
    pub times: Vec<i64>,
}

/// What becomes of the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Laid {
    /// Times and owners after the run; the numbers of the time array are not known here.
    pub times: Vec<i64>,
    pub owners: Vec<Option<u32>>,
    /// Of each row that more than one file has: those that lost it.
    pub rivals: BTreeMap<u64, Vec<u32>>,
    pub files: Vec<Owner>,
    /// For each incoming file where its rows go; none of those that lost them to a newer file.
    pub places: Vec<Vec<Place>>,
    /// For each row behind those published before: the incoming file and the row in it.
    pub new_rows: Vec<(usize, usize)>,
    /// Files that have no row any more, since newer ones have the same times: incoming ones and published ones.
    pub superseded: BTreeSet<String>,
    /// Published rows that are to be filled with nothing.
    pub masked: BTreeSet<u64>,
    /// Published rows that the new version of a file leaves: they stay if it cannot be converted and no other has them.
    pub left: BTreeMap<u64, usize>,
    /// Published rows whose file is gone, or has no row any more, and has nothing to say of them.
    pub gone: BTreeSet<u64>,
    /// When rows do not stay where they were laid: where each came from.
    pub order: Option<Vec<usize>>,
}

/// A time that files claim.
#[derive(Clone, Copy)]
struct Claim {
    time: i64,
    file: usize,
    row: usize,
}

fn newer(one: &Owner, two: &Owner) -> bool {
    (one.modified, &one.key) > (two.modified, &two.key)
}

/// Lays the rows of `incoming` files. `gone` are the keys of published files whose rows are to go, `absent` those
/// of files that are withdrawn and whose rows stay: they give way to any file that is there.
///
/// A time that the store has goes to its row, any other behind the last, in ascending order. Of two files
/// with one time the newer has it, and of two equally new ones the one with the higher key.
#[must_use]
pub fn lay(rows: &GridRows, incoming: &[Incoming], gone: &BTreeSet<&str>, absent: &BTreeSet<&str>) -> Laid {
    let comes: HashSet<&str> = incoming.iter().map(|file| file.owner.key.as_str()).collect();
    let mut laid = Laid { times: rows.times.clone(), places: vec![Vec::new(); incoming.len()], ..Laid::default() };
    // Files by number: those of the store as they are there, then the incoming ones.
    let files: Vec<&Owner> = rows.files.iter().chain(incoming.iter().map(|file| &file.owner)).collect();
    let of_incoming = |file: usize| (rows.files.len() + file) as u32;
    let stays: Vec<bool> =
        rows.files.iter().map(|owner| !comes.contains(owner.key.as_str()) && !gone.contains(owner.key.as_str())).collect();
    let stays = |file: u32| stays.get(file as usize).copied().unwrap_or(false);
    let before: Vec<Option<u32>> =
        (0..rows.len()).map(|row| rows.owners.get(row).copied().flatten().filter(|file| (*file as usize) < rows.files.len())).collect();
    let mut owners = before.clone();
    let mut rivals: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for (&row, of_row) in &rows.rivals {
        rivals.insert(row as usize, of_row.iter().copied().filter(|rival| stays(*rival)).collect());
    }
    // Rows of files that come anew or go are free until somebody claims them.
    for (row, owner) in owners.iter_mut().enumerate() {
        if owner.is_some_and(|owner| !stays(owner)) {
            *owner = None;
            laid.masked.insert(row as u64);
        }
    }
    let mut by_time: Vec<(i64, usize)> = rows.times.iter().enumerate().map(|(row, &time)| (time, row)).collect();
    by_time.sort_unstable();
    let row_of = |time: i64| {
        let at = by_time.partition_point(|(known, _)| *known < time.saturating_sub(SAME_TIME));
        by_time.get(at).filter(|(known, _)| *known <= time.saturating_add(SAME_TIME)).map(|&(_, row)| row)
    };
    let mut claims: Vec<Claim> = incoming
        .iter()
        .enumerate()
        .flat_map(|(file, incoming)| incoming.times.iter().enumerate().map(move |(row, &time)| Claim { time, file, row }))
        .collect();
    claims.sort_by_key(|claim| (claim.time, claim.file, claim.row));

    let mut taken: BTreeMap<usize, Claim> = BTreeMap::new();
    let mut start = 0;
    while start < claims.len() {
        let time = claims[start].time;
        let end = start + claims[start..].iter().take_while(|claim| claim.time.saturating_sub(time) <= SAME_TIME).count();
        let winner = claims[start..end]
            .iter()
            .copied()
            .reduce(|best, claim| if newer(&incoming[claim.file].owner, &incoming[best.file].owner) { claim } else { best });
        let contenders = &claims[std::mem::replace(&mut start, end)..end];
        let Some(claim) = winner else { continue };
        let owner = &incoming[claim.file].owner;
        let row = row_of(claim.time).unwrap_or_else(|| {
            laid.times.push(claim.time);
            owners.push(None);
            laid.new_rows.push((claim.file, claim.row));
            owners.len() - 1
        });
        let losers = contenders.iter().filter(|loser| incoming[loser.file].owner.key != owner.key);
        let lost = rivals.entry(row).or_default();
        lost.extend(losers.map(|loser| of_incoming(loser.file)));
        match owners[row].map(|held| (held, files[held as usize])) {
            Some((_, held)) if !absent.contains(held.key.as_str()) && newer(held, owner) => lost.push(of_incoming(claim.file)),
            held => {
                lost.extend(held.map(|(held, _)| held));
                owners[row] = Some(of_incoming(claim.file));
                laid.masked.remove(&(row as u64));
                taken.insert(row, claim);
            }
        }
    }
    for (to, claim) in taken {
        one(claim.row as u64, to as u64).push_to(&mut laid.places[claim.file]);
    }
    for (file, places) in incoming.iter().zip(&mut laid.places) {
        places.sort_by_key(|place| place.from);
        if places.is_empty() && !file.times.is_empty() {
            laid.superseded.insert(file.owner.key.clone());
        }
    }
    let at: HashMap<&str, usize> = incoming.iter().enumerate().map(|(at, file)| (file.owner.key.as_str(), at)).collect();
    for (row, held) in before.iter().enumerate().filter(|(row, held)| owners[*row] != **held) {
        let Some(held) = held.map(|held| files[held as usize]) else { continue };
        if owners[row].is_some_and(|owner| files[owner as usize].key == held.key) {
            continue;
        }
        match at.get(held.key.as_str()) {
            // A newer one has taken it; should that fail, what is published is right.
            Some(&file) if incoming[file].owner.etag == held.etag => {}
            Some(&file) if !laid.places[file].is_empty() => drop(laid.left.insert(row as u64, file)),
            None if !gone.contains(held.key.as_str()) => {}
            _ => drop(laid.gone.insert(row as u64)),
        }
    }
    laid.superseded.extend(without_rows(&files, &before, &owners, stays));
    laid.number(&files, &owners, &rivals);
    laid
}

/// The keys of files that stay and had rows, and have none now.
fn without_rows(files: &[&Owner], before: &[Option<u32>], after: &[Option<u32>], stays: impl Fn(u32) -> bool) -> Vec<String> {
    let mut owns = vec![false; files.len()];
    after.iter().flatten().for_each(|owner| owns[*owner as usize] = true);
    let lost: BTreeSet<u32> = before.iter().flatten().copied().filter(|file| !owns[*file as usize] && stays(*file)).collect();
    if lost.is_empty() {
        return Vec::new();
    }
    // Another version of the file may have some.
    let left: HashSet<&str> = after.iter().flatten().map(|owner| files[*owner as usize].key.as_str()).collect();
    lost.into_iter().map(|file| &files[file as usize].key).filter(|key| !left.contains(key.as_str())).cloned().collect()
}

/// Puts the rows in the order of their times, wherever they were laid.
#[must_use]
pub fn sort(mut laid: Laid) -> Laid {
    let mut order: Vec<usize> = (0..laid.times.len()).collect();
    order.sort_by_key(|&row| laid.times[row]);
    let mut to = vec![0; order.len()];
    for (at, &from) in order.iter().enumerate() {
        to[from] = at as u64;
    }
    if to.is_sorted() {
        return laid;
    }
    let to = |row: u64| to[row as usize];
    laid.times = order.iter().map(|&row| laid.times[row]).collect();
    laid.owners = order.iter().map(|&row| laid.owners[row]).collect();
    laid.rivals = laid.rivals.into_iter().map(|(row, rivals)| (to(row), rivals)).collect();
    laid.left = laid.left.into_iter().map(|(row, file)| (to(row), file)).collect();
    laid.masked = laid.masked.into_iter().map(to).collect();
    laid.gone = laid.gone.into_iter().map(to).collect();
    for places in &mut laid.places {
        let rows = std::mem::take(places).into_iter().flat_map(|place| (0..place.count).map(move |row| (place.from + row, place.to + row)));
        rows.for_each(|(from, row)| one(from, to(row)).push_to(places));
    }
    laid.order = Some(order);
    laid
}

impl Laid {
    /// Takes over owners and rivals, the files that are left numbered in the order they come.
    fn number(&mut self, files: &[&Owner], owners: &[Option<u32>], rivals: &BTreeMap<usize, Vec<u32>>) {
        let mut numbers = Numbers::of(files.len());
        self.owners = owners.iter().map(|owner| owner.map(|file| numbers.number(file as usize, files[file as usize]))).collect();
        self.rivals = numbers.rivals(rivals.iter().map(|(row, rivals)| {
            let numbered = rivals.iter().map(|&file| (file as usize, files[file as usize]));
            (*row, numbered.collect())
        }));
        self.files = numbers.files;
    }

    /// Where the first `before` rows stand, ascending; nothing when all stay where they are.
    #[must_use]
    pub fn moved(&self, before: u64) -> Vec<Place> {
        let mut moved = Vec::new();
        for (to, &from) in self.order.iter().flatten().enumerate().filter(|(_, from)| (**from as u64) < before) {
            one(from as u64, to as u64).push_to(&mut moved);
        }
        moved
    }
}

/// The files that a run must read again, though they are as they were: each row belongs to the newest of the files
/// that are listed and have its time, and its owner went, or is older. `standing` says which files are listed.
#[must_use]
pub fn returning(laid: &Laid, absent: &BTreeSet<&str>, standing: impl Fn(&Owner) -> bool) -> BTreeSet<String> {
    let mut returning = BTreeSet::new();
    for (&row, rivals) in &laid.rivals {
        let owner = laid.owners[row as usize].map(|owner| &laid.files[owner as usize]);
        let owner = owner.filter(|owner| !absent.contains(owner.key.as_str()));
        let rivals = rivals.iter().map(|&rival| &laid.files[rival as usize]).filter(|rival| standing(rival));
        let newest = rivals.reduce(|best, rival| if newer(rival, best) { rival } else { best });
        returning.extend(newest.filter(|rival| owner.is_none_or(|owner| newer(rival, owner))).map(|rival| rival.key.clone()));
    }
    returning
}

/// Numbers files anew, in the order they come.
#[derive(Debug)]
pub struct Numbers {
    /// By old number the new one.
    of: Vec<Option<u32>>,
    pub files: Vec<Owner>,
}

impl Numbers {
    #[must_use]
    pub fn of(files: usize) -> Self {
        Self { of: vec![None; files], files: Vec::new() }
    }

    pub fn number(&mut self, was: usize, file: &Owner) -> u32 {
        *self.of[was].get_or_insert_with(|| {
            self.files.push(file.clone());
            self.files.len() as u32 - 1
        })
    }

    /// Of rows that have any.
    pub fn rivals<'a>(&mut self, rivals: impl Iterator<Item = (usize, Vec<(usize, &'a Owner)>)>) -> BTreeMap<u64, Vec<u32>> {
        let mut numbered = BTreeMap::new();
        for (row, rivals) in rivals {
            let mut rivals: Vec<u32> = rivals.into_iter().map(|(was, rival)| self.number(was, rival)).collect();
            rivals.sort_unstable();
            rivals.dedup();
            if !rivals.is_empty() {
                numbered.insert(row as u64, rivals);
            }
        }
        numbered
    }
}

fn one(from: u64, to: u64) -> Place {
    Place { from, to, count: 1 }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const SECOND: i64 = 1_000_000_000;

    pub fn file(key: &str, modified: i64, times: &[i64]) -> Incoming {
        Incoming {
            owner: Owner { key: key.into(), etag: String::new(), modified, site: None },
            times: times.iter().map(|t| t * SECOND).collect(),
        }
    }

    /// The rows after a run, as `time owner` words, a masked row with `-`.
    fn after(laid: &Laid) -> String {
        let word = |(row, time): (usize, &i64)| {
            let owner = laid.owners[row].map_or("-", |owner| laid.files[owner as usize].key.as_str());
            format!("{}{owner}", time / SECOND)
        };
        laid.times.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
    }

    pub fn rows(laid: &Laid) -> GridRows {
        let (times, owners, rivals, files) = (laid.times.clone(), laid.owners.clone(), laid.rivals.clone(), laid.files.clone());
        GridRows { times, owners, rivals, files, ..GridRows::default() }
    }

    fn chain(runs: &[(&[Incoming], &[&str])]) -> Laid {
        let mut laid = Laid::default();
        for (incoming, gone) in runs {
            laid = lay(&rows(&laid), incoming, &gone.iter().copied().collect(), &BTreeSet::new());
        }
        laid
    }

    #[test]
    fn rows_go_where_their_times_say() {
        let a = || file("a", 1, &[1, 3]);
        let b = || file("b", 2, &[2]);
        for (what, runs, expected, superseded) in [
            ("a first run sorts", vec![(vec![b(), a()], vec![])], "1a 2b 3a", vec![]),
            ("later rows are appended", vec![(vec![b()], vec![]), (vec![a()], vec![])], "2b 1a 3a", vec![]),
            ("the newer file has a time that two have", vec![(vec![a(), file("n", 5, &[3])], vec![])], "1a 3n", vec![]),
            ("it has it in a later run too", vec![(vec![a()], vec![]), (vec![file("n", 5, &[1, 3])], vec![])], "1n 3n", vec!["a"]),
            ("an older one does not", vec![(vec![a()], vec![]), (vec![file("o", 0, &[3])], vec![])], "1a 3a", vec!["o"]),
            ("of equally new ones the higher key", vec![(vec![file("x", 1, &[1]), file("y", 1, &[1])], vec![])], "1y", vec!["x"]),
            (
                "one that was reissued with other times",
                vec![(vec![a()], vec![]), (vec![file("a", 9, &[3, 4])], vec![])],
                "1- 3a 4a",
                vec![],
            ),
            ("one that is gone", vec![(vec![a(), b()], vec![]), (vec![], vec!["a"])], "1- 2b 3-", vec![]),
            ("a masked row is filled", vec![(vec![a()], vec![]), (vec![], vec!["a"]), (vec![file("c", 0, &[3])], vec![])], "1- 3c", vec![]),
            ("a time twice in one file counts once", vec![(vec![file("t", 1, &[1, 1, 2])], vec![])], "1t 2t", vec![]),
        ] {
            let runs: Vec<(&[Incoming], &[&str])> = runs.iter().map(|(files, gone)| (files.as_slice(), gone.as_slice())).collect();
            let laid = chain(&runs);
            assert_eq!(after(&laid), expected, "{what}");
            assert_eq!(laid.superseded.iter().map(String::as_str).collect::<Vec<_>>(), superseded, "{what}");
        }
    }

    #[test]
    fn who_lost_a_row_returns_when_it_is_free() {
        let first = || chain(&[(&[file("a", 1, &[1, 2]), file("b", 2, &[2]), file("c", 3, &[2])], &[])]);
        let all = |_: &Owner| true;
        for (what, incoming, gone, absent, expected) in [
            ("nothing happens", vec![], vec![], vec![], vec![]),
            ("the owner goes", vec![], vec!["c"], vec![], vec!["b"]),
            ("it gives the time up", vec![file("c", 4, &[9])], vec![], vec![], vec!["b"]),
            ("it is not listed, its rows stay", vec![], vec![], vec!["c"], vec!["b"]),
            ("it becomes the older one", vec![file("c", 0, &[2])], vec![], vec![], vec!["b"]),
            ("another takes it that is older than one that lost", vec![file("d", 1, &[2])], vec!["c"], vec![], vec!["b"]),
            ("another takes it that is newer", vec![file("d", 5, &[2])], vec!["c"], vec![], vec![]),
            ("both go", vec![], vec!["b", "c"], vec![], vec!["a"]),
        ] {
            let absent = absent.into_iter().collect();
            let laid = lay(&rows(&first()), &incoming, &gone.into_iter().collect(), &absent);
            assert_eq!(returning(&laid, &absent, all).iter().map(String::as_str).collect::<Vec<_>>(), expected, "{what}");
        }
        assert!(returning(&chain(&[(&[file("a", 1, &[1])], &[])]), &BTreeSet::new(), all).is_empty());
        let gone = lay(&rows(&first()), &[], &BTreeSet::from(["c"]), &BTreeSet::new());
        let but_b = |file: &Owner| file.key != "b";
        assert_eq!(returning(&gone, &BTreeSet::new(), but_b), BTreeSet::from(["a".to_owned()]), "the newest that is listed");
    }

    #[test]
    fn a_late_day_goes_where_its_time_is() {
        let first = lay(&GridRows::default(), &[file("a", 1, &[1, 2, 5, 6])], &BTreeSet::new(), &BTreeSet::new());
        let late = [file("b", 1, &[4, 7, 3]), file("c", 2, &[2])];
        let laid = sort(lay(&rows(&first), &late, &BTreeSet::from(["a"]), &BTreeSet::new()));
        assert_eq!(after(&laid), "1- 2c 3b 4b 5- 6- 7b");
        assert_eq!(laid.places[0], [(0, 3), (1, 6), (2, 2)].map(|(from, to)| Place { from, to, count: 1 }));
        assert_eq!((laid.masked.clone(), laid.gone.clone()), (BTreeSet::from([0, 4, 5]), BTreeSet::from([0, 1, 4, 5])));
        assert_eq!(laid.moved(4), [Place { from: 0, to: 0, count: 2 }, Place { from: 2, to: 4, count: 2 }]);
        assert!(sort(first).order.is_none(), "in order already");
    }

    #[test]
    fn times_match_within_a_millisecond() {
        let first = lay(&GridRows::default(), &[file("a", 1, &[1])], &BTreeSet::new(), &BTreeSet::new());
        let near = Incoming {
            owner: Owner { key: "n".into(), etag: String::new(), modified: 2, site: None },
            times: vec![SECOND + 999_000, 2 * SECOND],
        };
        let laid = lay(&rows(&first), &[near], &BTreeSet::new(), &BTreeSet::new());
        assert_eq!(after(&laid), "1n 2n");
        assert_eq!(laid.places, [[Place { from: 0, to: 0, count: 2 }]]);
        // As far apart as numbers reach they are two.
        let far = [file("x", 1, &[]), file("y", 1, &[])].map(|file| Incoming { times: vec![i64::MIN, i64::MAX], ..file });
        assert_eq!(lay(&GridRows::default(), &far, &BTreeSet::new(), &BTreeSet::new()).times, [i64::MIN, i64::MAX]);
    }
}
