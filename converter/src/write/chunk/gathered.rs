//! The numbers of a chunk, while they are taken from their strips.

use super::intern::Interner;
use super::physical::{Physical, Stored};
use super::validity::Validity;

/// Values that are looked at before a dictionary is given up for having too many entries.
const TRIAL: usize = 4_096;

/// Numbers of a chunk: each distinct one once while that promises to pay, else all.
pub(super) struct Gathered<'e, P> {
    interner: &'e mut Interner,
    codes: &'e mut Vec<u32>,
    /// Distinct values, or all in their order.
    pub(super) values: Vec<P>,
    /// The values are distinct, and `codes` tells their order.
    pub(super) interned: bool,
    pub(super) validity: Validity,
}

impl<'e, P: Physical> Gathered<'e, P> {
    pub(super) fn new(interner: &'e mut Interner, codes: &'e mut Vec<u32>, rows: usize) -> Self {
        interner.begin(rows);
        codes.clear();
        Self { interner, codes, values: Vec::new(), interned: true, validity: Validity::new() }
    }

    pub(super) fn run(&mut self, value: P, rows: usize) {
        self.validity.append(true, rows);
        let mut left = rows;
        while self.interned && left > 0 {
            let rows = left.min(self.to_trial());
            let code = self.interner.code(&mut self.values, value);
            self.codes.extend(std::iter::repeat_n(code, rows));
            left -= rows;
            self.try_dictionary();
        }
        self.values.extend(std::iter::repeat_n(value, left));
    }

    /// Values of rows that the validity knows already.
    pub(super) fn values<N: Stored<Physical = P>>(&mut self, values: &[N]) {
        let mut left = values;
        while self.interned && !left.is_empty() {
            let (part, rest) = left.split_at(left.len().min(self.to_trial()));
            self.codes.reserve(part.len());
            for value in part {
                let code = self.interner.code(&mut self.values, value.stored());
                self.codes.push(code);
            }
            left = rest;
            self.try_dictionary();
        }
        self.values.extend(left.iter().map(|value| value.stored()));
    }

    /// Values until the dictionary is looked at again: it depends on the values alone, and not on the
    /// strips that they came in.
    fn to_trial(&self) -> usize {
        TRIAL - self.codes.len() % TRIAL
    }

    fn try_dictionary(&mut self) {
        let count = self.codes.len();
        if count.is_multiple_of(TRIAL) && self.values.len() > count / 10 * 9 {
            self.interned = false;
            self.values = self.codes.iter().map(|&code| self.values[code as usize]).collect();
        }
    }
}
