//! Writes fixtures: `fixtures archive DIR`, `fixtures mooring FILE` or `fixtures shaped CONFIG DIR`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use crds::config::load_with_parents;
use tests::fixtures::{ArchiveOptions, Container, Mooring, from_config, mooring, write_archive};

#[derive(Parser)]
#[command(about = "Writes small NetCDF files in the shape of moored instruments")]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A folder of files under two prefixes, four of them broken; prints what it wrote as JSON.
    /// Example: fixtures archive /tmp/archive --files 200
    Archive {
        folder: PathBuf,
        #[arg(long, default_value_t = 200)]
        files: usize,
        #[arg(long, default_value_t = 2)]
        stations: usize,
        #[arg(long, default_value_t = 3)]
        years: usize,
        #[arg(long, default_value_t = 96)]
        rows: usize,
        /// Leave the broken files out.
        #[arg(long)]
        sound: bool,
    },
    /// One file. Example: fixtures mooring /tmp/x.nc --rows 30886
    Mooring {
        path: PathBuf,
        #[arg(long, default_value = "SYD140")]
        station: String,
        /// Unix seconds of the first row.
        #[arg(long, default_value_t = 1_619_636_401)]
        start: i64,
        #[arg(long, default_value_t = 288)]
        rows: usize,
        #[arg(long, default_value_t = -33.995_866_666_7, allow_negative_numbers = true)]
        latitude: f64,
        #[arg(long, default_value_t = 151.451_85, allow_negative_numbers = true)]
        longitude: f64,
        #[arg(long, default_value_t = 0)]
        variant: u64,
        /// NetCDF-3 instead of NetCDF-4.
        #[arg(long)]
        classic: bool,
        /// Leave out the units of TIME.
        #[arg(long)]
        no_time_units: bool,
    },
    /// A file in the shape of a dataset config, parents beside it; prints its path.
    /// Example: fixtures shaped argo.json /tmp/archive
    Shaped { config: PathBuf, folder: PathBuf },
}

fn main() -> Result<()> {
    match Options::parse().what {
        What::Archive { folder, files, stations, years, rows, sound } => {
            let archive = write_archive(&folder, &ArchiveOptions { files, stations, years, rows, broken: !sound })?;
            println!("{}", archive.to_json());
        }
        What::Mooring { path, station, start, rows, latitude, longitude, variant, classic, no_time_units } => {
            let container = if classic { Container::Netcdf3 } else { Container::Netcdf4 };
            let made = Mooring::new(&station, start, rows).at(latitude, longitude).variant(variant).container(container);
            mooring(&path, &if no_time_units { made.without_time_units() } else { made })?;
        }
        What::Shaped { config, folder } => {
            let merged = load_with_parents(&std::fs::read_to_string(&config)?, &beside(&config)?)?;
            let made = from_config(&folder, &merged)?;
            println!("{} ({:?}, {} rows)", made.path().display(), made.shape, made.rows);
        }
    }
    Ok(())
}

/// The other JSON files of a config's folder, which it may name as parents.
fn beside(config: &Path) -> Result<BTreeMap<String, String>> {
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut texts = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "json") {
            let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            texts.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    Ok(texts)
}
