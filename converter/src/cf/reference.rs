//! The reference date of `<unit> since <date>`, parsed leniently.

/// A moment as written: nothing says yet which calendar it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Nanoseconds of the day, the zone already taken off: may be negative or beyond one day.
    pub(super) nanoseconds: i64,
}

const NS_PER_SECOND: i64 = 1_000_000_000;

impl Reference {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, rest) = split_date(text)?;
        let (year, month, day) = date;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let rest = rest.trim_start_matches(['T', 't', ' ', ',']).trim();
        let (clock, zone) = split_zone(rest)?;
        Some(Self { year, month, day, nanoseconds: parse_clock(clock)? - zone })
    }
}

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    (digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Year, month and day, and what follows them.
fn split_date(text: &str) -> Option<((i64, i64, i64), &str)> {
    let end = text.find(|c: char| c == 'T' || c == 't' || c.is_whitespace() || c == ',').unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    if let Some(compact) = number(date, 8..=8) {
        return Some(((compact / 10_000, compact / 100 % 100, compact % 100), rest));
    }
    let (sign, unsigned) = match date.strip_prefix('-') {
        Some(unsigned) => (-1, unsigned),
        None => (1, date.strip_prefix('+').unwrap_or(date)),
    };
    let fields: Vec<&str> = unsigned.split(['-', '/', '.']).collect();
    let date = match fields.as_slice() {
        // A lone year or year and month count from their start.
        [year] => (sign * number(year, 1..=5)?, 1, 1),
        [year, month] => (sign * number(year, 1..=5)?, number(month, 1..=2)?, 1),
        [a, b, c] => match (number(a, 1..=5), month_by_name(b)) {
            (Some(day), Some(month)) if a.len() <= 2 => (number(c, 4..=4)?, month, day),
            (Some(year), Some(month)) => (year, month, number(c, 1..=2)?),
            // 01/02/1970 is January the 2nd, as the incumbent's parser has it.
            (Some(month), None) if a.len() <= 2 && c.len() == 4 => {
                let (second, year) = (number(b, 1..=2)?, number(c, 4..=4)?);
                if month > 12 { (year, second, month) } else { (year, month, second) }
            }
            (Some(year), None) => (sign * year, number(b, 1..=2)?, number(c, 1..=2)?),
            (None, _) => return None,
        },
        _ => return None,
    };
    Some((date, rest))
}

fn month_by_name(text: &str) -> Option<i64> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let lower = text.to_lowercase();
    (1..).zip(NAMES).find(|(_, name)| lower.len() >= 3 && lower.starts_with(name)).map(|(month, _)| month)
}

/// The clock and the offset of its zone in nanoseconds.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    for name in ["Z", "z", "UTC", "utc", "GMT", "gmt"] {
        if let Some(clock) = text.strip_suffix(name) {
            return Some((clock.trim(), 0));
        }
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (clock, zone) = text.split_at(at);
    let (sign, digits) = if let Some(digits) = zone.strip_prefix('-') { (-1, digits) } else { (1, &zone[1..]) };
    let (hours, minutes) = match digits.split_once(':') {
        Some((h, m)) => (number(h, 1..=2)?, number(m, 1..=2)?),
        None if digits.len() > 2 => {
            let (hours, minutes) = digits.split_at_checked(digits.len() - 2)?;
            (number(hours, 1..=2)?, number(minutes, 2..=2)?)
        }
        None => (number(digits, 1..=2)?, 0),
    };
    Some((clock.trim_end_matches("UTC").trim(), sign * (hours * 3_600 + minutes * 60) * NS_PER_SECOND))
}

fn parse_clock(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let mut fields = text.split(':');
    let hours = number(fields.next()?.trim(), 1..=2)?;
    let minutes = fields.next().map_or(Some(0), |m| number(m.trim(), 1..=2))?;
    let (seconds, fraction) = match fields.next() {
        None => (0, 0),
        Some(field) => {
            let (seconds, fraction) = field.trim().split_once('.').unwrap_or((field.trim(), ""));
            let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
            (number(seconds, 1..=2)?, number(&digits, 9..=9)?)
        }
    };
    let valid = fields.next().is_none() && hours < 24 && minutes < 60 && seconds < 60;
    valid.then_some((hours * 3_600 + minutes * 60 + seconds) * NS_PER_SECOND + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64, seconds: i64) -> Reference {
        Reference { year, month, day, nanoseconds: seconds * NS_PER_SECOND }
    }

    #[test]
    fn reference_dates_are_read_in_many_forms() {
        for text in [
            "1950-01-01",
            "1950-01-01 00:00:00 UTC",
            "1950-01-01 00:00:00Z",
            "1950-01-01T00:00:00Z",
            "1950-1-1 0:0:0",
            "1950-01-01 00:00:00.0",
            "19500101",
            "1950/01/01",
            "01-JAN-1950 00:00:00",
            "1950-01-01 00:00:00 +00:00",
            "1950",
        ] {
            assert_eq!(Reference::parse(text), Some(at(1950, 1, 1, 0)), "{text}");
        }
        assert_eq!(Reference::parse("1970-01-01T00:00:00+10:00"), Some(at(1970, 1, 1, -36_000)));
        assert_eq!(Reference::parse("1970-01-01 06:00:00 -0330"), Some(at(1970, 1, 1, 21_600 + 12_600)));
        assert_eq!(Reference::parse("1-1-1 00:00:00"), Some(at(1, 1, 1, 0)));
        assert_eq!(
            Reference::parse("2000-01-01 12:30:15.25"),
            Some(Reference { year: 2000, month: 1, day: 1, nanoseconds: 45_015_250_000_000 })
        );
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["1970-01-01T00:00:00+1\u{feff}0", "", "epoch", "1950-13-01", "1950-01-01 25:00:00", "1950-01-01 aa"] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}
