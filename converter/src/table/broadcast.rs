//! Which of a variable's values each row takes.

use std::ops::Range;
use std::sync::Arc;

use crate::cf::geometry::NO_INSTANCE;
use crate::write::Strip;

/// Rows move on in the variable by `stride` every `divisor` rows, and begin anew after `length` steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    divisor: usize,
    length: usize,
    stride: usize,
}

/// A term whose position is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gather {
    pub(super) divisor: usize,
    pub(super) length: usize,
    pub(super) first: usize,
    pub(super) of: Arc<Vec<u32>>,
    pub(super) stride: usize,
}

impl Gather {
    fn instance(&self, row: usize) -> u32 {
        self.of[self.first + (row / self.divisor) % self.length]
    }

    fn has_gaps(&self) -> bool {
        self.of[self.first..self.first + self.length].contains(&NO_INSTANCE)
    }
}

/// Which of a variable's values a row takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broadcast {
    terms: Vec<Term>,
    gathers: Vec<Gather>,
    rows: usize,
    /// The value of rows without an instance: one past the variable's own.
    missing: Option<usize>,
}

impl Broadcast {
    pub(super) fn new(ranges: &[Range<usize>], strides: &[usize], gathers: Vec<Gather>, rows: usize, values: usize) -> Self {
        let mut terms: Vec<Term> = Vec::new();
        let mut divisor = 1;
        for (length, &stride) in ranges.iter().map(Range::len).zip(strides).rev() {
            match terms.last_mut() {
                // Two neighbours that lie together in the variable are one.
                Some(last) if last.divisor * last.length == divisor && stride == last.stride * last.length => last.length *= length,
                _ if stride > 0 && length > 1 => terms.push(Term { divisor, length, stride }),
                _ => {}
            }
            divisor *= length;
        }
        let missing = gathers.iter().any(Gather::has_gaps).then_some(values);
        Self { terms, gathers, rows, missing }
    }

    /// One value for all rows.
    pub(super) fn scalar() -> Self {
        Self { terms: Vec::new(), gathers: Vec::new(), rows: 0, missing: None }
    }

    /// Value *i* for row *i*.
    pub(super) fn identity(rows: usize) -> Self {
        let terms = if rows > 1 { vec![Term { divisor: 1, length: rows, stride: 1 }] } else { Vec::new() };
        Self { terms, gathers: Vec::new(), rows, missing: None }
    }

    pub(super) fn is_scalar(&self) -> bool {
        self.terms.is_empty() && self.gathers.is_empty()
    }

    /// Value *i* stands in row *i*.
    pub(super) fn is_identity(&self) -> bool {
        self.gathers.is_empty() && self.terms.as_slice() == [Term { divisor: 1, length: self.rows, stride: 1 }]
    }

    /// Whether the values need one more, null, at their end.
    pub(super) fn has_missing(&self) -> bool {
        self.missing.is_some()
    }

    /// The values of consecutive rows, as few strips as there can be of neighbours that lie alike.
    pub(super) fn strips(&self, rows: Range<usize>, each: &mut impl FnMut(Strip)) {
        if !self.gathers.is_empty() {
            let mut open: Option<Strip> = None;
            for row in rows {
                let index = self.index(row);
                match &mut open {
                    Some(strip) if strip.first == index => strip.rows += 1,
                    _ => {
                        if let Some(strip) = open.replace(Strip::run(index, 1)) {
                            each(strip);
                        }
                    }
                }
            }
            return open.into_iter().for_each(each);
        }
        let (inner, length, step) = match self.terms.first() {
            None => return each(Strip::run(0, rows.len())),
            // The innermost term moves with each row, or stays for as many as its divisor says.
            Some(term) if term.divisor == 1 => (1, term.length, term.stride),
            Some(term) => (term.divisor, 1, 0),
        };
        let mut row = rows.start;
        while row < rows.end {
            let end = rows.end.min(row + inner * length - row % (inner * length));
            each(Strip { first: self.index(row), step, rows: end - row });
            row = end;
        }
    }

    /// Rows that take the same value follow each other in blocks of a multiple of this many; 0: all do.
    pub(super) fn repeat(&self) -> usize {
        match (self.terms.first(), self.gathers.iter().map(|gather| gather.divisor).min()) {
            (None, None) => 0,
            (term, gather) => term.map_or(usize::MAX, |term| term.divisor).min(gather.unwrap_or(usize::MAX)),
        }
    }

    pub(super) fn index(&self, row: usize) -> usize {
        let mut index: usize = self.terms.iter().map(|t| (row / t.divisor) % t.length * t.stride).sum();
        for gather in &self.gathers {
            match (gather.instance(row), self.missing) {
                (NO_INSTANCE, Some(missing)) => return missing,
                (instance, _) => index += instance as usize * gather.stride,
            }
        }
        index
    }
}
