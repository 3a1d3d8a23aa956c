//! Texts of any length in a box: it holds their numbers, which are as wide as each other.

use std::collections::HashMap;

/// Bytes of a number.
pub(super) const WIDTH: usize = 4;

/// The texts of a box, each once. The empty one has the number 0: a box that says nothing is all zeros.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// All but the empty one.
    all: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Texts {
    /// The little-endian number of a text.
    pub(super) fn number(&mut self, text: &str) -> [u8; WIDTH] {
        if text.is_empty() {
            return [0; WIDTH];
        }
        if let Some(number) = self.numbers.get(text) {
            return number.to_le_bytes();
        }
        self.all.push(text.to_owned());
        let number = self.all.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        number.to_le_bytes()
    }

    /// The numbers of texts.
    pub(super) fn numbers<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = T>) -> Vec<u8> {
        texts.into_iter().flat_map(|text| self.number(text.as_ref())).collect()
    }

    /// The texts of numbers.
    pub(super) fn of<'a>(&'a self, numbers: &'a [u8]) -> impl Iterator<Item = &'a str> {
        let text = |number: &[u8; WIDTH]| (u32::from_le_bytes(*number) as usize).checked_sub(1).and_then(|at| self.all.get(at));
        numbers.as_chunks().0.iter().map(move |number| text(number).map_or("", String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_number_and_the_empty_one_has_none() {
        let mut texts = Texts::default();
        let all = ["north", "", "südlich", "north"];
        let numbers = texts.numbers(all);
        assert_eq!(numbers, [1_u32, 0, 2, 1].map(u32::to_le_bytes).concat());
        assert_eq!(texts.of(&numbers).collect::<Vec<_>>(), all);
    }
}
