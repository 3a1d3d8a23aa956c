//! One mooring file from bytes to Parquet, and its stages: `cargo bench -p converter`.
//!
//! Takes the real file of `../shared`, or the one `COD_BENCH_FILE` names (`fixtures mooring` writes
//! one) with the config `COD_BENCH_CONFIG`.
#![allow(clippy::unwrap_used)] // a bench stops where it fails

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use converter::read;
use converter::table::{Allowance, Conversion};
use crds::config::{load, validate};
use crds::wire::Compat;
use criterion::{Criterion, criterion_group, criterion_main};

fn input() -> Option<(Bytes, String)> {
    let named = std::env::var_os("COD_BENCH_FILE").zip(std::env::var_os("COD_BENCH_CONFIG"));
    let (file, config) = if let Some((file, config)) = named {
        (PathBuf::from(file), PathBuf::from(config))
    } else {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mooring_ctd");
        let file = std::fs::read_dir(&folder).ok()?.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "nc"))?;
        (file, folder.join("mooring_ctd_delayed_qc.json"))
    };
    Some((std::fs::read(file).ok()?.into(), std::fs::read_to_string(config).ok()?))
}

fn conversion(c: &mut Criterion) {
    let Some((bytes, config)) = input() else { return eprintln!("no file to measure") };
    let config = Arc::new(validate(&load(&config).unwrap()).unwrap().config);
    let conversion = Conversion::new(&config, Compat::Fixed, "2026-06-01T00:00:00Z".parse().unwrap());
    c.bench_function("header", |b| b.iter(|| read::open(black_box(bytes.clone())).unwrap().variables().len()));
    c.bench_function("header and all values", |b| {
        b.iter(|| {
            let reader = read::open(black_box(bytes.clone())).unwrap();
            (0..reader.variables().len()).map(|i| reader.read(i).unwrap().len()).sum::<usize>()
        });
    });
    c.bench_function("bytes to parquet", |b| {
        let (name, allowance) = ("x.nc".into(), Allowance::UNBOUNDED);
        b.iter(|| {
            let file = conversion.open(&name, black_box(bytes.clone())).unwrap();
            conversion.convert(&name, &file, allowance, &mut |object| {
                drop(black_box(object));
                Ok(())
            })
        });
    });
}

criterion_group!(benches, conversion);
criterion_main!(benches);
