//! The `units` of a time: what counts as one, and how many nanoseconds it has.

/// Nanoseconds of a time unit.
pub(super) type UnitNs = i64;

/// What the `units` of a variable make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeLike {
    /// A duration in this unit.
    Duration(UnitNs),
    /// `<unit> since <date>`
    Since,
}

impl TimeLike {
    pub(super) fn of(units: Option<&str>) -> Option<Self> {
        let units = units?;
        if units.contains("since") {
            return Some(Self::Since);
        }
        // The exact plural, nothing else: "seconds" is a duration, "s" is not.
        plural_unit(units).map(Self::Duration)
    }
}

/// A unit by its exact lower-case plural name.
fn plural_unit(name: &str) -> Option<UnitNs> {
    Some(match name {
        "days" => 86_400_000_000_000,
        "hours" => 3_600_000_000_000,
        "minutes" => 60_000_000_000,
        "seconds" => 1_000_000_000,
        "milliseconds" => 1_000_000,
        "microseconds" => 1_000,
        "nanoseconds" => 1,
        _ => return None,
    })
}

/// The unit of `<unit> since <date>` as the fast path knows it: any case, final s optional.
pub(super) fn time_unit(name: &str) -> Option<UnitNs> {
    let lower = name.to_lowercase();
    plural_unit(&if lower.ends_with('s') { lower } else { lower + "s" })
}

/// The short names only the calendar path knows.
pub(super) fn calendar_unit(name: &str) -> Option<UnitNs> {
    let lower = name.to_lowercase();
    time_unit(&lower).filter(|&ns| ns >= 1_000).or(match lower.as_str() {
        "microsec" | "microsecs" => Some(1_000),
        "millisec" | "millisecs" | "msec" | "msecs" | "ms" => Some(1_000_000),
        "sec" | "secs" | "s" => Some(1_000_000_000),
        "min" | "mins" => Some(60_000_000_000),
        "hr" | "hrs" | "h" => Some(3_600_000_000_000),
        "d" => Some(86_400_000_000_000),
        _ => None,
    })
}

/// Splits `<unit> since <date>`.
pub(super) fn split_since(units: &str) -> Option<(&str, &str)> {
    // Greedy, as the pattern `(.+) since (.+)` is: the last " since " divides.
    let (unit, date) = units.rsplit_once(" since ")?;
    let (unit, date) = (unit.trim(), date.trim());
    (!unit.is_empty() && !date.is_empty()).then_some((unit, date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_plurals_are_durations() {
        assert_eq!(TimeLike::of(Some("seconds")), Some(TimeLike::Duration(1_000_000_000)));
        for units in ["s", "second", "Seconds", "m", "1", "degrees"] {
            assert_eq!(TimeLike::of(Some(units)), None, "{units}");
        }
        assert_eq!(TimeLike::of(Some("days since 1950-01-01")), Some(TimeLike::Since));
        assert_eq!(TimeLike::of(None), None);
    }

    #[test]
    fn units_since_take_any_case_and_number() {
        assert_eq!(time_unit("Day"), Some(86_400_000_000_000));
        assert_eq!(time_unit("SECONDS"), Some(1_000_000_000));
        assert_eq!(time_unit("months"), None);
        assert_eq!(time_unit("hrs"), None);
        assert_eq!(calendar_unit("hrs"), Some(3_600_000_000_000));
        assert_eq!(split_since("days since 1950-01-01 00:00:00Z"), Some(("days", "1950-01-01 00:00:00Z")));
        assert_eq!(split_since("seconds_since_epoch"), None);
    }
}
