//! Values of options: what may stand there, and what is said when something else does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::finding::Findings;
use super::super::node::{Node, kind};
use super::{ColumnRef, Encoding, MissingTexts};

/// One option: its place and value.
pub(super) struct Setting<'a, 'f> {
    pub node: Node<'a>,
    pub findings: &'f mut Findings,
}

impl Setting<'_, '_> {
    /// Says what should stand here instead.
    pub fn refuse(&mut self, advice: &str) {
        let value = match self.node.value {
            Value::Array(_) | Value::Object(_) => kind(self.node.value).to_owned(),
            plain => format!("`{plain}`"),
        };
        self.findings.error(&self.node.path, format!("{value} is not supported here; write {advice}"));
    }

    pub fn unsupported(&mut self, advice: &str) {
        self.findings.unsupported(&self.node.path, format!("this option is not supported; {advice}"));
    }

    pub fn is_null(&self) -> bool {
        self.node.value.is_null()
    }

    pub fn flag(&mut self, into: &mut bool) {
        match self.node.value {
            Value::Null => {}
            Value::Bool(flag) => *into = *flag,
            _ => self.refuse("true or false"),
        }
    }

    pub fn count(&mut self) -> Option<usize> {
        if self.is_null() {
            return None;
        }
        let number = self.node.value.as_u64().or_else(|| whole(self.node.value));
        let count = number.and_then(|n| usize::try_from(n).ok());
        if count.is_none() {
            self.refuse("a whole number, 0 or more");
        }
        count
    }

    /// One ASCII character; `null` is none.
    pub fn character(&mut self) -> Option<u8> {
        match self.node.value {
            Value::Null => None,
            Value::String(text) if matches!(text.as_bytes(), [byte] if byte.is_ascii()) => Some(text.as_bytes()[0]),
            _ => {
                self.refuse("one ASCII character");
                None
            }
        }
    }

    /// The character between fields.
    pub fn delimiter(&mut self, into: &mut u8) {
        if let Some(byte) = self.character() {
            if matches!(byte, b'\n' | b'\r' | b'"') {
                self.refuse("a character such as `,`, `;` or a tab");
            } else {
                *into = byte;
            }
        }
    }

    pub fn texts(&mut self) -> Option<Vec<String>> {
        let texts = texts(self.node.value, false);
        if texts.is_none() && !self.is_null() {
            self.refuse("a list of texts");
        }
        texts
    }

    /// A text or number, a list of them, or lists by column.
    pub fn missing(&mut self, numbers: bool) -> MissingTexts {
        let mut missing = MissingTexts::default();
        match self.node.value {
            Value::Null => {}
            Value::Object(map) => {
                for (column, value) in map {
                    match texts(value, numbers) {
                        Some(texts) => drop(missing.by_column.insert(column.clone(), texts)),
                        None => self.refuse("a text or a list of texts for each column"),
                    }
                }
            }
            value => match texts(value, numbers) {
                Some(texts) => missing.everywhere = texts,
                None => self.refuse("a text, a list of texts, or an object: column → texts"),
            },
        }
        missing
    }

    pub fn column(&mut self) -> Option<ColumnRef> {
        let column = column(self.node.value);
        if column.is_none() && !self.is_null() {
            self.refuse("the name or the position of one column");
        }
        column
    }

    pub fn columns(&mut self) -> Option<Vec<ColumnRef>> {
        if self.is_null() {
            return None;
        }
        let columns = self.node.value.as_array().and_then(|items| items.iter().map(column).collect::<Option<Vec<_>>>());
        if columns.is_none() {
            self.refuse("a list of names or positions");
        }
        columns
    }

    pub fn encoding(&mut self) -> Option<(Encoding, bool)> {
        let text = match self.node.value {
            Value::Null => return None,
            value => value.as_str().unwrap_or_default().to_lowercase().replace('_', "-"),
        };
        let encoding = match text.as_str() {
            "utf-8" | "utf8" | "utf-8-sig" => Some((Encoding::Utf8, false)),
            "utf8-lossy" => Some((Encoding::Utf8, true)),
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" => Some((Encoding::Latin1, false)),
            "cp1252" | "windows-1252" => Some((Encoding::Cp1252, false)),
            "ascii" | "us-ascii" => Some((Encoding::Ascii, false)),
            _ => None,
        };
        if encoding.is_none() {
            self.refuse("one of utf-8, utf-8-sig, latin-1, cp1252, ascii");
        }
        encoding
    }

    /// An option that changes nothing here, if it has one of these values.
    pub fn only(&mut self, accepted: &[Value], advice: &str) {
        if !self.is_null() && !accepted.contains(self.node.value) {
            self.refuse(advice);
        }
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..9e15).contains(number)).map(|number| number as u64)
}

fn column(value: &Value) -> Option<ColumnRef> {
    match value {
        Value::String(name) => Some(ColumnRef::Name(name.clone())),
        Value::Number(_) => Some(ColumnRef::Position(usize::try_from(value.as_u64().or_else(|| whole(value))?).ok()?)),
        _ => None,
    }
}

fn texts(value: &Value, numbers: bool) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if numbers => Some(number.to_string()),
        _ => None,
    };
    match value {
        Value::Array(items) => items.iter().map(one).collect(),
        plain => one(plain).map(|text| vec![text]),
    }
}

/// The options of an object, one after another. Keys that begin with `_` are comments.
pub(super) fn each<'a>(reader: &Node<'a>, findings: &mut Findings, mut one: impl FnMut(&str, &mut Setting<'a, '_>)) {
    let Some(object) = reader.object(findings) else { return };
    for (key, value) in object.iter().filter(|(key, _)| !key.starts_with('_')) {
        one(key, &mut Setting { node: Node { value, path: reader.at(key) }, findings });
    }
}

/// A name that the library does not know.
pub(super) fn unknown(setting: &mut Setting<'_, '_>, library: &str, known: &[&str]) {
    setting.findings.error(&setting.node.path, format!("not an option of {library}; write one of {}", known.join(", ")));
}

/// Two options with one meaning.
pub(super) fn twice(reader: &Node<'_>, names: [&str; 2], findings: &mut Findings) {
    if names.iter().all(|name| reader.get(name).is_some()) {
        findings.error(reader.at(names[1]), format!("means the same as `{}`; keep one of them", names[0]));
    }
}

pub(super) type ByColumn<T> = BTreeMap<String, T>;
