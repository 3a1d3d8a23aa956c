//! The time partition (spec 4.1) and the rows it leaves out (4.2).

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array, ArrayRef, Float64Array, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use crds::config::PartitionPeriod;
use crds::wire::Compat;

use super::FileError;
use super::cast;
use super::level::{Distinct, LEFT_OUT};
use crate::cf::{civil_from_days, days_from_civil};

const NS_PER_DAY: i128 = 86_400_000_000_000;
/// 1900-01-01: what is earlier is a bad time.
const EARLIEST_SECOND: f64 = -2_208_988_800.0;

/// Codes and values of the time slices.
pub(super) struct Slices {
    pub(super) codes: Vec<u32>,
    /// Period starts in Unix seconds, one for each code.
    pub(super) seconds: Vec<f64>,
}

/// What the time partition needs besides the times.
pub(super) struct TimeRule<'a> {
    pub(super) variable: &'a str,
    pub(super) period: PartitionPeriod,
    pub(super) compat: Compat,
    /// The year in which the conversion runs.
    pub(super) current_year: i64,
    /// The table has one index and it is named exactly like the time variable.
    pub(super) sole_index: bool,
}

/// The times of an array that is no timestamp, as the incumbent reads them: numbers are nanoseconds. The
/// array begins at value `first` of its variable.
pub(super) fn as_times(array: &ArrayRef, variable: &str, first: usize) -> Result<ArrayRef, FileError> {
    let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let bad = |detail: &str| FileError::BadTime(format!("variable {variable:?} {detail}"));
    match array.data_type() {
        DataType::Float32 | DataType::Float64 => {
            let wide = cast::cast(array, &DataType::Float64).map_err(|_| bad("cannot be widened"))?;
            let times: PrimitiveArray<TimestampNanosecondType> =
                wide.as_primitive::<arrow_array::types::Float64Type>().iter().map(|v| v.map(|v| v as i64)).collect();
            Ok(std::sync::Arc::new(times))
        }
        data_type if data_type.is_integer() => {
            let wide = cast::cast(array, &DataType::Int64).map_err(|e| bad(&e.text(first)))?;
            cast::cast(&wide, &nanoseconds).map_err(|e| bad(&e.text(first)))
        }
        DataType::Utf8 | DataType::Binary => {
            let text = cast::cast(array, &DataType::Utf8).map_err(|e| bad(&e.text(first)))?;
            cast::cast(&text, &nanoseconds).map_err(|e| bad(&format!("is text and no time: {}", e.text(first))))
        }
        data_type => Err(bad(&format!("is {data_type} and no time"))),
    }
}

/// Times in nanoseconds without a zone. A zoned time counts as what its clock shows (spec 4.1).
pub(super) fn wall_times(array: &ArrayRef, variable: &str, first: usize) -> Result<ArrayRef, FileError> {
    let bad = |detail: &str| FileError::BadTime(format!("variable {variable:?} {detail}"));
    let offset = match array.data_type() {
        DataType::Timestamp(_, Some(zone)) => {
            zone_seconds(zone).ok_or_else(|| bad(&format!("has the time zone {zone:?}, which is no fixed offset")))?
        }
        _ => 0,
    };
    let times = cast::cast(array, &DataType::Timestamp(TimeUnit::Nanosecond, None)).map_err(|e| bad(&e.text(first)))?;
    if offset == 0 {
        return Ok(times);
    }
    let shifted =
        times.as_primitive::<TimestampNanosecondType>().unary_opt::<_, TimestampNanosecondType>(|t| t.checked_add(offset * 1_000_000_000));
    Ok(std::sync::Arc::new(shifted))
}

/// Seconds of `UTC` or `+hh:mm`.
fn zone_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "UTC" | "Z" | "utc") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60))
}

/// How often a time is earlier than the one before it.
pub(super) fn steps_back(times: &dyn Array, last: &mut Option<i64>) -> u64 {
    let mut steps = 0;
    for time in times.as_primitive::<TimestampNanosecondType>().iter().flatten() {
        steps += u64::from(last.is_some_and(|last| time < last));
        *last = Some(time);
    }
    steps
}

/// Gives every time its period; null, early and (Fixed) far future times are left out.
pub(super) fn slices(times: &dyn Array, rule: &TimeRule) -> Result<Slices, FileError> {
    let times = times.as_primitive::<TimestampNanosecondType>();
    let last_year = rule.current_year + 1;
    let first_future = i64::try_from(i128::from(days_from_civil(last_year + 1, 1, 1)) * NS_PER_DAY).unwrap_or(i64::MAX);
    if rule.compat == Compat::Incumbent
        && rule.sole_index
        && let Some(future) = times.iter().flatten().find(|&t| t >= first_future)
    {
        let (year, _, _) = civil_from_days(i64::try_from(i128::from(future).div_euclid(NS_PER_DAY)).unwrap_or(0));
        return Err(FileError::FutureTime { variable: rule.variable.to_owned(), year });
    }

    let mut distinct = Distinct::new();
    let mut seconds = Vec::new();
    let mut last = Period { start: 0, end: 0 };
    let mut last_code = LEFT_OUT;
    let mut codes = Vec::with_capacity(times.len());
    for time in times {
        let Some(time) = time.filter(|&t| rule.compat == Compat::Incumbent || t < first_future) else {
            codes.push(LEFT_OUT);
            continue;
        };
        if !last.holds(time) {
            last = Period::of(time, rule.period);
            let start = match i64::try_from(last.start) {
                Ok(start) if start > i64::MIN => start,
                _ if rule.compat == Compat::Fixed => i64::MIN,
                _ => {
                    let text = cast::scalar_text(&PrimitiveArray::<TimestampNanosecondType>::from(vec![time]), 0).unwrap_or_default();
                    return Err(FileError::BadTime(format!(
                        "variable {:?} has {text}, whose period starts before any timestamp",
                        rule.variable
                    )));
                }
            };
            let second = start as f64 / 1e9;
            last_code = if second < EARLIEST_SECOND { LEFT_OUT } else { distinct.code(start) };
            if last_code != LEFT_OUT && last_code as usize == seconds.len() {
                seconds.push(second);
            }
        }
        codes.push(last_code);
    }
    Ok(Slices { codes, seconds })
}

/// The folder values of the slices: whole seconds in the column's type, fractions as float64.
pub(super) fn slice_texts(seconds: Vec<f64>, to: &DataType) -> Vec<Option<String>> {
    let values: ArrayRef = std::sync::Arc::new(Float64Array::from(seconds));
    let values = cast::cast(&values, to).unwrap_or(values);
    (0..values.len()).map(|i| cast::scalar_text(&values, i)).collect()
}

/// A calendar period in nanoseconds.
struct Period {
    start: i128,
    end: i128,
}

impl Period {
    fn holds(&self, time: i64) -> bool {
        (self.start..self.end).contains(&i128::from(time))
    }

    fn of(time: i64, period: PartitionPeriod) -> Self {
        let months = match period {
            PartitionPeriod::Month => 1,
            PartitionPeriod::Quarter => 3,
            PartitionPeriod::Year => 12,
            PartitionPeriod::Hour => return Self::clock(time, 3_600_000_000_000),
            PartitionPeriod::Minute => return Self::clock(time, 60_000_000_000),
            PartitionPeriod::Second => return Self::clock(time, 1_000_000_000),
            PartitionPeriod::Millisecond => return Self::clock(time, 1_000_000),
            PartitionPeriod::Microsecond => return Self::clock(time, 1_000),
            PartitionPeriod::Nanosecond => return Self::clock(time, 1),
        };
        let day = i64::try_from(i128::from(time).div_euclid(NS_PER_DAY)).unwrap_or(0);
        let (year, month, _) = civil_from_days(day);
        let first = (month - 1) / months * months + 1;
        let (next_year, next) = if first + months > 12 { (year + 1, 1) } else { (year, first + months) };
        Self {
            start: i128::from(days_from_civil(year, first, 1)) * NS_PER_DAY,
            end: i128::from(days_from_civil(next_year, next, 1)) * NS_PER_DAY,
        }
    }

    fn clock(time: i64, unit: i64) -> Self {
        let start = i128::from(time.div_euclid(unit)) * i128::from(unit);
        Self { start, end: start + i128::from(unit) }
    }
}
