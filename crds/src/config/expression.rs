//! CEL expressions of computed columns: whether they parse, what they name, and that no row can make
//! them run for long.

use std::collections::BTreeSet;

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr};

/// What an expression may name besides columns: the file's `bucket/path/name`, its name, its bucket and its global attributes.
pub const FILE_NAMES: &[&str] = &["key", "filename", "bucket", "global"];

/// Longest expression, in bytes.
const LONGEST: usize = 1_000;
/// How deep parts of an expression may stand in each other.
const DEEPEST: usize = 48;

const FUNCTIONS: &[&str] = &[
    "contains",
    "size",
    "max",
    "min",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "bytes",
    "double",
    "int",
    "uint",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

/// The columns an expression names, or what is wrong with it.
pub(super) fn check(text: &str) -> Result<Vec<String>, String> {
    if text.len() > LONGEST {
        return Err(format!("{} bytes; write a CEL expression of at most {LONGEST}", text.len()));
    }
    // The parser itself goes as deep as the text says.
    if nesting(text) > DEEPEST {
        return Err(format!("more than {DEEPEST} brackets or operators in each other; write a simpler expression"));
    }
    let program = Program::compile(text).map_err(|errors| {
        let said =
            errors.errors.first().map_or_else(String::new, |error| format!(", line {} column {}: {}", error.pos.0, error.pos.1, error.msg));
        format!("not a CEL expression{said}")
    })?;
    let mut walk = Walk::default();
    walk.visit(program.expression(), 0)?;
    Ok(walk.columns.into_iter().collect())
}

/// An upper bound of how deep the text is nested: open brackets, and operators in a row.
fn nesting(text: &str) -> usize {
    let (mut open, mut deepest, mut operators) = (0_usize, 0, 0_usize);
    let mut quote = None;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => drop(bytes.next()),
            (Some(end), byte) if byte == end => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => {
                open += 1;
                deepest = deepest.max(open);
            }
            (None, b')' | b']' | b'}') => open = open.saturating_sub(1),
            (None, b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'?' | b'.') => operators += 1,
            _ => {}
        }
    }
    // Numbers have points too: operators are only what is left of a generous allowance.
    deepest + operators.saturating_sub(2 * DEEPEST)
}

#[derive(Default)]
struct Walk {
    columns: BTreeSet<String>,
    /// Names that `map`, `filter`, … give to the items of a list.
    bound: Vec<String>,
}

impl Walk {
    fn visit(&mut self, expression: &IdedExpr, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("parts stand in each other more than {DEEPEST} deep; write a simpler expression"));
        }
        let deeper = depth + 1;
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if !name.starts_with('@') && !self.bound.contains(name) && !FILE_NAMES.contains(&name.as_str()) {
                    self.columns.insert(name.clone());
                }
            }
            Expr::Call(call) => {
                let operator = !call.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
                if !operator && !FUNCTIONS.contains(&call.func_name.as_str()) {
                    return Err(format!("`{}` is not a function here; there are {}", call.func_name, FUNCTIONS.join(", ")));
                }
                for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
                    self.visit(part, deeper)?;
                }
            }
            Expr::Select(select) => self.visit(&select.operand, deeper)?,
            Expr::List(list) => list.elements.iter().try_for_each(|item| self.visit(item, deeper))?,
            Expr::Map(map) => self.entries(&map.entries, deeper)?,
            Expr::Struct(made) => return Err(format!("`{}{{…}}` makes a message, and there are none here", made.type_name)),
            Expr::Comprehension(all) => {
                // One loop over a list as long as the expression is the most a row may cost.
                if !self.bound.is_empty() {
                    return Err(
                        "one of `all`, `exists`, `exists_one`, `filter`, `map` inside another; write it with one of them".to_owned()
                    );
                }
                self.visit(&all.iter_range, deeper)?;
                self.bound = std::iter::once(&all.iter_var).chain(&all.iter_var2).cloned().collect();
                for part in [&all.accu_init, &all.loop_cond, &all.loop_step, &all.result] {
                    self.visit(part, deeper)?;
                }
                self.bound.clear();
            }
        }
        Ok(())
    }

    fn entries(&mut self, entries: &[IdedEntryExpr], depth: usize) -> Result<(), String> {
        for entry in entries {
            match &entry.expr {
                EntryExpr::StructField(field) => self.visit(&field.value, depth)?,
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key, depth)?;
                    self.visit(&entry.value, depth)?;
                }
            }
        }
        Ok(())
    }
}
