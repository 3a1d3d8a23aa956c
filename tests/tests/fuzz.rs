//! A bounded run of the fuzz targets on mutated fixtures: any result will do, a panic or a long wait will not.
//!
//! `COD_FUZZ_SECONDS` is the time of each, `COD_FUZZ_SEED` begins elsewhere, `COD_FUZZ_CORPUS` writes the seeds to that
//! folder for cargo-fuzz.

#[path = "../../converter/fuzz/src/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tests::fixtures::bad::{Input, bad_inputs};
use tests::fixtures::draft::write_all;
use tests::fixtures::ragged::layouts;
use tests::fixtures::{Cells, Container, Draft, Random, random_file};

const TOKENS: [&[u8]; 14] = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"days since 0000-13-45",
    b"seconds since 1970-01-01",
    b"360_day",
    b"\"",
    b"\n",
    b"{}",
    b"null",
    b"1e999",
    b"[[[[[[[[",
    b"\xef\xbb\xbf",
];

fn number(name: &str, default: u64) -> Result<u64> {
    std::env::var(name).map_or(Ok(default), |text| text.parse().with_context(|| format!("{name} is a number")))
}

/// Another text from one or two that are sound.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let pick = |random: &mut Random, end: usize| random.below(end.max(1) as u64) as usize;
    let mut bytes = seeds[pick(random, seeds.len())].clone();
    for _ in 0..=random.below(6) {
        // Headers stand in front: half of the hits go there.
        let end = if random.below(2) == 0 { bytes.len().min(2_048) } else { bytes.len() };
        let at = pick(random, end);
        let length = pick(random, 16).min(bytes.len() - at.min(bytes.len()));
        match random.below(9) {
            _ if bytes.is_empty() => bytes.push(random.below(256) as u8),
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(256) as u8,
            2 => bytes[at] = bytes[at].wrapping_add(random.below(5) as u8).wrapping_sub(2),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..at + length)),
            5 => {
                let copied = bytes[at..at + length].to_vec();
                let to = pick(random, bytes.len());
                bytes.splice(to..to, copied);
            }
            6 => {
                let token = TOKENS[pick(random, TOKENS.len())];
                let until = (at + token.len()).min(bytes.len());
                bytes.splice(at..until, token.iter().copied());
            }
            7 => {
                let token = TOKENS[pick(random, TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            _ => {
                let other = &seeds[pick(random, seeds.len())];
                let from = pick(random, other.len());
                let until = (from + length * 4).min(other.len());
                bytes.splice(at..at + length, other[from..until].iter().copied());
            }
        }
    }
    bytes
}

fn run(name: &str, target: fn(&[u8]), seeds: &[Vec<u8>]) -> Result<()> {
    ensure!(!seeds.is_empty(), "{name} has no seeds");
    if let Some(corpus) = std::env::var_os("COD_FUZZ_CORPUS") {
        let folder = PathBuf::from(corpus).join(name);
        std::fs::create_dir_all(&folder)?;
        for (index, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index:03}")), seed)?;
        }
    }
    let (seconds, seed) = (number("COD_FUZZ_SECONDS", 20)?, number("COD_FUZZ_SEED", 1)?);
    let mut random = Random::new(seed);
    let (began, mut runs) = (Instant::now(), 0u64);
    let mut next = seeds.iter();
    while began.elapsed() < Duration::from_secs(seconds) {
        // First the seeds as they are.
        let bytes = next.next().cloned().unwrap_or_else(|| mutated(seeds, &mut random));
        let started = Instant::now();
        let panicked = catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err();
        let slow = started.elapsed() > Duration::from_secs(20);
        if panicked || slow {
            let path = std::env::temp_dir().join(format!("fuzz-{name}-{seed}-{runs}"));
            std::fs::write(&path, &bytes)?;
            bail!("{name} {} on {}", if panicked { "panics" } else { "takes too long" }, path.display());
        }
        runs += 1;
    }
    println!("{name}: {runs} inputs");
    Ok(())
}

/// Small files of every kind; characters of NetCDF-4 would need Python and are not worth it here.
fn netcdf(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut drafts: Vec<Draft> = (0..40).map(random_file).chain(layouts().into_iter().map(|layout| layout.draft)).collect();
    drafts.extend(bad_inputs().into_iter().filter_map(|bad| if let Input::Netcdf(draft) = bad.input { Some(draft) } else { None }));
    drafts.retain(|d| d.container != Container::Netcdf4 || d.variables.iter().all(|v| !matches!(v.values, Cells::Char(_))));
    let paths: Vec<PathBuf> = (0..drafts.len()).map(|index| folder.join(format!("{index}.nc"))).collect();
    write_all(&paths.iter().map(PathBuf::as_path).zip(&drafts).collect::<Vec<_>>())?;
    paths.iter().map(|path| Ok(std::fs::read(path)?)).collect()
}

#[test]
fn the_reader_survives() -> Result<()> {
    let folder = tempfile::tempdir()?;
    run("reader", targets::reader, &netcdf(folder.path())?)
}

#[test]
fn csv_survives() -> Result<()> {
    let mut seeds = Vec::new();
    for bad in bad_inputs() {
        if let Input::Csv(bytes) = bad.input {
            seeds.push([bad.config["csv_config"].to_string().as_bytes(), b"\n", &bytes].concat());
        }
    }
    run("csv", targets::csv, &seeds)
}

#[test]
fn configs_survive() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(entry?.path())?;
        for resource in crds::config::documents(&text)? {
            seeds.extend(resource["spec"]["config"].as_str().map(|config| config.as_bytes().to_vec()));
        }
        seeds.push(text.into_bytes());
    }
    seeds.sort();
    seeds.extend(bad_inputs().into_iter().map(|bad| bad.config.to_string().into_bytes()));
    run("config", targets::config, &seeds)
}
