//! Dates and times: pandas guesses one format from a column's first value and holds all others to
//! it; polars' columns hold ISO dates and times.

use crate::cf::days_from_civil;

const SECOND: i64 = 1_000_000_000;

/// An instant: nanoseconds since 1970 in UTC, and the zone it was written in, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instant {
    pub ns: i64,
    pub zone: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    YearMonthDay,
    YearDayMonth,
    DayMonthYear,
    /// `7 Jan 2012`
    DayNameYear,
    MonthDayYear,
    YearMonth,
    Year,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    None,
    Hour,
    Minute,
    Second,
    Fraction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    None,
    Here,
    AfterSpace,
}

/// A format as pandas guesses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateFormat {
    order: Order,
    /// Between the parts of the date; none in `20120107`.
    separator: Option<u8>,
    /// Between date and time.
    joint: Option<u8>,
    clock: Clock,
    zone: Zone,
    /// Spaces stand around the values.
    spaced: bool,
}

/// Reads the parts of a text one after another.
struct Parts<'a> {
    text: &'a [u8],
    pos: usize,
}

impl Parts<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.pos += 1)
    }

    fn run(&self) -> usize {
        self.text[self.pos..].iter().take_while(|b| b.is_ascii_digit()).count()
    }

    /// At least `min` and at most `max` digits.
    fn number(&mut self, min: usize, max: usize) -> Option<i64> {
        let length = self.run().min(max);
        (length >= min).then(|| {
            let digits = &self.text[self.pos..self.pos + length];
            self.pos += length;
            digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'))
        })
    }

    /// Nanoseconds of 1 to 9 digits.
    fn fraction(&mut self) -> Option<i64> {
        let start = self.pos;
        let value = self.number(1, 9)?;
        Some(value * 10_i64.pow(9 - (self.pos - start) as u32))
    }

    /// `Z`, `+10:00`, `+1000` or `+10`, in minutes.
    fn zone(&mut self) -> Option<i32> {
        if self.peek() == Some(b'Z') {
            self.pos += 1;
            return Some(0);
        }
        if self.text[self.pos..].starts_with(b"UTC") {
            self.pos += 3;
            return Some(0);
        }
        let sign = match self.peek()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.pos += 1;
        let hours = self.number(2, 2)?;
        let colon = self.take(b':').is_some();
        let minutes = if colon || self.run() > 0 { self.number(2, 2)? } else { 0 };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) as i32)
    }

    /// An English name of a month, in full or its first three letters.
    fn month_name(&mut self) -> Option<i64> {
        const MONTHS: [&str; 12] =
            ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
        let length = self.text[self.pos..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let name = self.text[self.pos..self.pos + length].to_ascii_lowercase();
        let month = MONTHS.iter().position(|month| name == month.as_bytes() || name == month.as_bytes()[..3])?;
        self.pos += length;
        Some(month as i64 + 1)
    }

    fn ended(&self) -> bool {
        self.pos == self.text.len()
    }
}

fn nanoseconds(date: (i64, i64, i64), in_day: i64, zone: Option<i32>) -> Option<i64> {
    let days = days_in(date)?;
    let zone = i64::from(zone.unwrap_or(0)) * 60 * SECOND;
    let ns = i128::from(days) * 86_400 * i128::from(SECOND) + i128::from(in_day) - i128::from(zone);
    // The smallest number is the missing time.
    i64::try_from(ns).ok().filter(|&ns| ns != i64::MIN)
}

/// Days since 1970 of a date of the calendar.
fn days_in((year, month, day): (i64, i64, i64)) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    ((1..=9_999).contains(&year) && (1..=length).contains(&day)).then(|| days_from_civil(year, month, day))
}

impl DateFormat {
    /// The format of a column's first value; none when it is no date that can be guessed.
    pub fn guess(first: &[u8], dayfirst: bool) -> Option<Self> {
        let text = first.trim_ascii();
        let format = Self { spaced: text.len() < first.len(), ..shape(text, dayfirst)? };
        format.parse(first).map(|_| format)
    }

    /// The instant a text stands for.
    pub fn parse(self, text: &[u8]) -> Option<Instant> {
        let text = if self.spaced { text.trim_ascii() } else { text };
        let mut parts = Parts { text, pos: 0 };
        let date = self.date(&mut parts)?;
        let in_day = self.time(&mut parts)?;
        let zone = match self.zone {
            Zone::None => None,
            Zone::Here => Some(parts.zone()?),
            Zone::AfterSpace => {
                parts.take(b' ')?;
                Some(parts.zone()?)
            }
        };
        if !parts.ended() {
            return None;
        }
        Some(Instant { ns: nanoseconds(date, in_day, zone)?, zone })
    }

    fn date(self, parts: &mut Parts<'_>) -> Option<(i64, i64, i64)> {
        let short = if self.separator.is_some() { 1 } else { 2 };
        let between = |parts: &mut Parts<'_>| self.separator.map_or(Some(()), |separator| parts.take(separator));
        let year_first = matches!(self.order, Order::Year | Order::YearMonth | Order::YearMonthDay | Order::YearDayMonth);
        if year_first {
            let year = parts.number(4, 4)?;
            if self.order == Order::Year {
                return Some((year, 1, 1));
            }
            between(parts)?;
            let one = parts.number(short, 2)?;
            if self.order == Order::YearMonth {
                return Some((year, one, 1));
            }
            between(parts)?;
            let two = parts.number(short, 2)?;
            return Some(if self.order == Order::YearDayMonth { (year, two, one) } else { (year, one, two) });
        }
        let one = parts.number(short, 2)?;
        between(parts)?;
        let two = if self.order == Order::DayNameYear { parts.month_name()? } else { parts.number(short, 2)? };
        between(parts)?;
        let year = parts.number(4, 4)?;
        Some(if self.order == Order::MonthDayYear { (year, one, two) } else { (year, two, one) })
    }

    /// Nanoseconds in the day.
    fn time(self, parts: &mut Parts<'_>) -> Option<i64> {
        if self.clock == Clock::None {
            return Some(0);
        }
        if let Some(joint) = self.joint {
            parts.take(joint)?;
        }
        let compact = self.joint.is_none();
        let short = if compact { 2 } else { 1 };
        let field = |parts: &mut Parts<'_>, wanted: bool, max: i64| {
            if !wanted {
                return Some(0);
            }
            if !compact {
                parts.take(b':')?;
            }
            parts.number(short, 2).filter(|value| *value <= max)
        };
        let hour = parts.number(short, 2).filter(|hour| *hour < 24)?;
        let minute = field(parts, self.clock != Clock::Hour, 59)?;
        let second = field(parts, matches!(self.clock, Clock::Second | Clock::Fraction), 59)?;
        let fraction = if self.clock == Clock::Fraction {
            parts.take(b'.')?;
            parts.fraction()?
        } else {
            0
        };
        Some((hour * 3_600 + minute * 60 + second) * SECOND + fraction)
    }
}

/// What the parts of a text are, told by their lengths and what stands between them.
fn shape(text: &[u8], dayfirst: bool) -> Option<DateFormat> {
    let mut parts = Parts { text, pos: 0 };
    let order = Order::YearMonthDay;
    let mut format = DateFormat { order, separator: None, joint: None, clock: Clock::None, zone: Zone::None, spaced: false };
    match parts.run() {
        4 => shape_of_year(&mut parts, &mut format, dayfirst)?,
        8 => parts.pos = 8,
        14 => {
            format.clock = Clock::Second;
            return (text.len() == 14).then_some(format);
        }
        1 | 2 => shape_of_day(&mut parts, &mut format, dayfirst)?,
        _ => return None,
    }
    if !matches!(format.order, Order::Year | Order::YearMonth) {
        shape_of_time(&mut parts, &mut format)?;
    }
    parts.ended().then_some(format)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'/' | b'.')
}

fn shape_of_year(parts: &mut Parts<'_>, format: &mut DateFormat, dayfirst: bool) -> Option<()> {
    parts.pos += 4;
    format.order = Order::Year;
    let Some(separator) = parts.peek().filter(|b| is_separator(*b)) else { return Some(()) };
    format.separator = Some(separator);
    parts.pos += 1;
    parts.number(1, 2)?;
    format.order = Order::YearMonth;
    if parts.take(separator).is_some() {
        let month_last = dayfirst && parts.number(1, 2)? <= 12;
        if !dayfirst {
            parts.number(1, 2)?;
        }
        format.order = if month_last { Order::YearDayMonth } else { Order::YearMonthDay };
    }
    Some(())
}

fn shape_of_day(parts: &mut Parts<'_>, format: &mut DateFormat, dayfirst: bool) -> Option<()> {
    let one = parts.number(1, 2)?;
    let separator = parts.peek().filter(|b| is_separator(*b) || *b == b' ')?;
    parts.pos += 1;
    format.separator = Some(separator);
    if parts.peek().is_some_and(|b| b.is_ascii_alphabetic()) {
        parts.month_name()?;
        format.order = Order::DayNameYear;
    } else {
        let two = parts.number(1, 2).filter(|_| separator != b' ')?;
        let is_day = (dayfirst && two <= 12) || one > 12;
        format.order = if is_day { Order::DayMonthYear } else { Order::MonthDayYear };
    }
    parts.take(separator)?;
    parts.number(4, 4).map(drop)
}

fn shape_of_time(parts: &mut Parts<'_>, format: &mut DateFormat) -> Option<()> {
    let joint = match parts.peek() {
        None => return Some(()),
        Some(byte) if matches!(byte, b' ' | b'T' | b'-') => byte,
        _ => return None,
    };
    format.joint = Some(joint);
    parts.pos += 1;
    parts.number(1, 2)?;
    format.clock = Clock::Hour;
    for finer in [Clock::Minute, Clock::Second] {
        if parts.take(b':').is_none() {
            break;
        }
        parts.number(1, 2)?;
        format.clock = finer;
    }
    if format.clock == Clock::Second && parts.take(b'.').is_some() {
        parts.fraction()?;
        format.clock = Clock::Fraction;
    }
    if parts.ended() {
        return Some(());
    }
    format.zone = if parts.take(b' ').is_some() { Zone::AfterSpace } else { Zone::Here };
    parts.zone().map(drop)
}

/// What pandas takes for a missing time inside a column of times.
pub(super) fn is_not_a_time(text: &[u8]) -> bool {
    matches!(text, b"" | b"NaT" | b"nat" | b"NAT" | b"nan" | b"NaN" | b"NAN")
}

/// polars: an ISO date, or date and time, with or without a zone; always as UTC without one.
pub(super) fn iso_instant(text: &[u8]) -> Option<i64> {
    let format = shape(text, false).filter(|format| format.order == Order::YearMonthDay && format.separator != Some(b'.'))?;
    let readable = matches!(format.clock, Clock::None | Clock::Minute | Clock::Second | Clock::Fraction) && format.joint != Some(b'-');
    (readable && format.separator.is_some()).then(|| format.parse(text).map(|instant| instant.ns))?
}

/// polars: an ISO date, in days since 1970.
pub(super) fn iso_date(text: &[u8]) -> Option<i32> {
    let mut parts = Parts { text, pos: 0 };
    let year = parts.number(4, 4)?;
    let separator = parts.peek().filter(|b| matches!(b, b'-' | b'/'))?;
    parts.pos += 1;
    let month = parts.number(1, 2)?;
    parts.take(separator)?;
    let date = (year, month, parts.number(1, 2)?);
    parts.ended().then(|| days_in(date))?.and_then(|days| i32::try_from(days).ok())
}

/// `YYYY-MM-DD?hh:mm:ss` read at once, the day remembered: most times of a file share it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuickTime {
    day: [u8; 10],
    start: i64,
}

impl QuickTime {
    /// The first 19 bytes of a text, if they are that, and which byte joins date and time.
    #[inline]
    pub fn read(&mut self, bytes: &[u8]) -> Option<(i64, u8)> {
        let text = bytes.first_chunk::<19>()?;
        let (day, clock) = text.split_first_chunk::<10>()?;
        if *day != self.day {
            let two = |at: usize| pair(text[at], text[at + 1]);
            if day[4] != b'-' || day[7] != b'-' {
                return None;
            }
            let days = days_in((two(0)? * 100 + two(2)?, two(5)?, two(8)?))?;
            let start = days.checked_mul(86_400 * SECOND)?;
            start.checked_add(86_400 * SECOND)?;
            (self.day, self.start) = (*day, start);
        }
        let hour = pair(clock[1], clock[2])?;
        let minute = pair(clock[4], clock[5])?;
        let second = pair(clock[7], clock[8])?;
        let valid = clock[3] == b':' && clock[6] == b':' && hour < 24 && minute < 60 && second < 60;
        valid.then_some((self.start + (hour * 3_600 + minute * 60 + second) * SECOND, clock[0]))
    }
}

#[inline]
fn pair(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(i64::from(tens) * 10 + i64::from(ones))
}

impl DateFormat {
    /// Whether a value of 19 bytes is read by [`QuickTime`], and with which joint.
    pub fn quick_joint(self) -> Option<u8> {
        let plain = self.order == Order::YearMonthDay && self.separator == Some(b'-') && self.clock == Clock::Second;
        (plain && self.zone != Zone::AfterSpace).then_some(self.joint)?
    }

    /// Whether a `Z` follows the time.
    pub fn has_zone(self) -> bool {
        self.zone != Zone::None
    }
}
