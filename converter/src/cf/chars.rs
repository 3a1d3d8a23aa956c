//! Text: single bytes joined along their last dimension, and variable-length strings.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, BinaryArray, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};

use super::CfError;
use super::fill::Fill;
use super::numeric::nulls_where;
use crate::read::Variable;

/// Joins `length` bytes to one value. Trailing NULs vanish; spaces and inner NULs stay.
pub(super) fn join(variable: &Variable, bytes: Vec<u8>, length: usize) -> Result<ArrayRef, CfError> {
    let fill = Fill::of(variable, false);
    if length == 1 && variable.text("_Encoding").is_none() && memchr::memchr(0, &bytes).is_none() {
        return Ok(single(bytes, &fill));
    }
    let values: Vec<&[u8]> = if length == 0 { Vec::new() } else { bytes.chunks_exact(length).map(trim_nuls).collect() };
    if let Some(encoding) = variable.text("_Encoding") {
        let mut builder = StringBuilder::with_capacity(values.len(), bytes.len());
        for (index, value) in values.iter().enumerate() {
            let text = decode_text(value, encoding).ok_or_else(|| CfError::Encoding {
                variable: variable.name.clone(),
                encoding: encoding.to_owned(),
                index,
            })?;
            builder.append_option((!fill.texts.contains(&text)).then_some(text));
        }
        return Ok(Arc::new(builder.finish()));
    }
    let mut builder = BinaryBuilder::with_capacity(values.len(), bytes.len());
    for value in values {
        builder.append_option((!fill.bytes.iter().any(|f| f == value)).then_some(value));
    }
    Ok(Arc::new(builder.finish()))
}

/// Single characters, as flags are: the bytes are the values.
fn single(bytes: Vec<u8>, fill: &Fill) -> ArrayRef {
    let fills: Vec<u8> = fill.bytes.iter().filter_map(|f| if let [byte] = f[..] { Some(byte) } else { None }).collect();
    let nulls = nulls_where(&bytes, |byte| fills.contains(&byte));
    let offsets = OffsetBuffer::from_repeated_length(1, bytes.len());
    Arc::new(BinaryArray::new(offsets, Buffer::from_vec(bytes), nulls))
}

/// Variable-length strings.
pub(super) fn text(variable: &Variable, texts: &[String]) -> ArrayRef {
    let fill = Fill::of(variable, false);
    Arc::new(texts.iter().map(|t| (!fill.texts.contains(t)).then_some(t.as_str())).collect::<StringArray>())
}

fn trim_nuls(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    &value[..end]
}

fn decode_text(bytes: &[u8], encoding: &str) -> Option<String> {
    match encoding.to_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" => String::from_utf8(bytes.to_vec()).ok(),
        "ascii" | "us-ascii" => bytes.is_ascii().then(|| String::from_utf8_lossy(bytes).into_owned()),
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" => Some(bytes.iter().map(|&b| char::from(b)).collect()),
        _ => None,
    }
}
