//! Numbers as the two libraries read them, to the last bit.
//!
//! pandas' default parser is not correctly rounded: it takes 17 digits into a float one by one and
//! scales once. polars rounds correctly, as Rust's parser does. Up to 2^53 and 22 decimals there is
//! no difference, and that is what the fast way takes.

use std::sync::LazyLock;

use super::scan::Cursor;

/// Whole numbers below this are exact floats.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;
const SMALL_POWERS: [f64; 23] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];
static POWERS: LazyLock<Vec<f64>> = LazyLock::new(|| (0..=308).map(|n| format!("1e{n}").parse().unwrap_or(f64::INFINITY)).collect());

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&b| !is_space(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|&b| !is_space(b)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Why a text is no integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAnInteger {
    Invalid,
    TooLarge,
}

/// A sign and digits, spaces around them allowed, within `min..=max`.
pub(super) fn pandas_integer(text: &[u8], thousands: Option<u8>, min: i128, max: i128) -> Result<i128, NotAnInteger> {
    const BEYOND: i128 = 1 << 70;
    let text = trim(text);
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return Err(NotAnInteger::Invalid);
    }
    let mut value: i128 = 0;
    for &byte in digits.iter().filter(|&&byte| Some(byte) != thousands) {
        if !byte.is_ascii_digit() {
            return Err(NotAnInteger::Invalid);
        }
        value = (value * 10 + i128::from(byte - b'0')).min(BEYOND);
    }
    let value = if negative { -value } else { value };
    if (min..=max).contains(&value) { Ok(value) } else { Err(NotAnInteger::TooLarge) }
}

/// pandas' default float parser.
pub(super) fn pandas_float(text: &[u8], decimal: u8, thousands: Option<u8>) -> Option<f64> {
    const DIGITS: u32 = 17;
    let body = trim(text);
    let (negative, body) = match body.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, body),
    };
    let (mut number, mut exponent, mut digits, mut pos) = (0.0_f64, 0_i64, 0_u32, 0);
    let digit_at = |pos: usize| body.get(pos).filter(|b| b.is_ascii_digit()).map(|b| f64::from(b - b'0'));
    while let Some(digit) = digit_at(pos) {
        if digits < DIGITS {
            number = number * 10.0 + digit;
            digits += 1;
        } else {
            exponent += 1;
        }
        pos += 1;
        if thousands.is_some() && body.get(pos).copied() == thousands {
            pos += 1;
        }
    }
    if body.get(pos) == Some(&decimal) {
        pos += 1;
        while let Some(digit) = digit_at(pos) {
            if digits < DIGITS {
                number = number * 10.0 + digit;
                digits += 1;
                exponent -= 1;
            }
            pos += 1;
        }
    }
    if digits == 0 {
        return infinity(text);
    }
    let number = if negative { -number } else { number };
    if matches!(body.get(pos), Some(b'e' | b'E')) {
        let (sign, at) = match body.get(pos + 1) {
            Some(b'-') => (-1, pos + 2),
            Some(b'+') => (1, pos + 2),
            _ => (1, pos + 1),
        };
        let length = body[at.min(body.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        let written = body[at..at + length].iter().take(17).fold(0_i64, |n, b| n * 10 + i64::from(b - b'0'));
        exponent += sign * written.min(1_000_000);
        pos = at + length;
    }
    let scaled = scale(number, exponent);
    (pos == body.len() && scaled.is_finite()).then_some(scaled)
}

fn scale(number: f64, exponent: i64) -> f64 {
    let power = |n: i64| usize::try_from(n).ok().and_then(|n| POWERS.get(n)).copied();
    match exponent {
        309.. => number * f64::INFINITY,
        0..=308 => number * power(exponent).unwrap_or(f64::INFINITY),
        -308..=-1 => number / power(-exponent).unwrap_or(f64::INFINITY),
        -616..=-309 => number / power(-308 - exponent).unwrap_or(f64::INFINITY) / 1e308,
        _ => 0.0,
    }
}

fn infinity(text: &[u8]) -> Option<f64> {
    let (sign, name) = match text.split_first() {
        Some((b'-', rest)) => (f64::NEG_INFINITY, rest),
        Some((b'+', rest)) => (f64::INFINITY, rest),
        _ => (f64::INFINITY, text),
    };
    (name.eq_ignore_ascii_case(b"inf") || name.eq_ignore_ascii_case(b"infinity")).then_some(sign)
}

/// polars: spaces before the number are allowed, none behind it. `None` inside when only spaces stand there.
pub(super) fn polars_text(text: &[u8]) -> Option<&[u8]> {
    let start = text.iter().position(|b| !b.is_ascii_whitespace())?;
    Some(&text[start..])
}

pub(super) fn polars_float<T: std::str::FromStr>(text: &[u8], decimal: u8) -> Option<T> {
    if decimal == b'.' {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let point: Vec<u8> = text.iter().map(|&b| if b == decimal { b'.' } else { b }).collect();
    std::str::from_utf8(&point).ok()?.parse().ok()
}

pub(super) fn polars_integer(text: &[u8], min: i128, max: i128) -> Option<i128> {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let plain = !digits.is_empty() && digits.len() <= 38 && digits.iter().all(u8::is_ascii_digit);
    let value: i128 = plain.then(|| std::str::from_utf8(text).ok()?.parse().ok())??;
    (min..=max).contains(&value).then_some(value)
}

/// A plain integer of up to 18 digits that is the whole field: its value, and the end of the field.
#[inline]
pub(super) fn quick_integer(cursor: &Cursor<'_>) -> Option<(i64, usize)> {
    let bytes = cursor.bytes;
    let negative = bytes.get(cursor.pos) == Some(&b'-');
    let start = cursor.pos + usize::from(negative);
    let (mut pos, mut value) = (start, 0_i64);
    while let Some(digit) = bytes.get(pos).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        pos += 1;
    }
    let valid = pos > start && pos - start <= 18 && cursor.ends_at(pos);
    valid.then_some((if negative { -value } else { value }, pos))
}

/// A plain decimal number that is the whole field and for which all parsers agree.
#[inline]
pub(super) fn quick_float(cursor: &Cursor<'_>, decimal: u8) -> Option<(f64, usize)> {
    let bytes = cursor.bytes;
    let negative = bytes.get(cursor.pos) == Some(&b'-');
    let start = cursor.pos + usize::from(negative);
    let (mut pos, mut value) = (start, 0_u64);
    while let Some(digit) = bytes.get(pos).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        pos += 1;
    }
    let mut digits = pos - start;
    let mut decimals = 0;
    if bytes.get(pos) == Some(&decimal) {
        pos += 1;
        let point = pos;
        while let Some(digit) = bytes.get(pos).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            pos += 1;
        }
        decimals = pos - point;
        digits += decimals;
    }
    if digits == 0 || digits > 17 || value > EXACT as u64 || !cursor.ends_at(pos) {
        return None;
    }
    let number = value as f64 / SMALL_POWERS[decimals];
    Some((if negative { -number } else { number }, pos))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What pandas 2.3.3 reads, not always the nearest float.
    #[test]
    fn floats_have_the_bits_of_pandas() {
        for (text, bits) in [
            ("0.30000000000000004", 0x3fd3_3333_3333_3333),
            ("123456789012345678.5", 0x437b_69b4_ba63_0f35),
            ("1.7976931348623157e308", 0x7fef_ffff_ffff_ffff),
            ("4.9e-324", 0x0000_0000_0000_0001),
            ("2.2250738585072014e-308", 0x0010_0000_0000_0000),
            ("9007199254740993.5", 0x4340_0000_0000_0000),
            ("0.1234567890123456789", 0x3fbf_9add_3746_f659),
            ("-13.277299880981445", 0xc02a_8dfa_3fff_ffff),
            ("1e-400", 0),
            ("8.5e-320", 0x4334),
            ("72057594037927945.", 0x4370_0000_0000_0000),
            ("0.000000000000000123456", 0x3c9c_d2b2_97d8_89bc),
            ("179.99999999999997", 0x4066_7fff_ffff_ffff),
            (" 1e23 ", 0x44b5_2d02_c7e1_4af6),
            ("-760467.2e-24", 0xbc2c_0e68_ddb8_bc30),
            ("403508.7717917E-16", 0x3dc6_2ee1_903c_a6ab),
            ("5.66428e-18", 0x3c5a_1f33_95db_9306),
            ("1.5e300", 0x7e41_eb2d_6600_5835),
            ("-0", (-0.0_f64).to_bits()),
            ("-INF", f64::NEG_INFINITY.to_bits()),
        ] {
            assert_eq!(pandas_float(text.as_bytes(), b'.', None).map(f64::to_bits), Some(bits), "{text}");
        }
        for text in ["", "-", ".", "1e", "1e400", "nan", " inf", "1 2", "0x1", "1,5", "1.5.2"] {
            assert_eq!(pandas_float(text.as_bytes(), b'.', None), None, "{text}");
        }
        assert_eq!(pandas_float(b"1.234,5", b',', Some(b'.')), Some(1234.5));
    }

    #[test]
    fn integers_of_both_libraries() {
        let pandas = |text: &str| pandas_integer(text.as_bytes(), Some(b','), i64::MIN.into(), i64::MAX.into());
        assert_eq!(pandas(" +1,000 "), Ok(1000));
        assert_eq!(pandas("-9223372036854775808"), Ok(i64::MIN.into()));
        assert_eq!(pandas("9223372036854775808"), Err(NotAnInteger::TooLarge));
        for text in ["", "-", ",1", "1.0", "1 2", "99999999999999999999999999999999999999999999x"] {
            assert_eq!(pandas(text), Err(NotAnInteger::Invalid), "{text}");
        }
        let polars = |text: &str| polars_integer(text.as_bytes(), i8::MIN.into(), i8::MAX.into());
        assert_eq!((polars("+12"), polars("-0"), polars("00012")), (Some(12), Some(0), Some(12)));
        for text in ["", "-", "--1", "1 ", "128", "1.0", "1e1", "0x1"] {
            assert_eq!(polars(text), None, "{text}");
        }
    }
}
