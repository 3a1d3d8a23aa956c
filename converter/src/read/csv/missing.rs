//! Texts that mean a missing value.

use super::numbers;

/// What pandas takes for missing unless it is told not to.
const PANDAS: &[&str] = &[
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None",
    "n/a", "nan", "null",
];

#[derive(Clone, Debug)]
pub(super) struct Missing {
    texts: Vec<Vec<u8>>,
    /// Numbers that are missing however they are written; empty for polars.
    pub numbers: Vec<f64>,
    /// Whether a text that is a number is among them: then numbers must be looked up too.
    pub ambiguous: bool,
    empty: bool,
    lengths: u64,
    first: [bool; 256],
}

impl Missing {
    fn of(texts: Vec<Vec<u8>>, numbers: Vec<f64>) -> Self {
        let (mut lengths, mut first) = (0, [false; 256]);
        for text in &texts {
            lengths |= 1 << text.len().min(63);
            if let Some(&byte) = text.first() {
                first[usize::from(byte)] = true;
            }
        }
        let ambiguous =
            texts.iter().any(|text| std::str::from_utf8(text).is_ok_and(|t| t.trim().parse::<f64>().is_ok_and(|v| !v.is_nan())));
        let empty = texts.iter().any(Vec::is_empty);
        Self { texts, numbers, ambiguous, empty, lengths, first }
    }

    /// pandas: a number that is given for all columns (not by column) is missing in each of its spellings.
    pub fn pandas(given: &[String], with_defaults: bool, spellings: bool) -> Self {
        let mut texts: Vec<Vec<u8>> = if with_defaults { PANDAS.iter().map(|t| t.as_bytes().to_vec()).collect() } else { Vec::new() };
        let mut numbers = Vec::new();
        for text in given {
            texts.push(text.as_bytes().to_vec());
            let Some(number) = text.trim().parse::<f64>().ok().filter(|number| !number.is_nan()) else { continue };
            numbers.push(number);
            if spellings && number.fract() == 0.0 && number.abs() < numbers::EXACT {
                texts.push(format!("{}", number as i64).into_bytes());
                texts.push(format!("{}.0", number as i64).into_bytes());
            }
        }
        Self::of(texts, numbers)
    }

    pub fn polars(given: &[String]) -> Self {
        Self::of(given.iter().map(|text| text.as_bytes().to_vec()).collect(), Vec::new())
    }

    pub fn none() -> Self {
        Self::of(Vec::new(), Vec::new())
    }

    #[inline]
    pub fn contains(&self, text: &[u8]) -> bool {
        let Some(&byte) = text.first() else { return self.empty };
        self.first[usize::from(byte)] && self.lengths >> text.len().min(63) & 1 == 1 && self.texts.iter().any(|t| t == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_missing_in_all_spellings_unless_given_by_column() {
        let everywhere = Missing::pandas(&["-999".to_owned()], true, true);
        for (text, missing) in
            [("-999", true), ("-999.0", true), ("-999.00", false), ("", true), ("NaN", true), ("x", false), ("<NA>", true)]
        {
            assert_eq!(everywhere.contains(text.as_bytes()), missing, "{text:?}");
        }
        assert_eq!((everywhere.numbers.as_slice(), everywhere.ambiguous), (&[-999.0][..], true));
        let by_column = Missing::pandas(&["-999".to_owned()], false, false);
        assert_eq!((by_column.contains(b"-999"), by_column.contains(b"-999.0"), by_column.contains(b"")), (true, false, false));
        assert!(!Missing::pandas(&[], true, true).ambiguous);
        assert!(!Missing::none().contains(b""));
    }
}
