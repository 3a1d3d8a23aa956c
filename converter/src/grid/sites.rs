//! Two sites cannot share a time: which files have one of another site's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crds::wire::{GridRows, Owner, Site};

use super::lay::{Incoming, SAME_TIME};

/// Sites by number: most files are of one.
#[derive(Debug, Default)]
pub struct Sites {
    pub all: Vec<Site>,
    of: HashMap<String, u32>,
}

impl Sites {
    #[must_use]
    pub fn of(known: &[Site]) -> Self {
        let mut sites = Self::default();
        for site in known {
            sites.number(site);
        }
        sites
    }

    pub fn number(&mut self, site: &Site) -> Option<u32> {
        if site.is_nowhere() {
            return None;
        }
        let number = self.of.entry(format!("{site:?}")).or_insert_with(|| {
            self.all.push(site.clone());
            self.all.len() as u32 - 1
        });
        Some(*number)
    }
}

/// The incoming files that have a time of a file of another site, each with what differs: one that has rows in the
/// store already stays, then the one with the lowest key.
#[must_use]
pub fn conflicts(rows: &GridRows, sites: &[Site], incoming: &[Incoming], gone: &BTreeSet<&str>) -> BTreeMap<usize, String> {
    let comes: HashMap<&str, usize> = incoming.iter().enumerate().map(|(at, file)| (file.owner.key.as_str(), at)).collect();
    let of_file: Vec<Option<usize>> = rows.files.iter().map(|file| comes.get(file.key.as_str()).copied()).collect();
    let mut times: Vec<i64> = incoming.iter().flat_map(|file| &file.times).copied().collect();
    times.sort_unstable();
    let is_near = |time: i64| {
        let at = times.partition_point(|coming| *coming < time.saturating_sub(SAME_TIME));
        times.get(at).is_some_and(|coming| *coming <= time.saturating_add(SAME_TIME))
    };
    // What incoming files have in the store, and the times of others there that may be theirs too.
    let mut published: Vec<Option<Vec<(i64, &Owner)>>> = vec![None; incoming.len()];
    let mut there: BTreeMap<i64, &Owner> = BTreeMap::new();
    for (&time, &number) in rows.times.iter().zip(&rows.owners) {
        let Some((number, owner)) = number.and_then(|number| Some((number as usize, rows.files.get(number as usize)?))) else { continue };
        let own = of_file[number].map(|file| published[file].get_or_insert_default());
        if is_near(time) {
            match own {
                Some(own) => own.push((time, owner)),
                None if !gone.contains(owner.key.as_str()) => stand_at(&mut there, [(time, owner)].into_iter()),
                None => {}
            }
        }
    }
    let mut order: Vec<usize> = (0..incoming.len()).collect();
    order.sort_by_key(|&file| (published[file].is_none(), &incoming[file].owner.key));
    let mut conflicts = BTreeMap::new();
    for file in order {
        let Incoming { owner, times } = &incoming[file];
        let mut others = times.iter().flat_map(|&time| there.range(time.saturating_sub(SAME_TIME)..=time.saturating_add(SAME_TIME)));
        let differs = |other: &Owner| {
            let (own, other) = (sites.get(owner.site? as usize)?, sites.get(other.site? as usize)?);
            own.differs(other).map(|(what, own, other)| (what.to_owned(), own, other))
        };
        let conflict = others.find_map(|(_, other)| Some((differs(other)?, other)));
        if let Some(((what, own, others), other)) = conflict {
            let key = &other.key;
            conflicts.insert(file, format!("its {what} is {own:?}, and {key:?}, which has one of its times, has {others:?}"));
            stand_at(&mut there, published[file].iter().flatten().copied());
        } else {
            stand_at(&mut there, times.iter().map(|&time| (time, owner)));
        }
    }
    conflicts
}

/// Who says nothing of its site keeps nobody away.
fn stand_at<'a>(there: &mut BTreeMap<i64, &'a Owner>, times: impl Iterator<Item = (i64, &'a Owner)>) {
    for (time, owner) in times.filter(|(_, owner)| owner.site.is_some()) {
        there.entry(time).or_insert(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::lay::lay;
    use crate::grid::lay::tests::{file, rows};

    #[test]
    fn two_sites_do_not_share_a_time() {
        let site = |code: &str, latitude: f64, longitude: f64| Site {
            codes: BTreeMap::from([("site_code".to_owned(), code.to_owned())]),
            position: BTreeMap::from([("latitude".to_owned(), latitude), ("longitude".to_owned(), longitude)]),
        };
        let sites = [site("A", -32.0, 179.98), site("A", -32.05, -179.99), site("B", -32.0, 179.98), site("A", -33.0, 179.98)];
        let at = |key, modified, times: &[i64], of: u32| {
            let mut file = file(key, modified, times);
            file.owner.site = Some(of);
            file
        };
        let first = lay(&GridRows::default(), &[at("m", 1, &[1, 2], 0)], &BTreeSet::new(), &BTreeSet::new());
        for (what, incoming, expected) in [
            ("of one site", vec![at("b", 2, &[2], 1)], None),
            ("of another", vec![at("b", 2, &[3, 2], 2)], Some((0, "\"B\", and \"m\""))),
            ("far away", vec![at("b", 2, &[2], 3)], Some((0, "latitude is \"-33\""))),
            ("at another time", vec![at("b", 2, &[3], 2)], None),
            ("that says nothing", vec![file("f", 1, &[1])], None),
            ("that comes anew", vec![at("m", 2, &[1], 2)], None),
            ("the one in the store stays, whatever the keys", vec![at("b", 2, &[2], 2), at("m", 1, &[1, 2], 0)], Some((0, "\"m\""))),
            ("of the end of time", vec![Incoming { times: vec![i64::MAX, i64::MIN], ..at("b", 2, &[], 2) }], None),
        ] {
            let found = conflicts(&rows(&first), &sites, &incoming, &BTreeSet::new());
            assert_eq!(found.is_empty(), expected.is_none(), "{what}: {found:?}");
            let fits = |(at, found): (&usize, &String)| expected.is_some_and(|(who, words)| *at == who && found.contains(words));
            assert!(found.iter().all(fits), "{what}: {found:?}");
        }
        let two = [at("z", 1, &[7], 0), at("y", 2, &[7], 2)];
        assert_eq!(conflicts(&GridRows::default(), &sites, &two, &BTreeSet::new()).into_keys().collect::<Vec<_>>(), [0]);
    }
}
