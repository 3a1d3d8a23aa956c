//! What a Python snippet of a config means. It is read, never run: a snippet that is more than one of
//! the known forms, whatever it is called and however it is laid out, means nothing here.

mod lex;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

use super::Function;
use parse::{Expression, Statement, StatementKind};

/// Longer snippets are not looked at.
const LONGEST: usize = 8 << 10;
const MIDNIGHT: &str = "00:00:00";
const STRICT: &str = "%Y-%m-%d %H:%M:%S";

/// `extraction_code`: the entry `name` of the dict that `extract_info_from_key` returns.
pub(super) fn of_key(code: &str, name: &str) -> Result<Function, String> {
    let (mut world, function) = start(code, |function| function.name == "extract_info_from_key", Sense::Key)?;
    match world.run(&function.body)? {
        Some(Sense::Dict(entries)) => match entries.into_iter().rev().find(|(key, _)| key == name) {
            Some((_, Sense::Segment(index))) => Ok(Function::PathSegment { index }),
            Some(_) => Err(format!("`{name}` is no part of the key split at `/`")),
            None => Err(format!("it returns nothing called `{name}`")),
        },
        _ => Err("it does not return parts of the key by name".to_owned()),
    }
}

/// `creation_code`: what the first function makes of the table.
pub(super) fn of_table(code: &str) -> Result<Function, String> {
    let (mut world, function) = start(code, |_| true, Sense::Table)?;
    match world.run(&function.body)? {
        Some(Sense::Literal(value) | Sense::Repeated(value)) if is_scalar(&value) => Ok(Function::Constant(value)),
        Some(Sense::DateTime { date, time }) => Ok(Function::DateTime { date, time }),
        Some(Sense::Strict { .. }) => Err("dates that have no valid time do not fall back to the date alone".to_owned()),
        Some(_) => Err("what it returns is none of the known forms".to_owned()),
        None => Err("it returns nothing".to_owned()),
    }
}

pub(super) fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_))
}

fn start(code: &str, wanted: impl Fn(&parse::Function) -> bool, argument: Sense) -> Result<(World, parse::Function), String> {
    if code.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let (statements, functions) = parse::module(code)?;
    let function = functions.into_iter().find(|function| wanted(function)).ok_or("it defines no such function")?;
    let mut world = World::default();
    world.run(&statements)?;
    world.names.insert(function.parameter.clone(), argument);
    Ok((world, function))
}

/// What an expression stands for.
#[derive(Clone, Debug, PartialEq)]
enum Sense {
    Module(&'static str),
    Builtin(&'static str),
    Literal(Value),
    List(Vec<Value>),
    Dict(Vec<(String, Sense)>),
    /// `bucket/path/name`
    Key,
    /// The key split at `/`.
    Parts,
    Segment(i64),
    /// The table, its rows' labels, their number, its columns' names.
    Table,
    Labels,
    Length,
    Names,
    /// A column; it may be missing if it was taken with `get`.
    Column(String),
    /// A column with text for what is missing in it.
    Filled(String, String),
    /// One value on every row.
    Repeated(Value),
    /// Texts joined on every row.
    Joined(Vec<Sense>),
    /// Date and time, where both are valid.
    Strict {
        date: String,
        time: Option<String>,
    },
    /// The rows without a value.
    Gaps(Box<Sense>),
    AnyGap(Box<Sense>),
    /// A column in the rows without a value.
    DateWhere {
        date: String,
        gaps: Box<Sense>,
    },
    /// Those parsed as dates.
    ParsedWhere {
        date: String,
        gaps: Box<Sense>,
    },
    /// Date and time, else the date alone.
    DateTime {
        date: String,
        time: Option<String>,
    },
    /// Whether a column is missing, or there.
    Missing(String, bool),
}

#[derive(Default)]
struct World {
    names: BTreeMap<String, Sense>,
}

fn unknown(what: &str) -> String {
    format!("{what} is more than can be told from reading")
}

impl World {
    /// The sense of what is returned, if something is.
    fn run(&mut self, body: &[Statement]) -> Result<Option<Sense>, String> {
        for statement in body {
            let result = self.step(&statement.kind);
            // The innermost line is the one that helps.
            let result =
                result.map_err(|error| if error.starts_with("line ") { error } else { format!("line {}: {error}", statement.line) });
            if let Some(returned) = result? {
                return Ok(Some(returned));
            }
        }
        Ok(None)
    }

    fn step(&mut self, statement: &StatementKind) -> Result<Option<Sense>, String> {
        match statement {
            StatementKind::Nothing => {}
            StatementKind::Import { module, name } => {
                let module = match module.as_str() {
                    "pandas" => "pandas",
                    "numpy" => "numpy",
                    _ => return Err(unknown(&format!("module `{module}`"))),
                };
                self.names.insert(name.clone(), Sense::Module(module));
            }
            StatementKind::Return(value) => return self.sense(value).map(Some),
            StatementKind::Assign(Expression::Name(name), value) => {
                let value = self.sense(value)?;
                self.names.insert(name.clone(), value);
            }
            StatementKind::Assign(target, value) => self.fall_back(target, value)?,
            StatementKind::If { test, then, other } => match self.sense(test)? {
                Sense::AnyGap(_) if other.is_empty() => return self.run(then),
                Sense::Missing(column, missing) => {
                    let (without, with) = if missing { (then, other) } else { (other, then) };
                    self.either(&column, without, with)?;
                }
                _ => return Err(unknown("this `if`")),
            },
        }
        Ok(None)
    }

    /// A column may be missing: what both ways make of each name must be one thing.
    fn either(&mut self, column: &str, without: &[Statement], with: &[Statement]) -> Result<(), String> {
        let before = self.names.clone();
        let branch = |world: &mut Self, body: &[Statement]| match world.run(body)? {
            None => Ok(()),
            Some(_) => Err(unknown("a `return` inside an `if`")),
        };
        branch(self, without)?;
        let absent = std::mem::replace(&mut self.names, before);
        branch(self, with)?;
        for (name, value) in absent {
            let here = self.names.get(&name);
            let same = match (&value, here) {
                (value, Some(here)) if value == here => continue,
                (Sense::Repeated(Value::String(text)), Some(Sense::Filled(of, with))) => of == column && text == with,
                _ => false,
            };
            if !same {
                return Err(unknown(&format!("`{name}`, another thing with and without `{column}`,")));
            }
        }
        Ok(())
    }

    /// `result.loc[gaps] = …`, `result[gaps] = …`
    fn fall_back(&mut self, target: &Expression, value: &Expression) -> Result<(), String> {
        let Expression::Index(place, gaps) = target else { return Err(unknown("this assignment")) };
        let place = match place.as_ref() {
            Expression::Attribute(inner, loc) if loc == "loc" => inner.as_ref(),
            plain => plain,
        };
        let Expression::Name(name) = place else { return Err(unknown("this assignment")) };
        let (gaps, value) = (self.sense(gaps)?, self.sense(value)?);
        match (self.names.get(name).cloned(), gaps, value) {
            (Some(strict @ Sense::Strict { .. }), Sense::Gaps(of), Sense::ParsedWhere { date: fallback, gaps: also })
                if *of == strict && *also == strict =>
            {
                let Sense::Strict { date, time } = strict else { return Err(unknown("this assignment")) };
                if date != fallback {
                    return Err(unknown("a fallback to another column"));
                }
                self.names.insert(name.clone(), Sense::DateTime { date, time });
                Ok(())
            }
            _ => Err(unknown("this assignment")),
        }
    }

    fn sense(&self, expression: &Expression) -> Result<Sense, String> {
        match expression {
            Expression::Name(name) => match (self.names.get(name), name.as_str()) {
                (Some(sense), _) => Ok(sense.clone()),
                (None, "len") => Ok(Sense::Builtin("len")),
                (None, "str") => Ok(Sense::Builtin("str")),
                _ => Err(unknown(&format!("`{name}`"))),
            },
            Expression::Literal(value) => Ok(Sense::Literal(value.clone())),
            Expression::List(items) => items
                .iter()
                .map(|item| match self.sense(item)? {
                    Sense::Literal(value) => Ok(value),
                    _ => Err(unknown("this list")),
                })
                .collect::<Result<_, _>>()
                .map(Sense::List),
            Expression::Dict(entries) => entries
                .iter()
                .map(|(key, value)| match (self.sense(key)?, self.sense(value)?) {
                    (Sense::Literal(Value::String(key)), value @ (Sense::Segment(_) | Sense::Literal(_))) => Ok((key, value)),
                    _ => Err(unknown("this dict")),
                })
                .collect::<Result<_, _>>()
                .map(Sense::Dict),
            Expression::Attribute(of, name) => match (self.sense(of)?, name.as_str()) {
                (Sense::Table, "index") => Ok(Sense::Labels),
                (Sense::Table, "columns") => Ok(Sense::Names),
                _ => Err(unknown(&format!("`.{name}`"))),
            },
            Expression::Index(of, index) => self.index(self.sense(of)?, self.sense(index)?),
            Expression::Binary(operator, left, right) => binary(operator, self.sense(left)?, self.sense(right)?),
            Expression::Call { callee, arguments, named } => {
                let arguments: Vec<Sense> = arguments.iter().map(|argument| self.sense(argument)).collect::<Result<_, _>>()?;
                let named: Vec<(&str, Sense)> =
                    named.iter().map(|(name, value)| Ok((name.as_str(), self.sense(value)?))).collect::<Result<_, String>>()?;
                match callee.as_ref() {
                    Expression::Attribute(of, method) => method_call(self.sense(of)?, method, &arguments, &named),
                    other => match (self.sense(other)?, arguments.as_slice()) {
                        (Sense::Builtin("len"), [Sense::Table | Sense::Labels]) => Ok(Sense::Length),
                        _ => Err(unknown("this call")),
                    },
                }
            }
        }
    }

    #[allow(clippy::unused_self)] // stands beside its siblings
    fn index(&self, of: Sense, index: Sense) -> Result<Sense, String> {
        match (of, index) {
            (Sense::Parts, Sense::Literal(Value::Number(number))) => {
                number.as_i64().map(Sense::Segment).ok_or_else(|| unknown("this index"))
            }
            (Sense::Table, Sense::Literal(Value::String(name))) => Ok(Sense::Column(name)),
            (Sense::Column(date), Sense::Gaps(gaps)) => Ok(Sense::DateWhere { date, gaps }),
            _ => Err(unknown("this index")),
        }
    }
}

fn binary(operator: &str, left: Sense, right: Sense) -> Result<Sense, String> {
    match (operator, left, right) {
        ("is" | "is not", Sense::Column(name), Sense::Literal(Value::Null)) => Ok(Sense::Missing(name, operator == "is")),
        ("in" | "not in", Sense::Literal(Value::String(name)), Sense::Names | Sense::Table) => {
            Ok(Sense::Missing(name, operator == "not in"))
        }
        ("*", Sense::List(items), Sense::Length) | ("*", Sense::Length, Sense::List(items)) if items.len() == 1 => {
            items.into_iter().next().map(Sense::Repeated).ok_or_else(|| unknown("this list"))
        }
        ("+", left, right) => match [texts(left)?, texts(right)?].concat() {
            // No known form joins more, and a snippet must not make text grow without end.
            parts if parts.len() <= 3 => Ok(Sense::Joined(parts)),
            _ => Err(unknown("what this `+` joins")),
        },
        _ => Err(unknown(&format!("this `{operator}`"))),
    }
}

/// The parts of a text that is put together.
fn texts(sense: Sense) -> Result<Vec<Sense>, String> {
    match sense {
        Sense::Joined(parts) => Ok(parts),
        Sense::Literal(Value::String(_)) => Ok(vec![sense]),
        _ => Err(unknown("what this `+` joins")),
    }
}

fn method_call(of: Sense, method: &str, arguments: &[Sense], named: &[(&str, Sense)]) -> Result<Sense, String> {
    let text_at = |index: usize| match arguments.get(index) {
        Some(Sense::Literal(Value::String(text))) => Some(text.as_str()),
        _ => None,
    };
    let plain = named.is_empty();
    match (of, method) {
        (Sense::Key, "split") if plain && arguments.len() == 1 && text_at(0) == Some("/") => Ok(Sense::Parts),
        (Sense::Table, "get") if plain && arguments.len() == 1 => {
            text_at(0).map(|name| Sense::Column(name.to_owned())).ok_or_else(|| unknown("this column"))
        }
        (Sense::Column(name), "fillna") if plain && arguments.len() == 1 => {
            text_at(0).map(|text| Sense::Filled(name, text.to_owned())).ok_or_else(|| unknown("this `fillna`"))
        }
        (of @ (Sense::Column(_) | Sense::Filled(..) | Sense::Repeated(Value::String(_))), "astype")
            if plain && (arguments == [Sense::Builtin("str")] || text_at(0) == Some("str")) =>
        {
            Ok(Sense::Joined(vec![of]))
        }
        (of @ (Sense::Strict { .. } | Sense::DateTime { .. }), "isna" | "isnull") if plain && arguments.is_empty() => {
            Ok(Sense::Gaps(Box::new(of)))
        }
        (Sense::Gaps(of), "any") if plain && arguments.is_empty() => Ok(Sense::AnyGap(of)),
        (Sense::Module("pandas"), "Series") => series(arguments, named),
        (Sense::Module("numpy"), "full") if plain => match arguments {
            [Sense::Length, Sense::Literal(value)] => Ok(Sense::Repeated(value.clone())),
            _ => Err(unknown("this `full`")),
        },
        (Sense::Module("pandas"), "to_datetime") => to_datetime(arguments, named),
        _ => Err(unknown(&format!("`.{method}(…)`"))),
    }
}

/// One value on every row of the table.
fn series(arguments: &[Sense], named: &[(&str, Sense)]) -> Result<Sense, String> {
    let labelled = named.iter().any(|(name, value)| *name == "index" && *value == Sense::Labels);
    if named.iter().any(|(name, value)| *name != "index" || *value != Sense::Labels) {
        return Err(unknown("this `Series`"));
    }
    match arguments {
        [Sense::Repeated(value)] => Ok(Sense::Repeated(value.clone())),
        [Sense::Literal(value)] if labelled => Ok(Sense::Repeated(value.clone())),
        _ => Err(unknown("this `Series`")),
    }
}

/// `to_datetime(text, errors='coerce', format=…)`, or of dates in the rows without a value.
fn to_datetime(arguments: &[Sense], named: &[(&str, Sense)]) -> Result<Sense, String> {
    let of = |wanted: &str| named.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let text = |value: Option<&Sense>| match value {
        Some(Sense::Literal(Value::String(text))) => Some(text.clone()),
        _ => None,
    };
    if text(of("errors")).as_deref() != Some("coerce") {
        return Err(unknown("`to_datetime` without errors='coerce'"));
    }
    match (arguments, text(of("format")).as_deref(), named.len()) {
        ([Sense::DateWhere { date, gaps }], None, 1) => Ok(Sense::ParsedWhere { date: date.clone(), gaps: gaps.clone() }),
        ([Sense::Joined(parts)], Some(STRICT), 2) => strict(parts),
        _ => Err(unknown("this `to_datetime`")),
    }
}

/// `<date> <time>`, a missing time being midnight.
fn strict(parts: &[Sense]) -> Result<Sense, String> {
    let literal = |sense: &Sense, wanted: &str| matches!(sense, Sense::Literal(Value::String(text)) if text == wanted);
    let midnight = |sense: &Sense| literal(sense, MIDNIGHT) || *sense == Sense::Repeated(MIDNIGHT.into());
    let strict = |date: &str, time: Option<&str>| Ok(Sense::Strict { date: date.to_owned(), time: time.map(str::to_owned) });
    match parts {
        [Sense::Column(date), blank, Sense::Filled(time, with)] if literal(blank, " ") && with == MIDNIGHT => strict(date, Some(time)),
        [Sense::Column(date), blank, time] if literal(blank, " ") && midnight(time) => strict(date, None),
        [Sense::Column(date), time] if literal(time, &format!(" {MIDNIGHT}")) => strict(date, None),
        _ => Err(unknown("what is parsed as date and time")),
    }
}
