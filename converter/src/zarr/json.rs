//! JSON text as Python's `json` writes and reads it: floats by their `repr`, and the bare words NaN and Infinity, which
//! `serde_json` refuses.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Attr, Attributes, ZarrError};
use crate::write::{python_float, shortest};

/// How deep lists and maps may stand in each other. The parser calls itself, and its input is not trusted.
const DEPTH: usize = 64;

impl Attr {
    /// `json.dumps(self, sort_keys=True, indent=4, ensure_ascii=True, separators=(",", ": "))`
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        put(&mut out, self, 0);
        out
    }

    /// What `json.loads` makes of UTF-8 text, with NaN, Infinity and -Infinity. Half a surrogate pair becomes U+FFFD.
    pub fn parse(json: &[u8]) -> Result<Self, ZarrError> {
        let text = match std::str::from_utf8(json) {
            Ok(text) => text,
            Err(error) => return Err(at(json, error.valid_up_to(), "the text is not UTF-8")),
        };
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.space();
        if parser.at < text.len() { Err(parser.error("there is more after the end")) } else { Ok(value) }
    }
}

/// The text of a `.zattrs`.
#[must_use]
pub fn attributes_json(attributes: &Attributes) -> String {
    let mut out = String::new();
    put_map(&mut out, attributes, 0);
    out
}

/// Reads a `.zattrs`.
pub fn parse_attributes(json: &[u8]) -> Result<Attributes, ZarrError> {
    match Attr::parse(json)? {
        Attr::Map(attributes) => Ok(attributes),
        _ => Err(ZarrError::document("the attributes are not a JSON object")),
    }
}

fn put(out: &mut String, value: &Attr, level: usize) {
    match value {
        Attr::Null => out.push_str("null"),
        Attr::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Attr::Integer(number) => out.push_str(&number.to_string()),
        Attr::Float(number) if number.is_nan() => out.push_str("NaN"),
        Attr::Float(number) if number.is_infinite() => out.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" }),
        Attr::Float(number) => out.push_str(&python_float(&shortest(*number))),
        Attr::Text(text) => put_text(out, text),
        Attr::List(items) => put_items(out, "[]", items.iter(), level, |out, item| put(out, item, level + 1)),
        Attr::Map(items) => put_map(out, items, level),
    }
}

fn put_map(out: &mut String, items: &BTreeMap<String, Attr>, level: usize) {
    put_items(out, "{}", items.iter(), level, |out, (name, value)| {
        put_text(out, name);
        out.push_str(": ");
        put(out, value, level + 1);
    });
}

fn put_items<T>(out: &mut String, brackets: &str, items: impl Iterator<Item = T>, level: usize, put: impl Fn(&mut String, T)) {
    let (open, close) = brackets.split_at(1);
    let mut separator = open;
    for item in items {
        out.push_str(separator);
        indent(out, level + 1);
        put(out, item);
        separator = ",";
    }
    if separator == open {
        return out.push_str(brackets);
    }
    indent(out, level);
    out.push_str(close);
}

fn indent(out: &mut String, level: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("    ", level));
}

fn put_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}"); // a String takes all
                }
            }
        }
    }
    out.push('"');
}

fn at(json: &[u8], offset: usize, detail: impl Into<String>) -> ZarrError {
    let before = &json[..offset.min(json.len())];
    let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |newline| newline + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    ZarrError::Json { line, column, detail: detail.into() }
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes, always on the border of a character.
    at: usize,
}

impl Parser<'_> {
    fn error(&self, detail: impl Into<String>) -> ZarrError {
        at(self.text.as_bytes(), self.at, detail)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Steps over `token` if it is next.
    fn take(&mut self, token: &str) -> bool {
        let there = self.text[self.at..].starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn expect(&mut self, token: &str) -> Result<(), ZarrError> {
        self.space();
        if self.take(token) { Ok(()) } else { Err(self.error(format!("expected {token:?}"))) }
    }

    fn value(&mut self, depth: usize) -> Result<Attr, ZarrError> {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH => Err(self.error(format!("more than {DEPTH} levels"))),
            Some(b'{') => self.map(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => self.string().map(Attr::Text),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Attr, ZarrError> {
        let words = [
            ("null", Attr::Null),
            ("true", Attr::Bool(true)),
            ("false", Attr::Bool(false)),
            ("NaN", Attr::Float(f64::NAN)),
            ("Infinity", Attr::Float(f64::INFINITY)),
            ("-Infinity", Attr::Float(f64::NEG_INFINITY)),
        ];
        for (word, value) in words {
            if self.take(word) {
                return Ok(value);
            }
        }
        self.number()
    }

    fn map(&mut self, depth: usize) -> Result<Attr, ZarrError> {
        self.at += 1;
        let mut items = BTreeMap::new();
        self.space();
        if self.take("}") {
            return Ok(Attr::Map(items));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.expect(":")?;
            items.insert(name, self.value(depth)?);
            self.space();
            if !self.take(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(Attr::Map(items))
    }

    fn list(&mut self, depth: usize) -> Result<Attr, ZarrError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take("]") {
            return Ok(Attr::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if !self.take(",") {
                break;
            }
        }
        self.expect("]")?;
        Ok(Attr::List(items))
    }

    fn string(&mut self) -> Result<String, ZarrError> {
        if !self.take("\"") {
            return Err(self.error("expected a text"));
        }
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().take_while(|&b| b >= b' ' && b != b'"' && b != b'\\').count();
            out.push_str(&rest[..plain]);
            self.at += plain;
            if self.take("\"") {
                return Ok(out);
            }
            if !self.take("\\") {
                let detail = if self.peek().is_some() { "a control character in a text" } else { "a text without an end" };
                return Err(self.error(detail));
            }
            out.push(self.escaped()?);
        }
    }

    /// The character behind a backslash.
    fn escaped(&mut self) -> Result<char, ZarrError> {
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return Err(self.error("an escape that JSON does not have")),
        };
        self.at += 1;
        Ok(c)
    }

    fn code_point(&mut self) -> Result<char, ZarrError> {
        let first = self.unit()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let after_first = self.at;
        if first < 0xdc00 && self.take("\\") && self.peek() == Some(b'u') {
            let second = self.unit()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        self.at = after_first;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// The number in `uXXXX`.
    fn unit(&mut self) -> Result<u32, ZarrError> {
        let digits = self.text.as_bytes().get(self.at + 1..self.at + 5).unwrap_or_default();
        if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(self.error("expected four hexadecimal digits"));
        }
        self.at += 5;
        Ok(digits.iter().fold(0, |unit, &digit| unit << 4 | char::from(digit).to_digit(16).unwrap_or(0)))
    }

    fn number(&mut self) -> Result<Attr, ZarrError> {
        let start = self.at;
        self.take("-");
        if !self.take("0") && self.digits() == 0 {
            self.at = start;
            return Err(self.error("expected a value"));
        }
        let mut end = self.at;
        if self.take(".") && self.digits() > 0 {
            end = self.at;
        }
        self.at = end;
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            if self.digits() > 0 {
                end = self.at;
            }
        }
        self.at = end;
        let text = &self.text[start..end];
        let value = if text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
            text.parse().ok().map(Attr::Float)
        } else {
            text.parse().ok().map(Attr::Integer)
        };
        value.ok_or_else(|| at(self.text.as_bytes(), start, "a whole number of more than 128 bits"))
    }

    /// Steps over digits, and counts them.
    fn digits(&mut self) -> usize {
        let count = self.text.as_bytes()[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }
}
