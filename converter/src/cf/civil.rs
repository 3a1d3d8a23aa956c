//! Day numbers of the proleptic Gregorian and of the Julian calendar; day 0 is 1970-01-01.

/// Day number of a proleptic Gregorian date.
#[must_use]
pub const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day number, proleptic Gregorian.
#[must_use]
pub const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// Day number of a Julian date.
pub(super) const fn days_from_julian(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    y.div_euclid(4) * 1_461 + y.rem_euclid(4) * 365 + (153 * shifted + 2) / 5 + day - 1 - 719_470
}

/// Year, month and day of a day number, Julian.
pub(super) const fn julian_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_470;
    let cycle = z.div_euclid(1_461);
    let day_of_cycle = z - cycle * 1_461;
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460) / 365;
    let day_of_year = day_of_cycle - 365 * year_of_cycle;
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_cycle + cycle * 4;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gregorian_days_go_there_and_back() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(days_from_civil(2000, 3, 1), 11_017);
        assert_eq!(days_from_civil(1, 1, 1), -719_162);
        for day in (-800_000..800_000).step_by(37) {
            let (y, m, d) = civil_from_days(day);
            assert_eq!(days_from_civil(y, m, d), day);
        }
    }

    #[test]
    fn julian_days_go_there_and_back() {
        // 1582-10-05 Julian is 1582-10-15 Gregorian; 2010-06-27 Julian is 2010-07-10 Gregorian.
        assert_eq!(days_from_julian(1582, 10, 5), days_from_civil(1582, 10, 15));
        assert_eq!(days_from_julian(2010, 6, 27), days_from_civil(2010, 7, 10));
        assert_eq!(days_from_julian(1, 1, 1), days_from_civil(1, 1, 1) - 2);
        for day in (-800_000..800_000).step_by(37) {
            let (y, m, d) = julian_from_days(day);
            assert_eq!(days_from_julian(y, m, d), day);
        }
    }
}
