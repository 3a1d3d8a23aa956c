//! Which rows have a value, and the definition levels that say so.

use std::ops::Range;

use arrow_array::Array;
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, NullBuffer};

use super::{Strip, hybrid};

/// Which rows have a value.
pub(super) struct Validity {
    pub(super) rows: usize,
    pub(super) nulls: usize,
    /// Only once there is a null.
    bits: Option<BooleanBufferBuilder>,
}

impl Validity {
    pub(super) fn new() -> Self {
        Self { rows: 0, nulls: 0, bits: None }
    }

    fn bits(&mut self) -> &mut BooleanBufferBuilder {
        self.bits.get_or_insert_with(|| {
            let mut bits = BooleanBufferBuilder::new(self.rows);
            bits.append_n(self.rows, true);
            bits
        })
    }

    #[inline]
    pub(super) fn append(&mut self, valid: bool, rows: usize) {
        if !valid {
            self.bits();
            self.nulls += rows;
        }
        if let Some(bits) = &mut self.bits {
            bits.append_n(rows, valid);
        }
        self.rows += rows;
    }

    /// Appends rows of an array; says which stretches of it have values.
    pub(super) fn append_array(&mut self, array: &dyn Array, strip: Strip) -> Vec<Range<usize>> {
        let rows = strip.first..strip.first + strip.rows;
        let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
            self.append(true, strip.rows);
            return std::iter::once(rows).collect();
        };
        let nulls = nulls.slice(rows.start, rows.len());
        self.append_nulls(&nulls);
        nulls.valid_slices().map(|(start, end)| rows.start + start..rows.start + end).collect()
    }

    fn append_nulls(&mut self, nulls: &NullBuffer) {
        if nulls.null_count() == 0 {
            return self.append(true, nulls.len());
        }
        self.bits().append_buffer(nulls.inner());
        self.nulls += nulls.null_count();
        self.rows += nulls.len();
    }

    pub(super) fn finished(&self) -> Option<BooleanBuffer> {
        self.bits.as_ref().map(BooleanBufferBuilder::finish_cloned)
    }
}

/// Definition levels of a column that may be null, behind their length.
pub(super) fn levels(body: &mut Vec<u8>, valid: Option<&BooleanBuffer>, rows: usize) {
    let at = body.len();
    body.extend_from_slice(&[0; 4]);
    match valid.map(|bits| (bits, bits.count_set_bits())) {
        None => hybrid::level_run(body, true, rows),
        Some((_, 0)) => hybrid::level_run(body, false, rows),
        Some((_, set)) if set == rows => hybrid::level_run(body, true, rows),
        Some((bits, _)) => hybrid::level_bits(body, &bits.sliced().as_slice()[..rows.div_ceil(8)]),
    }
    let length = (body.len() - at - 4) as u32;
    body[at..at + 4].copy_from_slice(&length.to_le_bytes());
}
