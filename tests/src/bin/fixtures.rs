//! Writes fixtures: `fixtures archive DIR` or `fixtures mooring FILE`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tests::fixtures::{ArchiveOptions, Container, Mooring, mooring, write_archive};

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
    }
    Ok(())
}
