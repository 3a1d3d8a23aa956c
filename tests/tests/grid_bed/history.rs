//! Random histories of a source, and of what befalls the runs over it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use converter::commit::commit;
use converter::convert::convert;
use converter::error::StageError;
use converter::failpoint::{FailPoint, FailPoints};
use converter::plan::plan;
use crds::wire::{Batch, Digest};
use tests::fixtures::{Clock, Container, Random};

use super::model::{Kind, Version};
use super::{GridBed, Knobs, OTHERS};

/// Microseconds.
const DAY: i64 = 86_400_000_000;
/// Two have one name.
const KEYS: [&str; 9] = ["a/1.nc", "a/2.nc", "a/3.nc", "a/4.nc", "b/1.nc", "b/2.nc", "b/5.nc", "b/6.nc", "b/7.nc"];

/// Plays the history of a seed: some runs with changes between them, the books and the store held against the model
/// after each.
pub async fn play(seed: u64) -> Result<()> {
    let mut random = Random::new(seed);
    let knobs = Knobs {
        latitudes: 1 + random.below(5) as usize,
        longitudes: 1 + random.below(6) as usize,
        chunks: chunks(&mut random),
        removing: random.below(2) == 0,
        sorted: random.below(3) == 0,
        max_files: 1 + random.below(4) as u32,
        incumbent: false,
        // Mostly few: what holds for one holds for the others, and there are more histories in the same time.
        others: [&["COUNT"][..], &["EXTRA"], &["NOTE"], &["SPEED"], &["DEPTH"], &OTHERS][random.below(6) as usize],
    };
    let mut history = History { grid: GridBed::new(knobs)?, random, old: BTreeMap::new(), told: Vec::new() };
    let runs = 3 + history.random.below(3);
    for run in 0..runs {
        history.told.push(format!("-- run {run}"));
        let played = history.turn().await;
        played.with_context(|| format!("{knobs:?}\n{}", history.told.join("\n")))?;
    }
    Ok(())
}

fn chunks(random: &mut Random) -> [u64; 3] {
    [1 + random.below(6), 1 + random.below(4), 1 + random.below(4)]
}

/// Days of a dataset, as times.
pub fn days(days: &[i64]) -> Vec<i64> {
    days.iter().map(|day| (12_000 + day) * DAY).collect()
}

struct History {
    grid: GridBed,
    random: Random,
    /// Versions that were there before.
    old: BTreeMap<String, Vec<Version>>,
    /// What happened, for whoever must understand a failure.
    told: Vec<String>,
}

impl History {
    async fn turn(&mut self) -> Result<()> {
        let changes = if self.grid.model.founded { self.random.below(5) } else { 3 };
        for _ in 0..changes {
            self.change()?;
        }
        self.disturbed().await?;
        if self.random.below(4) == 0 {
            self.told.push("another, and an idle one".to_owned());
            // One that gave way to a file that failed comes back a run later.
            while self.grid.run().await?.tried > 0 {}
            self.grid.idle().await?;
            if self.random.below(2) == 0 && self.grid.model.can_be_rebuilt(&self.grid.source) {
                self.rebuilt().await?;
            }
        }
        Ok(())
    }

    /// Written anew with other chunks; the first attempt stops somewhere.
    async fn rebuilt(&mut self) -> Result<()> {
        let (run, chunks) = (self.grid.next_run(), chunks(&mut self.random));
        let point = self.point();
        self.told.push(format!("rebuilt with chunks {chunks:?}, stopped at {point}"));
        self.grid.rebuild(chunks, &run)?;
        let stopped = self.grid.bed.attempt(&run, 0, FailPoints::stop_at(point)).await;
        ensure!(matches!(stopped, Ok(_) | Err(StageError::FailPoint(_))), "{stopped:?}");
        let digest = self.grid.bed.attempt(&run, 0, FailPoints::none()).await?;
        let expected = self.grid.model.rebuild(&self.grid.source);
        self.grid.check(&digest, &expected).await?;
        self.grid.idle().await
    }

    fn point(&mut self) -> FailPoint {
        let points: Vec<FailPoint> = FailPoint::ALL.iter().copied().filter(|point| *point != FailPoint::ConvertCrumb).collect();
        points[self.random.below(points.len() as u64) as usize]
    }

    fn change(&mut self) -> Result<()> {
        let key = KEYS[self.random.below(KEYS.len() as u64) as usize];
        let there = self.grid.source.get(key).cloned();
        let kind = match self.random.below(24) {
            0 | 1 if self.grid.model.founded => Kind::Cut,
            2 | 3 if self.grid.model.founded => Kind::Texts,
            4 if self.grid.model.founded => Kind::Shifted,
            5 | 6 if self.grid.model.founded => Kind::Reversed,
            _ => Kind::Good,
        };
        let times = match &there {
            Some(version) if self.random.below(2) == 0 => version.slice.times.clone(),
            _ => self.times(),
        };
        let before = self.old.get(key).and_then(|old| old.get(self.random.clone().below(old.len() as u64) as usize)).cloned();
        if let Some(version) = there.clone() {
            self.old.entry(key.to_owned()).or_default().push(version);
        }
        match (self.random.below(8), there.is_some(), before) {
            // An empty source is the guard's affair.
            (0 | 1, true, _) if self.grid.source.len() > 1 => {
                self.told.push(format!("withdraw {key}"));
                return self.grid.withdraw(key);
            }
            (0..=2, _, Some(version)) => {
                self.told.push(format!("restore {key} {}", shown(&version)));
                return self.grid.restore(key, version);
            }
            _ => {}
        }
        let mut slice = self.grid.slice(&times, self.random.below(1_000));
        slice.extra = self.random.below(3) > 0;
        slice.clock = if self.random.below(4) == 0 { Clock::Seconds } else { Clock::Days };
        slice.container = if self.random.below(4) == 0 { Container::Netcdf4 } else { Container::Classic };
        let modified = 1_700_000_000_000 + self.random.below(6) as i64;
        self.grid.put(key, slice, kind, modified)?;
        self.told.push(format!("put {key} {}", shown(&self.grid.source[key])));
        Ok(())
    }

    /// Up to four times, some of them half a millisecond late.
    fn times(&mut self) -> Vec<i64> {
        let first = self.random.below(12) as i64;
        let mut days = BTreeSet::new();
        for step in 0..=self.random.below(4) {
            days.insert(if self.random.below(3) == 0 { self.random.below(12) as i64 } else { first + step as i64 });
        }
        let mut times: Vec<i64> = days.into_iter().map(|day| (12_000 + day) * DAY + 400 * i64::from(self.random.below(5) == 0)).collect();
        if self.random.below(5) == 0 {
            times.reverse();
        }
        times
    }

    /// A run, and what befalls it.
    async fn disturbed(&mut self) -> Result<()> {
        match self.random.below(8) {
            0..=2 => self.stopped(true).await,
            3 => self.stopped(false).await,
            4 => self.twins().await,
            5 => self.lost().await,
            _ => self.grid.run().await.map(drop),
        }
    }

    /// Stops somewhere, and goes on: with the same run, or with the next.
    async fn stopped(&mut self, same: bool) -> Result<()> {
        let point = self.point();
        let run = self.grid.next_run();
        self.told.push(format!("stopped at {point}, then {}", if same { "the same run" } else { "the next" }));
        let stopped = self.grid.bed.attempt(&run, 0, FailPoints::stop_at(point)).await;
        ensure!(matches!(stopped, Ok(_) | Err(StageError::FailPoint(_))), "{stopped:?}");
        if same {
            let digest = self.grid.bed.attempt(&run, 0, FailPoints::none()).await?;
            return self.account(&digest, &BTreeSet::new()).await;
        }
        // What stood when it died counts; the next run finishes it, and finds what it left.
        if self.grid.bed.head().await.is_ok_and(|head| head.run == run) {
            self.grid.model.run(&self.grid.source, &BTreeSet::new());
            let changes = self.random.below(3);
            for _ in 0..changes {
                self.change()?;
            }
        }
        self.grid.run().await.map(drop)
    }

    async fn account(&mut self, digest: &Digest, lost: &BTreeSet<String>) -> Result<()> {
        let expected = self.grid.model.run(&self.grid.source, lost);
        self.grid.check(digest, &expected).await
    }

    async fn twins(&mut self) -> Result<()> {
        self.told.push("twins".to_owned());
        let run = self.grid.next_run();
        let bed = &self.grid.bed;
        let (one, other) = (bed.context(&run, 0, FailPoints::none())?, bed.context(&run, 0, FailPoints::none())?);
        let (plan, same) = (plan(&one).await?, plan(&other).await?);
        ensure!(plan == same, "two plans of one run");
        for index in 0..plan.batches {
            let (a, b) = tokio::join!(convert(&one, &plan, index), convert(&other, &plan, index));
            ensure!(a? == b?, "two manifests of one batch");
        }
        let digest = commit(&other, &plan).await?;
        self.account(&digest, &BTreeSet::new()).await
    }

    /// A batch that never reports.
    async fn lost(&mut self) -> Result<()> {
        let run = self.grid.next_run();
        let context = self.grid.bed.context(&run, 0, FailPoints::none())?;
        let plan = plan(&context).await?;
        let lost = self.random.below(plan.batches.max(1).into()) as u32;
        let (mut files, mut read) = (BTreeSet::new(), BTreeSet::new());
        for index in 0..plan.batches {
            let batch = context.destination.get(&context.layout.batch(&run, &plan.nonce, index)).await?;
            let batch: Batch = serde_json::from_slice(&batch)?;
            if index == lost {
                files.extend(batch.files.into_iter().map(|file| file.key));
            } else {
                read.extend(batch.files.into_iter().filter(|file| !file.places.is_empty()).map(|file| file.key));
                convert(&context, &plan, index).await?;
            }
        }
        // What is wrong with a file that stands in another batch too is found there.
        files.retain(|key| self.grid.source.get(key).is_none_or(|version| version.kind != Kind::Texts) || !read.contains(key));
        self.told.push(format!("without the batch of {files:?}"));
        let digest = commit(&context, &plan).await?;
        self.account(&digest, &files).await
    }
}

fn shown(Version { number, modified, slice, kind }: &Version) -> String {
    let days: Vec<f64> = slice.times.iter().map(|&time| (time - 12_000 * DAY) as f64 / DAY as f64).collect();
    format!("{number} {kind:?} of {}, seed {}, {} days {days:?}", modified % 1_000, slice.seed, if slice.extra { "EXTRA" } else { "" })
}
