//! Ragged arrays of discrete samplings (CF 9.3.3, 9.3.4): for each sample the instance it belongs to.

use super::error::CfError;

/// The mark of a sample without an instance.
pub const NO_INSTANCE: u32 = u32::MAX;

/// Contiguous: `counts` says how many samples each instance has.
///
/// # Errors
/// Counts that are missing, negative, or do not add up to the number of samples.
pub fn contiguous(variable: &str, counts: &[Option<i64>], samples: usize) -> Result<Vec<u32>, CfError> {
    let mut of = Vec::with_capacity(samples);
    let mut total = 0usize;
    for (instance, count) in counts.iter().enumerate() {
        let whole = count.and_then(|count| usize::try_from(count).ok());
        let Some(count) = whole else {
            let detail = format!("value {instance} is {}, which counts no samples", count.map_or("missing".to_owned(), |c| c.to_string()));
            return Err(ragged(variable, detail));
        };
        total = total.saturating_add(count);
        if total <= samples {
            of.resize(total, instance as u32);
        }
    }
    if total == samples { Ok(of) } else { Err(ragged(variable, format!("its counts add up to {total}, and there are {samples} samples"))) }
}

/// Contiguous, with counts that do not add up brought in line as the incumbent does it: negative
/// ones are none, the running sum stops at the number of samples, the last instance takes the rest.
#[must_use]
pub fn contiguous_repaired(counts: &[Option<i64>], samples: usize) -> Vec<u32> {
    let mut of = Vec::with_capacity(samples);
    let mut total = 0usize;
    for (instance, count) in counts.iter().enumerate() {
        let count = usize::try_from(count.unwrap_or(0)).unwrap_or(0);
        let last = instance + 1 == counts.len();
        total = if last { samples } else { total.saturating_add(count).min(samples) };
        of.resize(total, instance as u32);
    }
    of.resize(samples, NO_INSTANCE);
    of
}

/// What an index outside its range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// An error.
    Refused,
    /// A sample without an instance.
    Unmatched,
}

/// Indexed: `indices` names the instance of each sample, counted from `first`. A missing index is a
/// sample without an instance.
///
/// # Errors
/// An index outside the instances, where that is refused.
pub fn indexed(variable: &str, indices: &[Option<i64>], first: i64, instances: usize, outside: Outside) -> Result<Vec<u32>, CfError> {
    let one = |(sample, index): (usize, &Option<i64>)| {
        let Some(index) = index else { return Ok(NO_INSTANCE) };
        let instance = index.checked_sub(first).and_then(|i| usize::try_from(i).ok()).filter(|i| *i < instances);
        match (instance, outside) {
            (Some(instance), _) => Ok(instance as u32),
            (None, Outside::Unmatched) => Ok(NO_INSTANCE),
            (None, Outside::Refused) => {
                let last = first.saturating_add(instances as i64) - 1;
                Err(ragged(variable, format!("value {sample} is {index}, and there are the instances {first} to {last}")))
            }
        }
    };
    indices.iter().enumerate().map(one).collect()
}

/// The instance of an instance: the station of a sample's profile.
#[must_use]
pub fn chained(of: &[u32], parents: &[u32]) -> Vec<u32> {
    of.iter().map(|&instance| parents.get(instance as usize).copied().unwrap_or(NO_INSTANCE)).collect()
}

fn ragged(variable: &str, detail: String) -> CfError {
    CfError::Ragged { variable: variable.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_give_each_sample_its_instance() {
        assert_eq!(contiguous("n", &[Some(2), Some(0), Some(3)], 5), Ok(vec![0, 0, 2, 2, 2]));
        assert_eq!(contiguous("n", &[], 0), Ok(vec![]));
    }

    #[test]
    fn counts_that_do_not_add_up_are_refused_with_the_numbers() {
        let message = |counts: &[Option<i64>], samples| contiguous("row_size", counts, samples).unwrap_err().to_string();
        assert!(message(&[Some(2), Some(2)], 5).contains("\"row_size\"") && message(&[Some(2), Some(2)], 5).contains("add up to 4"));
        assert!(message(&[Some(9)], 5).contains("add up to 9"));
        assert!(message(&[Some(i64::MAX), Some(i64::MAX)], 5).contains("there are 5 samples"));
        assert!(message(&[Some(2), Some(-1)], 1).contains("value 1 is -1"));
        assert!(message(&[None], 1).contains("missing"));
    }

    #[test]
    fn the_incumbents_repair_gives_the_last_instance_the_rest() {
        let none = NO_INSTANCE;
        for (counts, samples, expected) in [
            (vec![Some(2), Some(-4), Some(2)], 5, vec![0, 0, 2, 2, 2]),
            (vec![Some(9), Some(1)], 3, vec![0, 0, 0]),
            (vec![Some(1), None, Some(1)], 4, vec![0, 2, 2, 2]),
            (vec![], 2, vec![none, none]),
        ] {
            assert_eq!(contiguous_repaired(&counts, samples), expected, "{counts:?}");
        }
    }

    #[test]
    fn indices_count_from_where_the_convention_says() {
        assert_eq!(indexed("i", &[Some(0), Some(1), None], 0, 2, Outside::Refused), Ok(vec![0, 1, NO_INSTANCE]));
        assert_eq!(indexed("i", &[Some(1), Some(2)], 1, 2, Outside::Refused), Ok(vec![0, 1]));
        assert_eq!(indexed("i", &[Some(2)], 0, 2, Outside::Unmatched), Ok(vec![NO_INSTANCE]));
        let message = indexed("instrument_index", &[Some(0), Some(2)], 0, 2, Outside::Refused).unwrap_err().to_string();
        assert!(message.contains("\"instrument_index\"") && message.contains("value 1 is 2") && message.contains("0 to 1"), "{message}");
        assert!(indexed("i", &[Some(i64::MIN)], 1, 2, Outside::Refused).is_err());
    }

    #[test]
    fn a_sample_has_the_station_of_its_profile() {
        assert_eq!(chained(&[0, 0, 1, NO_INSTANCE], &[5, NO_INSTANCE]), vec![5, 5, NO_INSTANCE, NO_INSTANCE]);
    }
}
