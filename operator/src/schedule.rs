//! Which slot of a schedule is due and which is next. Pure.

use crds::resource::Clock;
use jiff::Timestamp;

/// What a schedule says at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// The latest slot that has come and was not taken; earlier ones are collapsed into it.
    pub due: Option<Timestamp>,
    /// Whether slots before `due` were missed.
    pub missed: bool,
    pub next: Option<Timestamp>,
}

/// `promised` is the slot that status announced as the next one. It counts only while it is still a
/// slot of this schedule: after an edit, slots are counted from `now`.
#[must_use]
pub fn slots(clock: &Clock, promised: Option<Timestamp>, now: Timestamp) -> Slots {
    let next = clock.next_after(now);
    match promised.filter(|slot| *slot <= now && clock.last_until(*slot) == Some(*slot)) {
        None => Slots { due: None, missed: false, next },
        Some(promised) => {
            let due = clock.last_until(now).map_or(promised, |slot| slot.max(promised));
            Slots { due: Some(due), missed: due > promised, next }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::resource::Schedule;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn slots_as_a_table() {
        let daily = Schedule { cron: "0 3 * * *".into(), time_zone: Some("Australia/Hobart".into()) }.clock().unwrap();
        // (promised, now, due, missed, next)
        let rows = [
            // Nothing announced yet: slots count from now.
            (None, "2026-06-01T00:00:00Z", None, false, "2026-06-01T17:00:00Z"),
            (Some("2026-06-01T17:00:00Z"), "2026-06-01T16:59:59Z", None, false, "2026-06-01T17:00:00Z"),
            (Some("2026-06-01T17:00:00Z"), "2026-06-01T17:00:00Z", Some("2026-06-01T17:00:00Z"), false, "2026-06-02T17:00:00Z"),
            // Three missed slots are one run.
            (Some("2026-06-01T17:00:00Z"), "2026-06-03T20:00:00Z", Some("2026-06-03T17:00:00Z"), true, "2026-06-04T17:00:00Z"),
            // The cron was edited: what the old one promised is void.
            (Some("2026-06-01T18:00:00Z"), "2026-06-01T19:00:00Z", None, false, "2026-06-02T17:00:00Z"),
            // Summer time begins on 4 October 2026: 03:00 is an hour earlier in UTC.
            (Some("2026-10-02T17:00:00Z"), "2026-10-02T17:00:01Z", Some("2026-10-02T17:00:00Z"), false, "2026-10-03T16:00:00Z"),
            // The clock stepped back: nothing fires twice.
            (Some("2026-06-02T17:00:00Z"), "2026-06-01T17:00:01Z", None, false, "2026-06-02T17:00:00Z"),
        ];
        for (promised, now, due, missed, next) in rows {
            let seen = slots(&daily, promised.map(at), at(now));
            assert_eq!(seen, Slots { due: due.map(at), missed, next: Some(at(next)) }, "promised {promised:?} at {now}");
        }
    }
}
