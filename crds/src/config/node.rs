//! A value and where it stands: the reading side of validation.

use serde_json::{Map, Value};

use super::finding::Findings;

/// A place in the config.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub value: &'a Value,
    pub path: String,
}

impl<'a> Node<'a> {
    pub fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    /// The value of a key; absent and `null` are the same.
    pub fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self { value, path: join(&self.path, key) })
    }

    pub fn at(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// The object that stands here, or an error that says what else does.
    pub fn object(&self, findings: &mut Findings) -> Option<&'a Map<String, Value>> {
        let object = self.value.as_object();
        if object.is_none() {
            findings.error(&self.path, format!("{} stands here; write an object", kind(self.value)));
        }
        object
    }

    /// The entries of the object here that are no comments.
    pub fn entries(&self, findings: &mut Findings) -> Vec<(&'a str, Self)> {
        let Some(object) = self.object(findings) else { return Vec::new() };
        object
            .iter()
            .filter(|(key, value)| !is_comment(key, value))
            .map(|(key, value)| (key.as_str(), Self { value, path: join(&self.path, key) }))
            .collect()
    }

    pub fn items(&self, findings: &mut Findings) -> Vec<Self> {
        let Some(items) = self.value.as_array() else {
            findings.error(&self.path, format!("{} stands here; write a list", kind(self.value)));
            return Vec::new();
        };
        items.iter().enumerate().map(|(index, value)| Self { value, path: format!("{}[{index}]", self.path) }).collect()
    }

    pub fn text(&self, findings: &mut Findings) -> Option<&'a str> {
        let text = self.value.as_str();
        if self.value.is_boolean() {
            findings
                .error(&self.path, "a boolean stands here; write text (in quotes: some YAML readers take a bare Y or no for a boolean)");
        } else if text.is_none() {
            findings.error(&self.path, format!("{} stands here; write text", kind(self.value)));
        }
        text
    }

    pub fn flag(&self, findings: &mut Findings) -> bool {
        if !self.value.is_boolean() {
            findings.error(&self.path, format!("{} stands here; write true or false", kind(self.value)));
        }
        self.value == &Value::Bool(true)
    }

    pub fn texts(&self, findings: &mut Findings) -> Vec<String> {
        self.items(findings).iter().filter_map(|item| item.text(findings).map(str::to_owned)).collect()
    }

    /// The text under a key; absent and `null` are the same.
    pub fn text_of(&self, key: &str, findings: &mut Findings) -> Option<&'a str> {
        self.get(key)?.text(findings)
    }

    /// The text under a key that must be there and not be blank.
    pub fn required_text(&self, key: &str, why: &str, findings: &mut Findings) -> Option<&'a str> {
        let Some(node) = self.get(key) else {
            findings.error(self.at(key), format!("missing; write {why}"));
            return None;
        };
        let text = node.text(findings)?;
        if text.trim().is_empty() {
            findings.error(node.path, format!("empty; write {why}"));
            return None;
        }
        Some(text)
    }
}

/// Keys that start with `_` are comments; a variable's name may, if an object with a type stands under it.
pub(crate) fn is_comment(key: &str, value: &Value) -> bool {
    key.starts_with('_') && value.get("type").is_none() && value.get("source").is_none()
}

pub(crate) fn join(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match (parent.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{parent}.{key}"),
        (_, false) => format!("{parent}[{}]", Value::from(key)),
    }
}

pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Text of a config that goes into a message: short and without control characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}
