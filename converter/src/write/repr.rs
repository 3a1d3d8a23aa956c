//! Python's `repr()` and `str()` of what a config holds: the form of the sidecar's texts.

use std::fmt::{LowerExp, Write};
use std::str::FromStr;

use serde_json::Value;

/// `repr(value)`
#[must_use]
pub fn python_repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => python_float(&shortest(float)),
            _ => number.to_string(),
        },
        Value::String(text) => python_repr_text(text),
        Value::Array(items) => format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", ")),
        Value::Object(items) => {
            let items: Vec<String> = items.iter().map(|(k, v)| format!("{}: {}", python_repr_text(k), python_repr(v))).collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

/// `str(value)`: text as it is.
#[must_use]
pub fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python_repr(other),
    }
}

/// The shortest digits that give the float again, in Rust's `{:e}` form. Where two texts of that length do and the float
/// lies between them, it is the even one: Python, numpy and Arrow write that, Rust writes the other.
pub(crate) fn shortest<F: LowerExp + FromStr + PartialEq + Copy>(float: F) -> String {
    let text = format!("{float:e}");
    let digits = text.bytes().take_while(|&b| b != b'e').filter(u8::is_ascii_digit).count();
    if digits < 8 {
        return text; // so few are never in the middle
    }
    let nearest = format!("{float:.*e}", digits - 1);
    if nearest.parse().is_ok_and(|again: F| again == float) { nearest } else { text }
}

/// `repr` of a float from its shortest digits in Rust's `{:e}` form.
#[must_use]
pub fn python_float(scientific: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.to_lowercase(); // nan, inf
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        return format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    let text = written_out(mantissa, exponent);
    if text.contains('.') { text } else { text + ".0" }
}

/// The digits of `mantissa` with the point where `exponent` puts it: `1.25`, 1 is `12.5`; `1`, 3 is `1000`.
pub(crate) fn written_out(mantissa: &str, exponent: i32) -> String {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if exponent < 0 {
        let zeros = exponent.unsigned_abs() as usize - 1;
        return format!("{sign}0.{}{digits}", "0".repeat(zeros));
    }
    let whole = exponent.unsigned_abs() as usize + 1;
    if digits.len() <= whole { format!("{sign}{digits:0<whole$}") } else { format!("{sign}{}.{}", &digits[..whole], &digits[whole..]) }
}

/// `repr` of a text.
#[must_use]
pub fn python_repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                // A String takes all.
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
    out
}

/// What Python prints as it is: not controls, format characters, separators but the space,
/// private use or unassigned.
fn is_printable(c: char) -> bool {
    let hidden = matches!(
        u32::from(c),
        0..=0x1f | 0x7f..=0xa0 | 0xad | 0x378..=0x379 | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x1680 | 0x180e
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0xd800..=0xf8ff | 0xfeff | 0xfff0..=0xfffb
        | 0xfffe..=0xffff | 0xe0000..=0x10_ffff
    );
    !hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_quoted_as_python_quotes_them() {
        for (text, repr) in [
            ("plain", "'plain'"),
            ("it's", "\"it's\""),
            ("say \"hi\"", "'say \"hi\"'"),
            ("it's \"hi\"", "'it\\'s \"hi\"'"),
            ("a\\b\n\r\t", "'a\\\\b\\n\\r\\t'"),
            ("\u{0}\u{7f}\u{a0}", "'\\x00\\x7f\\xa0'"),
            ("é°µ", "'é°µ'"),
            ("\u{2028}\u{feff}", "'\\u2028\\ufeff'"),
            ("😀", "'😀'"),
            ("", "''"),
        ] {
            assert_eq!(python_repr_text(text), repr);
        }
    }

    #[test]
    fn numbers_and_containers_are_written_as_python_writes_them() {
        let value: Value = serde_json::from_str(
            r#"{"a": 90.0, "b": 90, "c": [0, 1, 2.5], "d": true, "e": null, "f": 1e-5, "g": 1e16, "h": 123456.789, "i": -0.0001, "j": 1e15, "k": {"x": false}}"#,
        )
        .unwrap();
        assert_eq!(
            python_repr(&value),
            "{'a': 90.0, 'b': 90, 'c': [0, 1, 2.5], 'd': True, 'e': None, 'f': 1e-05, 'g': 1e+16, 'h': 123456.789, 'i': -0.0001, 'j': 1000000000000000.0, 'k': {'x': False}}"
        );
        assert_eq!(python_str(&json!("text")), "text");
        assert_eq!(python_str(&json!([0, 1, 2.5])), "[0, 1, 2.5]");
        assert_eq!(python_str(&json!(true)), "True");
        assert_eq!(python_float("1.5e300"), "1.5e+300");
        assert_eq!(python_float("0e0"), "0.0");
        assert_eq!(python_float("NaN"), "nan");
    }
}
