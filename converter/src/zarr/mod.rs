//! The Zarr format, version 2, as the incumbent's stores have it: one flat group whose metadata are consolidated, dot
//! keys, C order, little-endian, Blosc. Documents and chunks are turned into bytes and back; nothing is read or stored.

mod attributes;
mod chunk;
mod dtype;
mod error;
mod fill;
mod json;
mod metadata;
mod text;

use std::collections::BTreeMap;

pub use attributes::{Attr, Attributes, DIMENSIONS, dimensions, set_dimensions};
pub use chunk::{chunk_indices, chunk_key, chunks_of, decode_chunk, encode_chunk, is_all_fill};
pub use dtype::Dtype;
pub use error::ZarrError;
pub use fill::Fill;
pub use json::{attributes_json, parse_attributes};
pub use metadata::ArrayMetadata;
pub use text::{MOST_TEXT, decode_texts, encode_texts};

/// The names of the documents, below the group or an array.
pub const ZGROUP: &str = ".zgroup";
pub const ZATTRS: &str = ".zattrs";
pub const ZARRAY: &str = ".zarray";
pub const ZMETADATA: &str = ".zmetadata";

/// One array of the group.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub metadata: ArrayMetadata,
    pub attributes: Attributes,
}

impl Array {
    /// The names of the dimensions, slowest first: as many as the shape has.
    pub fn dimensions(&self) -> Result<Vec<&str>, ZarrError> {
        let names = dimensions(&self.attributes)?;
        if names.len() == self.metadata.shape.len() {
            return Ok(names);
        }
        Err(ZarrError::document(format!("a shape of {} dimensions has the dimensions {names:?}", self.metadata.shape.len())))
    }
}

impl Array {
    /// The place of a dimension in the shape; none where the array does not have it.
    #[must_use]
    pub fn axis(&self, dimension: &str) -> Option<usize> {
        self.dimensions().ok()?.iter().position(|name| *name == dimension)
    }

    /// Gives a dimension another length, if the array has it.
    pub fn set_length(&mut self, dimension: &str, length: u64) {
        if let Some(axis) = self.axis(dimension) {
            self.metadata.shape[axis] = length;
        }
    }
}

/// The text of the `.zgroup`.
#[must_use]
pub fn zgroup() -> String {
    group().to_json()
}

fn group() -> Attr {
    metadata::map([("zarr_format", Attr::Integer(2))])
}

/// The `.zmetadata` of a group with these attributes and arrays.
#[must_use]
pub fn zmetadata(attributes: &Attributes, arrays: &BTreeMap<String, Array>) -> Vec<u8> {
    let mut documents = BTreeMap::from([(ZATTRS.to_owned(), Attr::Map(attributes.clone())), (ZGROUP.to_owned(), group())]);
    for (name, array) in arrays {
        documents.insert(format!("{name}/{ZARRAY}"), array.metadata.to_attr());
        documents.insert(format!("{name}/{ZATTRS}"), Attr::Map(array.attributes.clone()));
    }
    metadata::map([("metadata", Attr::Map(documents)), ("zarr_consolidated_format", Attr::Integer(1))]).to_json().into_bytes()
}

/// The group's attributes and its arrays, by name, from a `.zmetadata`.
pub fn parse_zmetadata(json: &[u8]) -> Result<(Attributes, BTreeMap<String, Array>), ZarrError> {
    let Attr::Map(mut document) = Attr::parse(json)? else {
        return Err(ZarrError::document("the metadata are not a JSON object"));
    };
    if document.get("zarr_consolidated_format") != Some(&Attr::Integer(1)) {
        return Err(ZarrError::document("the metadata are not consolidated in format 1"));
    }
    let Some(Attr::Map(mut documents)) = document.remove("metadata") else {
        return Err(ZarrError::document("there is no object \"metadata\""));
    };
    match documents.remove(ZGROUP) {
        Some(Attr::Map(group)) => metadata::expect_format(&group)?,
        _ => return Err(ZarrError::document("there is no object \".zgroup\"")),
    }
    let attributes = attributes_of(documents.remove(ZATTRS))?;
    let mut arrays = BTreeMap::new();
    while let Some((key, document)) = documents.pop_first() {
        let name = match key.rsplit_once('/') {
            Some((name, ZARRAY)) => name,
            // Of an array that is gone, or is still to come: '.zarray' is sorted before it.
            Some((_, ZATTRS)) => continue,
            _ => return Err(ZarrError::document(format!("{key:?} is not supported: only arrays are"))),
        };
        if matches!(name, "" | "." | "..") || name.contains('/') {
            return Err(ZarrError::document(format!("{key:?} is not supported: only arrays directly below the group are")));
        }
        let attributes = attributes_of(documents.remove(&format!("{name}/{ZATTRS}"))).map_err(|error| error.within(name))?;
        let metadata = ArrayMetadata::from_attr(&document).map_err(|error| error.within(name))?;
        arrays.insert(name.to_owned(), Array { metadata, attributes });
    }
    Ok((attributes, arrays))
}

fn attributes_of(document: Option<Attr>) -> Result<Attributes, ZarrError> {
    match document {
        None => Ok(Attributes::new()),
        Some(Attr::Map(attributes)) => Ok(attributes),
        Some(_) => Err(ZarrError::document("the attributes are not a JSON object")),
    }
}
