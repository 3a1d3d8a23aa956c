//! `spec.schedule`: five cron fields and a time zone.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::spec::Schedule;
use crate::config::Finding;

/// A schedule that has been read.
#[derive(Clone, Debug)]
pub struct Clock {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Reads cron and time zone. The findings' paths begin with `spec.schedule`.
    pub fn clock(&self) -> Result<Clock, Vec<Finding>> {
        let mut findings = Vec::new();
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(&self.cron)
            .map_err(|error| {
                let advice = "write five fields: minute, hour, day of month, month, day of week, such as `15 */6 * * *`";
                findings.push(Finding::new("spec.schedule.cron", format!("`{}` is not a schedule: {error}; {advice}", self.cron)));
            })
            .ok();
        let zone = match self.time_zone.as_deref() {
            None => Some(TimeZone::UTC),
            Some(name) => TimeZone::get(name)
                .map_err(|_| {
                    let advice = "write an IANA name such as `Australia/Hobart` or `UTC`";
                    findings.push(Finding::new("spec.schedule.timeZone", format!("`{name}` is not a time zone; {advice}")));
                })
                .ok(),
        };
        let (Some(cron), Some(zone)) = (cron, zone) else { return Err(findings) };
        let clock = Clock { cron, zone };
        if clock.next_after(Timestamp::UNIX_EPOCH).is_none() {
            let message = format!("`{}` never comes; write a day that exists", self.cron);
            return Err(vec![Finding::new("spec.schedule.cron", message)]);
        }
        Ok(clock)
    }
}

impl Clock {
    /// The first slot after an instant; none when there is none any more.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let start = after.to_zoned(self.zone.clone());
        Some(self.cron.find_next_occurrence(&start, false).ok()?.timestamp())
    }

    /// The last slot at or before an instant.
    #[must_use]
    pub fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        let start = until.to_zoned(self.zone.clone());
        Some(self.cron.find_previous_occurrence(&start, true).ok()?.timestamp())
    }
}
