//! The slow path of times: exact microseconds in a calendar, as cftime counts them.

use arrow_buffer::NullBuffer;

use super::civil::{days_from_civil, days_from_julian, julian_from_days};
use super::reference::Reference;

const US_PER_DAY: i128 = 86_400_000_000;
const NAT: i64 = i64::MIN;

/// What a calendar means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calendar {
    /// `standard`, `gregorian`: Julian before 1582-10-15.
    Mixed,
    Proleptic,
    Julian,
    /// A calendar whose dates no timestamp has: noleap, `all_leap`, `360_day`.
    Other,
}

impl Calendar {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "standard" | "gregorian" => Self::Mixed,
            "proleptic_gregorian" => Self::Proleptic,
            "julian" => Self::Julian,
            "noleap" | "365_day" | "all_leap" | "366_day" | "360_day" => Self::Other,
            _ => return None,
        })
    }

    pub(super) fn is_standard(self) -> bool {
        matches!(self, Self::Mixed | Self::Proleptic)
    }

    /// Day number of a date of this calendar.
    fn days(self, year: i64, month: i64, day: i64) -> Result<i64, String> {
        match self {
            Self::Mixed if (year, month, day) < (1582, 10, 5) => Ok(days_from_julian(year, month, day)),
            Self::Mixed if (year, month, day) < (1582, 10, 15) => Err("the reference date was left out by the calendar reform".into()),
            Self::Mixed | Self::Proleptic => Ok(days_from_civil(year, month, day)),
            Self::Julian | Self::Other => Ok(days_from_julian(year, month, day)),
        }
    }
}

/// Times in nanoseconds since 1970, the first value no timestamp can hold, and how many there are.
pub(super) fn decode(
    values: &[f64],
    nulls: Option<&NullBuffer>,
    unit_ns: i64,
    reference: &Reference,
    calendar: Calendar,
) -> Result<(Vec<i64>, Option<f64>, u64), String> {
    if reference.year == 0 && calendar != Calendar::Proleptic {
        return Err("there is no year zero in this calendar".into());
    }
    let days = calendar.days(reference.year, reference.month, reference.day)?;
    let origin = i128::from(days) * US_PER_DAY + i128::from(reference.nanoseconds / 1_000);
    let (mut first_beyond, mut beyond) = (None, 0);
    let times = values.iter().enumerate().map(|(i, &value)| {
        if nulls.is_some_and(|n| n.is_null(i)) {
            return NAT;
        }
        microseconds(value, unit_ns).and_then(|us| to_ns(origin + us, calendar)).unwrap_or_else(|| {
            first_beyond.get_or_insert(value);
            beyond += 1;
            NAT
        })
    });
    let times = times.collect();
    Ok((times, first_beyond, beyond))
}

/// Nanoseconds since 1970 of microseconds counted from the day 1970-01-01 (Gregorian).
fn to_ns(us: i128, calendar: Calendar) -> Option<i64> {
    let us = if calendar == Calendar::Julian {
        // The Julian date's own year, month and day are taken for Gregorian ones, to the second.
        let days = i64::try_from(us.div_euclid(US_PER_DAY)).ok()?;
        let (year, month, day) = julian_from_days(days);
        let in_day = us.rem_euclid(US_PER_DAY) / 1_000_000 * 1_000_000;
        i128::from(days_from_civil(year, month, day)) * US_PER_DAY + in_day
    } else {
        us
    };
    i64::try_from(us * 1_000).ok().filter(|&ns| ns != NAT)
}

/// A value in microseconds: an exact product, rounded as cftime does it in 80-bit floats.
#[allow(clippy::float_cmp)]
fn microseconds(value: f64, unit_ns: i64) -> Option<i128> {
    if !value.is_finite() || value.abs() > 1e18 {
        return None;
    }
    let exact = Wide::product(value, i128::from(unit_ns / 1_000));
    let rounded = exact.round();
    if unit_ns == 1_000 {
        return Some(rounded);
    }
    // One microsecond off a whole second is noise of the product.
    Some(match rounded.rem_euclid(1_000_000) {
        1 => exact.floor(),
        999_999 => exact.ceil(),
        _ => rounded,
    })
}

/// `mantissa * 2^exponent`, the mantissa rounded to 64 bits.
#[derive(Clone, Copy)]
struct Wide {
    mantissa: i128,
    exponent: i32,
}

impl Wide {
    fn product(value: f64, factor: i128) -> Self {
        let bits = value.to_bits();
        let biased = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
        let fraction = i128::from(bits & ((1 << 52) - 1));
        let (mantissa, exponent) = if biased == 0 { (fraction, -1_074) } else { (fraction | (1 << 52), biased - 1_075) };
        let product = mantissa * factor * if value.is_sign_negative() { -1 } else { 1 };
        let excess = 128 - product.unsigned_abs().leading_zeros() as i32 - 64;
        if excess > 0 {
            Self { mantissa: round_shift(product, excess), exponent: exponent + excess }
        } else {
            Self { mantissa: product, exponent }
        }
    }

    fn round(self) -> i128 {
        self.shifted(round_shift)
    }

    fn floor(self) -> i128 {
        self.shifted(|mantissa, by| mantissa >> by.min(127))
    }

    fn ceil(self) -> i128 {
        self.shifted(|mantissa, by| -((-mantissa) >> by.min(127)))
    }

    fn shifted(self, down: impl Fn(i128, i32) -> i128) -> i128 {
        if self.exponent >= 0 { self.mantissa << self.exponent.min(62) } else { down(self.mantissa, -self.exponent) }
    }
}

/// `value / 2^by`, half to even.
fn round_shift(value: i128, by: i32) -> i128 {
    if by > 126 {
        return 0;
    }
    let floor = value >> by;
    let rest = value - (floor << by);
    let half = 1i128 << (by - 1);
    if rest > half || (rest == half && floor & 1 == 1) { floor + 1 } else { floor }
}
