//! Attribute values as Python's `str()` writes them.

use crate::read::{Values, for_numbers};
use crate::write::{python_float, shortest};

/// The text of an attribute: a scalar's digits, an array as numpy prints it.
pub(super) fn text(values: &Values) -> String {
    match values {
        Values::Text(texts) => match texts.as_slice() {
            [text] => text.clone(),
            texts => bracketed(&texts.iter().map(|t| crate::write::python_repr_text(t)).collect::<Vec<_>>()),
        },
        Values::Char(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Values::F32(v) => match v.as_slice() {
            [one] => python_float(&shortest(*one)),
            many => float_array(&many.iter().map(|v| shortest(*v)).collect::<Vec<_>>()),
        },
        Values::F64(v) => match v.as_slice() {
            [one] => python_float(&shortest(*one)),
            many => float_array(&many.iter().map(|v| shortest(*v)).collect::<Vec<_>>()),
        },
        numbers => for_numbers!(numbers, v => match v.as_slice() {
            [one] => one.to_string(),
            many => {
                let texts: Vec<String> = many.iter().map(ToString::to_string).collect();
                let width = texts.iter().map(String::len).max().unwrap_or(0);
                bracketed(&texts.iter().map(|t| format!("{t:>width$}")).collect::<Vec<_>>())
            }
        }, _ => String::new()),
    }
}

/// numpy aligns the decimal points: `[1.5 2. ]`.
fn float_array(scientific: &[String]) -> String {
    let texts: Vec<String> = scientific
        .iter()
        .map(|s| {
            let text = python_float(s);
            text.strip_suffix(".0").map_or(text.clone(), |whole| format!("{whole}."))
        })
        .collect();
    let split = |t: &str| t.find('.').map_or((t.len(), 0), |dot| (dot, t.len() - dot));
    let before = texts.iter().map(|t| split(t).0).max().unwrap_or(0);
    let after = texts.iter().map(|t| split(t).1).max().unwrap_or(0);
    let pad = |t: &String| {
        let (left, right) = split(t);
        format!("{}{t}{}", " ".repeat(before - left), " ".repeat(after - right))
    };
    bracketed(&texts.iter().map(pad).collect::<Vec<_>>())
}

/// Lines of at most 75 characters, as numpy breaks them.
fn bracketed(items: &[String]) -> String {
    let mut text = String::from("[");
    let mut line = 1;
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            if line + 1 + item.chars().count() > 74 {
                text.push_str("\n ");
                line = 1;
            } else {
                text.push(' ');
                line += 1;
            }
        }
        text.push_str(item);
        line += item.chars().count();
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_print_as_python_prints_them() {
        assert_eq!(text(&Values::F64(vec![12.0])), "12.0");
        assert_eq!(text(&Values::F32(vec![0.1])), "0.1");
        assert_eq!(text(&Values::I32(vec![4])), "4");
        assert_eq!(text(&Values::F64(vec![1.5, 2.0])), "[1.5 2. ]");
        assert_eq!(text(&Values::F64(vec![10.25, -2.0])), "[10.25 -2.  ]");
        assert_eq!(text(&Values::I8(vec![0, 1, 10])), "[ 0  1 10]");
        assert_eq!(text(&Values::Text(vec!["SYD140".into()])), "SYD140");
        assert_eq!(text(&Values::F64(vec![1e16])), "1e+16");
        assert_eq!(text(&Values::F64(vec![1e-5])), "1e-05");
    }
}
