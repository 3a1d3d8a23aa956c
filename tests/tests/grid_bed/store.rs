//! Reads a published store back, whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use converter::zarr::{
    Array, ArrayMetadata, Dtype, Fill, ZARRAY, ZATTRS, ZGROUP, ZMETADATA, chunk_indices, chunk_key, decode_chunk, decode_texts,
    parse_attributes, parse_zmetadata,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

/// An array, decoded: what a chunk that is not there says is the fill.
#[derive(Clone, Debug)]
pub struct Found {
    pub array: Array,
    pub elements: Elements,
    /// Chunks that are objects.
    pub chunks: BTreeSet<String>,
}

impl Found {
    pub fn numbers(&self) -> &[f64] {
        if let Elements::Numbers(numbers) = &self.elements { numbers } else { &[] }
    }

    pub fn texts(&self) -> &[String] {
        if let Elements::Texts(texts) = &self.elements { texts } else { &[] }
    }
}

/// The arrays of the store in a folder; every file of the folder is accounted for, and all documents agree.
pub fn read(folder: &Path) -> Result<BTreeMap<String, Found>> {
    let (attributes, arrays) = parse_zmetadata(&std::fs::read(folder.join(ZMETADATA))?)?;
    ensure!(parse_attributes(&std::fs::read(folder.join(ZATTRS))?)? == attributes, "the group's attributes differ from .zmetadata");
    ensure!(folder.join(ZGROUP).exists(), "no .zgroup");
    let documents = BTreeSet::from([ZMETADATA, ZATTRS, ZGROUP].map(str::to_owned));
    let known: BTreeSet<String> = documents.into_iter().chain(arrays.keys().cloned()).collect();
    ensure!(names(folder)? == known, "{:?} stand there, {known:?} were expected", names(folder)?);
    arrays.into_iter().map(|(name, array)| Ok((name.clone(), found(&folder.join(&name), array).with_context(|| name)?))).collect()
}

fn names(folder: &Path) -> Result<BTreeSet<String>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn found(folder: &Path, array: Array) -> Result<Found> {
    let metadata = &array.metadata;
    ensure!(ArrayMetadata::parse(&std::fs::read(folder.join(ZARRAY))?)? == *metadata, ".zarray differs from .zmetadata");
    ensure!(parse_attributes(&std::fs::read(folder.join(ZATTRS))?)? == array.attributes, ".zattrs differs from .zmetadata");
    let mut chunks = names(folder)?;
    chunks.retain(|name| !name.starts_with(".z"));
    let within: BTreeSet<String> = chunk_indices(&metadata.grid()).map(|index| chunk_key(&index)).collect();
    ensure!(chunks.is_subset(&within), "{chunks:?} are more than {within:?}");
    ensure!(metadata.fill != Fill::Null || chunks == within, "only {chunks:?} of {within:?}, and there is no fill value");
    let total: u64 = metadata.shape.iter().product();
    let mut numbers = vec![f64::NAN; total as usize];
    let mut texts = vec![String::new(); total as usize];
    for index in chunk_indices(&metadata.grid()) {
        let path = folder.join(chunk_key(&index));
        if metadata.dtype == Dtype::Object {
            let decoded = decode_texts(metadata, &std::fs::read(path)?)?;
            each(metadata, &index, |from, to| texts[to].clone_from(&decoded[from]));
            continue;
        }
        let width = metadata.dtype.width();
        let raw = if path.exists() {
            decode_chunk(metadata, &std::fs::read(path)?)?
        } else {
            metadata.fill.bytes(metadata.dtype).repeat(metadata.chunk_elements()?)
        };
        each(metadata, &index, |from, to| numbers[to] = number(metadata.dtype, &raw[from * width..][..width]));
    }
    let elements = if metadata.dtype == Dtype::Object { Elements::Texts(texts) } else { Elements::Numbers(numbers) };
    Ok(Found { array, elements, chunks })
}

/// Each element of a chunk that lies in the array: its place in the chunk and in the array.
pub fn each(metadata: &ArrayMetadata, index: &[u64], mut take: impl FnMut(usize, usize)) {
    let ArrayMetadata { shape, chunks, .. } = metadata;
    let starts: Vec<u64> = index.iter().zip(chunks).map(|(chunk, length)| chunk * length).collect();
    let inside: Vec<u64> = starts.iter().zip(shape).zip(chunks).map(|((start, end), length)| (end - start).min(*length)).collect();
    for inner in chunk_indices(&inside) {
        let from = inner.iter().zip(chunks).fold(0, |from, (at, length)| from * length + at);
        let to = inner.iter().zip(&starts).zip(shape).fold(0, |to, ((at, start), length)| to * length + start + at);
        take(from as usize, to as usize);
    }
}

fn number(dtype: Dtype, bytes: &[u8]) -> f64 {
    let four = || bytes.try_into().expect("four bytes");
    let eight = || bytes.try_into().expect("eight bytes");
    match dtype {
        Dtype::F32 => f32::from_le_bytes(four()).into(),
        Dtype::I32 => i32::from_le_bytes(four()).into(),
        Dtype::I64 => i64::from_le_bytes(eight()) as f64,
        _ => f64::from_le_bytes(eight()),
    }
}
