//! Reads all of a NetCDF file and discards it: `decode FILE [THREADS]`. Each variable is read in boxes of its own chunks,
//! from the file where it lies, as the rows of a grid are. `tests/bench/grids.py` holds it against other readers.
#![allow(clippy::unwrap_used)] // a bench stops where it fails

use std::fs::File;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use converter::read::{Input, Reader, open};

/// Boxes of a variable's chunks; of one that has none, all of it.
fn boxes(lengths: &[usize], chunks: Option<&Vec<usize>>) -> Vec<Vec<Range<usize>>> {
    let steps = chunks.map_or(lengths, Vec::as_slice);
    lengths.iter().zip(steps).fold(vec![Vec::new()], |boxes, (&length, &step)| {
        let along: Vec<Range<usize>> = (0..length).step_by(step.max(1)).map(|at| at..length.min(at + step)).collect();
        boxes.iter().flat_map(|ranges| along.iter().map(|range| [&ranges[..], std::slice::from_ref(range)].concat())).collect()
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let threads = arguments.get(2).map_or(2, |text| text.parse().unwrap());
    let file = Arc::new(File::open(&arguments[1]).unwrap());
    let length = file.metadata().unwrap().len();
    let reader: Box<dyn Reader + Send + Sync> = open(Input::File { file, length }).unwrap();
    let mut work = Vec::new();
    for (index, (variable, chunks)) in reader.variables().iter().zip(reader.chunks()).enumerate() {
        let lengths: Vec<usize> = variable.dimensions.iter().map(|&d| reader.dimensions()[d].length).collect();
        work.extend(boxes(&lengths, chunks.as_ref()).into_iter().map(|selection| (index, selection)));
    }
    let (next, values) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, selection)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    values.fetch_add(black_box(reader.read_part(*index, selection).unwrap()).len(), Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} values", values.into_inner());
}
