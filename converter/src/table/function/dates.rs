//! Date and time out of two columns of text, as `pandas.to_datetime` reads them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, TimestampNanosecondArray};
use arrow_schema::{DataType, TimeUnit};

use crate::cf::civil::{civil_from_days, days_from_civil};

const STRICT: &str = "%Y-%m-%d %H:%M:%S";
/// What pandas takes a first date for, in its order; month first where both would do.
const GUESSES: &[&str] = &[
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m",
    "%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%m.%d.%Y",
    "%d.%m.%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%b %d %Y",
];
const MONTHS: &[&str] =
    &["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const NANOS: i128 = 1_000_000_000;

/// How the dates are read that have no valid time: the first of them decides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Fallback {
    #[default]
    Unmet,
    Format(&'static str),
    /// No format fits the first one: each is read by itself.
    Mixed,
}

/// The moments of some rows; a missing time is midnight, an invalid one leaves the date alone.
pub(super) fn combine(dates: &ArrayRef, times: Option<&ArrayRef>, fallback: &mut Fallback) -> Result<ArrayRef, String> {
    let made: Vec<Option<i64>> = match dates.data_type() {
        DataType::Null => vec![None; dates.len()],
        DataType::Utf8 => {
            let text = dates.as_string::<i32>();
            (0..text.len()).map(|row| text.is_valid(row).then(|| moment(text.value(row), times, row, fallback)).flatten()).collect()
        }
        DataType::Date32 => {
            let days = dates.as_primitive::<Date32Type>();
            let text = |row: usize| {
                let (year, month, day) = civil_from_days(i64::from(days.value(row)));
                format!("{year:04}-{month:02}-{day:02}")
            };
            (0..days.len()).map(|row| days.is_valid(row).then(|| moment(&text(row), times, row, fallback)).flatten()).collect()
        }
        // Already moments: a time is added to whole days only.
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            let moments = dates.as_primitive::<TimestampNanosecondType>();
            let at = |row: usize| {
                let value = moments.value(row);
                let whole = i128::from(value).rem_euclid(86_400 * NANOS) == 0;
                let (year, month, day) = civil_from_days(value.div_euclid(86_400 * NANOS as i64));
                let text = format!("{year:04}-{month:02}-{day:02}");
                if whole { strict(&text, times, row).or(Some(value)) } else { Some(value) }
            };
            (0..moments.len()).map(|row| moments.is_valid(row).then(|| at(row)).flatten()).collect()
        }
        other => return Err(format!("holds {other} and no text with a date")),
    };
    Ok(Arc::new(TimestampNanosecondArray::from(made)))
}

fn moment(date: &str, times: Option<&ArrayRef>, row: usize, fallback: &mut Fallback) -> Option<i64> {
    strict(date, times, row).or_else(|| alone(date, fallback))
}

fn strict(date: &str, times: Option<&ArrayRef>, row: usize) -> Option<i64> {
    const MIDNIGHT: &str = "00:00:00";
    let time = match times {
        Some(times) if times.is_valid(row) && *times.data_type() != DataType::Null => match times.data_type() {
            DataType::Utf8 => times.as_string::<i32>().value(row),
            // The text of a number is no time of day.
            _ => return None,
        },
        _ => MIDNIGHT,
    };
    parse(&format!("{date} {time}"), STRICT)
}

fn alone(date: &str, fallback: &mut Fallback) -> Option<i64> {
    if matches!(fallback, Fallback::Unmet) {
        *fallback = GUESSES.iter().find(|format| parse(date, format).is_some()).map_or(Fallback::Mixed, |format| Fallback::Format(format));
    }
    match fallback {
        Fallback::Format(format) => parse(date, format),
        Fallback::Unmet | Fallback::Mixed => GUESSES.iter().find_map(|format| parse(date, format)),
    }
}

/// `strptime` with the directives above; none also for what a timestamp cannot hold.
fn parse(text: &str, format: &str) -> Option<i64> {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    let (mut seconds, mut nanos) = (0, 0);
    // Without marks between them, numbers have all their digits.
    let packed = format == "%Y%m%d";
    let mut rest = text;
    let mut directives = format.chars();
    while let Some(c) = directives.next() {
        if c == ' ' {
            let trimmed = rest.trim_start();
            if trimmed.len() == rest.len() {
                return None;
            }
            rest = trimmed;
            continue;
        }
        if c != '%' {
            rest = rest.strip_prefix(c)?;
            continue;
        }
        match directives.next()? {
            'Y' => year = number(&mut rest, 4, 4)?,
            'm' => month = number(&mut rest, if packed { 2 } else { 1 }, 2).filter(|v| (1..=12).contains(v))?,
            'd' => {
                // The one place where a blank may stand for a digit.
                rest = rest
                    .strip_prefix(' ')
                    .filter(|after| !packed && !after.get(1..2).is_some_and(|c| c.as_bytes()[0].is_ascii_digit()))
                    .unwrap_or(rest);
                day = number(&mut rest, if packed { 2 } else { 1 }, 2).filter(|v| (1..=31).contains(v))?;
            }
            'H' => seconds += 3_600 * number(&mut rest, 1, 2).filter(|v| *v <= 23)?,
            'M' => seconds += 60 * number(&mut rest, 1, 2).filter(|v| *v <= 59)?,
            'S' => seconds += number(&mut rest, 1, 2).filter(|v| *v <= 61)?,
            'f' => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count().min(9);
                let value = number(&mut rest, 1, 9)?;
                nanos = value * 10_i64.pow(9 - digits as u32);
            }
            'b' => month = month_of(&mut rest)?,
            _ => return None,
        }
    }
    if !rest.is_empty() || day > days_in(year, month) {
        return None;
    }
    let total = i128::from(days_from_civil(year, month, day) * 86_400 + seconds) * NANOS + i128::from(nanos);
    // pandas keeps the least value for "not a time".
    i64::try_from(total).ok().filter(|value| *value > i64::MIN)
}

fn days_in(year: i64, month: i64) -> i64 {
    let next = if month == 12 { days_from_civil(year + 1, 1, 1) } else { days_from_civil(year, month + 1, 1) };
    next - days_from_civil(year, month, 1)
}

fn number(rest: &mut &str, least: usize, most: usize) -> Option<i64> {
    let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits < least {
        return None;
    }
    let (number, after) = rest.split_at(digits);
    *rest = after;
    number.parse().ok()
}

/// A month's name, whole or its first three letters.
fn month_of(rest: &mut &str) -> Option<i64> {
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, after) = rest.split_at(letters);
    let name = name.to_ascii_lowercase();
    let place = MONTHS.iter().position(|month| *month == name || month[..3] == name)?;
    *rest = after;
    Some(place as i64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, NullArray, StringArray};

    fn said(text: &str) -> String {
        let shown = |ns: i64| jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_string();
        parse(text, STRICT).map_or_else(|| "-".to_owned(), shown)
    }

    /// Each line is what pandas 2.3.3 makes of it.
    #[test]
    fn the_strict_format_takes_what_pandas_takes() {
        for (text, expected) in [
            ("2008-06-01 10:30:00", "2008-06-01T10:30:00Z"),
            ("2008-6-1 9:00:00", "2008-06-01T09:00:00Z"),
            ("2008-06-01 1:2:3", "2008-06-01T01:02:03Z"),
            ("2008-06-01  10:30:00", "2008-06-01T10:30:00Z"),
            ("2008-06-01 10:30:61", "2008-06-01T10:31:01Z"),
            ("1677-09-21 00:12:44", "1677-09-21T00:12:44Z"),
            ("2262-04-11 23:47:16", "2262-04-11T23:47:16Z"),
            ("1677-09-21 00:12:43", "-"),
            ("2262-04-11 23:47:17", "-"),
            ("2008-06-01 10:30", "-"),
            ("2008-06-01 10:30:00.5", "-"),
            ("2008-06-01T10:30:00", "-"),
            (" 2008-06-01 10:30:00", "-"),
            ("2008-06-01 10:30:00 ", "-"),
            ("2008-06-01 10:30:00Z", "-"),
            ("2008-06-01 24:00:00", "-"),
            ("2008-02-30 10:00:00", "-"),
            ("2008/06/01 10:30:00", "-"),
            ("20080601 10:30:00", "-"),
            ("0008-06-01 00:00:00", "-"),
            ("+2008-06-01 10:00:00", "-"),
            ("nan 00:00:00", "-"),
        ] {
            assert_eq!(said(text), expected, "{text:?}");
        }
    }

    fn days(dates: &[&str], times: Option<&ArrayRef>) -> Vec<Option<i64>> {
        let dates: ArrayRef = Arc::new(StringArray::from(dates.to_vec()));
        let made = combine(&dates, times, &mut Fallback::default()).unwrap();
        made.as_primitive::<TimestampNanosecondType>().iter().map(|v| v.map(|v| v / 3_600_000_000_000)).collect()
    }

    /// Hours since 1970.
    fn hours(text: &str) -> Option<i64> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| moment.as_second() / 3_600)
    }

    #[test]
    fn a_date_without_a_valid_time_stands_alone_in_the_format_of_the_first() {
        let june = hours("2008-06-01T00:00:00Z");
        let times: ArrayRef = Arc::new(StringArray::from(vec![Some("10:00:00"), None, Some("10:00"), Some("")]));
        assert_eq!(days(&["2008-06-01"; 4], Some(&times)), [hours("2008-06-01T10:00:00Z"), june, june, june]);
        let bad: ArrayRef = Arc::new(StringArray::from(vec!["x"; 4]));
        let of = |dates: &[&str; 4]| days(dates, Some(&bad));
        assert_eq!(of(&["2008-06-01", "2008-06-01 10:00", "2008-6-1", "2008/06/01"]), [june, None, june, None]);
        assert_eq!(of(&["06/01/2008", "13/06/2008", "6/1/2008", "x"]), [june, None, june, None]);
        assert_eq!(of(&["13/06/2008", "01/06/2008", "20080601", "x"]), [hours("2008-06-13T00:00:00Z"), june, None, None]);
        assert_eq!(of(&["x", "2008-06-01", "1 Jun 2008", "20080601"]), [None, june, june, june]);
        assert_eq!(of(&["1 June 2008", "1 Jun 2008", "June 1, 2008", "2008"]), [june, june, None, None]);
    }

    #[test]
    fn columns_without_text() {
        let june = hours("2008-06-01T00:00:00Z");
        assert_eq!(days(&["2008-06-01"], Some(&(Arc::new(NullArray::new(1)) as ArrayRef))), [june]);
        assert_eq!(
            days(&["2008-06-01", "2008-06-01"], Some(&(Arc::new(Int64Array::from(vec![Some(10), None])) as ArrayRef))),
            [june, june]
        );
        assert_eq!(days(&["2008-06-01"], None), [june]);
        let wrong: ArrayRef = Arc::new(Int64Array::from(vec![20_080_601]));
        assert_eq!(combine(&wrong, None, &mut Fallback::default()).unwrap_err(), "holds Int64 and no text with a date");
        let known: ArrayRef = Arc::new(arrow_array::Date32Array::from(vec![Some(14_031), None]));
        let made = combine(&known, None, &mut Fallback::default()).unwrap();
        assert_eq!((made.as_primitive::<TimestampNanosecondType>().value(0) / 3_600_000_000_000, made.null_count()), (june.unwrap(), 1));
    }
}
