//! `schema_transformation.functions`: how a computed column is made. Python of the incumbent's configs
//! is recognised by its meaning and never run.

use serde_json::{Map, Value, json};

use super::expression;
use super::finding::Findings;
use super::node::{Node, join, kind};
use super::snippet;

/// How a computed column is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// A part of the key `bucket/path/name`, split at `/`; a negative index counts from the end (-1 is the name).
    PathSegment { index: i64 },
    /// The same value on every row: a boolean, a number or text.
    Constant(Value),
    /// `<date> <time>` as `%Y-%m-%d %H:%M:%S`, a missing time being midnight; else the date alone; else null.
    DateTime { date: String, time: Option<String> },
    /// A CEL expression, evaluated on every row, or once if it names no column.
    Cel(Expression),
}

/// A CEL expression that parses and keeps to the bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    pub text: String,
    /// The columns it names, each once, in alphabetical order.
    pub columns: Vec<String>,
}

impl Function {
    /// The columns its value depends on.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::PathSegment { .. } | Self::Constant(_) => Vec::new(),
            Self::DateTime { date, time } => std::iter::once(date.as_str()).chain(time.as_deref()).collect(),
            Self::Cel(expression) => expression.columns.iter().map(String::as_str).collect(),
        }
    }

    /// Its meaning, whatever way it was written: what the content hash sees.
    pub(super) fn canonical(&self) -> Value {
        match self {
            Self::PathSegment { index } => json!({"path_segment": index}),
            Self::Constant(value) => json!({"constant": value}),
            Self::DateTime { date, time } => json!({"date": date, "time": time}),
            Self::Cel(expression) => json!({"cel": expression.text}),
        }
    }
}

const FORMS: &str = "`extract_method: path_segment` {\"index\": -4}, `constant` {\"value\": 1}, \
    `datetime` {\"date\": \"<column>\", \"time\": \"<column>\"} or `cel` {\"expression\": \"…\"}";

/// What `method` may hold, by `extract_method`.
const METHODS: &[(&str, &[&str])] = &[
    ("path_segment", &["index"]),
    ("constant", &["value"]),
    ("datetime", &["date", "time"]),
    ("cel", &["expression"]),
    ("object_key", &["key_pattern", "extraction_code"]),
    ("from_variables", &["creation_code"]),
];

/// The keys that `method` of this function may have.
pub(super) fn method_keys(function: &Node<'_>) -> &'static [&'static str] {
    let named = function.value.get("extract_method").and_then(Value::as_str);
    METHODS.iter().find(|(name, _)| named == Some(name)).map_or(&[], |(_, keys)| keys)
}

/// The function `name`, as the added variable `variable` uses it; `used` is where that says so.
pub(super) fn function(transform: &Node<'_>, name: &str, variable: &str, used: &str, findings: &mut Findings) -> Option<Function> {
    let defined = transform.get("functions").and_then(|functions| functions.get(name));
    let Some(node) = defined else {
        findings.error(used, format!("`{name}` is not defined in `schema_transformation.functions`"));
        return None;
    };
    node.object(findings)?;
    let way = node.required_text("extract_method", &format!("one of {FORMS}"), findings)?;
    if !METHODS.iter().any(|(known, _)| *known == way) {
        findings.error(node.at("extract_method"), format!("`{way}` is not a way to compute a column; write {FORMS}"));
        return None;
    }
    let Some(method) = node.get("method") else {
        findings.error(node.at("method"), format!("missing; write {FORMS}"));
        return None;
    };
    method.object(findings)?;
    match way {
        "path_segment" => path_segment(&method, findings),
        "constant" => constant(&method, findings),
        "datetime" => {
            let date = method.required_text("date", "the name of the column with the date", findings)?;
            let time = method.text_of("time", findings).filter(|name| !name.is_empty());
            Some(Function::DateTime { date: date.to_owned(), time: time.map(str::to_owned) })
        }
        "cel" => cel(&method, findings),
        "object_key" => python(&method, "extraction_code", |code| snippet::of_key(code, variable), findings),
        _ => python(&method, "creation_code", snippet::of_table, findings),
    }
}

fn path_segment(method: &Node<'_>, findings: &mut Findings) -> Option<Function> {
    const WHICH: &str = "write a whole number: -1 is the file's name, -2 its folder, 0 the bucket";
    let Some(node) = method.get("index") else {
        findings.error(method.at("index"), format!("missing; {WHICH}"));
        return None;
    };
    let Some(index) = node.value.as_i64() else {
        findings.error(node.path, format!("{} stands here; {WHICH}", node.value));
        return None;
    };
    Some(Function::PathSegment { index })
}

fn constant(method: &Node<'_>, findings: &mut Findings) -> Option<Function> {
    let Some(node) = method.get("value") else {
        findings.error(method.at("value"), "missing; write the value that stands on every row");
        return None;
    };
    if !snippet::is_scalar(node.value) {
        findings.error(node.path, format!("{} stands here; write a number, text or a boolean", kind(node.value)));
        return None;
    }
    Some(Function::Constant(node.value.clone()))
}

fn cel(method: &Node<'_>, findings: &mut Findings) -> Option<Function> {
    let text = method.required_text("expression", "a CEL expression, such as `TEMP - 273.15`", findings)?;
    match expression::check(text) {
        Ok(columns) => Some(Function::Cel(Expression { text: text.to_owned(), columns })),
        Err(message) => {
            findings.error(method.at("expression"), message);
            None
        }
    }
}

fn python(method: &Node<'_>, key: &str, meaning: impl Fn(&str) -> Result<Function, String>, findings: &mut Findings) -> Option<Function> {
    let code = method.required_text(key, &format!("the code, or better one of {FORMS}"), findings)?;
    match meaning(code) {
        Ok(function) => Some(function),
        Err(why) => {
            let message = format!("Python is never run, and this is none of the known snippets ({why}); write {FORMS} instead");
            findings.error(method.at(key), message);
            None
        }
    }
}

/// The functions of a config that are defined and not used by any added variable.
pub(super) fn unused(transform: &Node<'_>, added: Option<&Map<String, Value>>, findings: &mut Findings) {
    let Some(functions) = transform.get("functions") else { return };
    for (name, _) in functions.entries(findings) {
        let source = format!("@function:{name}");
        let used =
            added.is_some_and(|added| added.values().any(|variable| variable.get("source").and_then(Value::as_str) == Some(&source)));
        if !used {
            let message = "no added variable uses it; name it in a `source`, or remove it";
            findings.warn(join(&functions.path, name), message);
        }
    }
}
