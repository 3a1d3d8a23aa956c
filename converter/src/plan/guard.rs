//! Whether so many withdrawn files can be meant.

use std::collections::HashMap;

use crds::wire::{OnSourceDelete, Reason};
use sha2::{Digest as _, Sha256};

use crate::error::StageError;
use crate::source::name_hash;

/// Gathers what a listing no longer shows.
#[derive(Debug, Default)]
pub struct WithdrawalGuard {
    /// Files of the listing.
    pub discovered: u64,
    /// Ledger records that are published and were not withdrawn before.
    pub live: u64,
    withdrawn: Vec<String>,
    /// How many new files go to batches under each name (its hash).
    arrived: HashMap<u64, u64>,
}

impl WithdrawalGuard {
    /// A file that the ledger does not know, and that this run converts.
    pub fn arrived(&mut self, key: &str) {
        *self.arrived.entry(name_hash(key)).or_default() += 1;
    }

    /// A live record that is no longer listed.
    pub fn withdrawn(&mut self, key: &str) {
        self.withdrawn.push(key.to_owned());
    }

    /// # Errors
    /// `WithdrawalGuard` when the listing is empty or, under Remove, when more than `max_percent` of
    /// the live files would go; unless `confirm` holds the digest that the error carries. A file that
    /// only moved to another folder is not counted.
    pub fn check(&self, policy: OnSourceDelete, max_percent: u32, confirm: Option<&str>) -> Result<(), StageError> {
        let gone = self.gone();
        let emptied = self.discovered == 0 && self.live > 0;
        let too_many = policy == OnSourceDelete::Remove && gone * 100 > u64::from(max_percent) * self.live;
        if !emptied && !too_many {
            return Ok(());
        }
        let digest = self.digest();
        if confirm == Some(digest.as_str()) {
            return Ok(());
        }
        let message = if emptied {
            format!("the listing is empty, but {} files are published; nothing was deleted. If that is meant, confirm {digest}", self.live)
        } else {
            format!(
                "{gone} of {} published files are no longer listed, more than {max_percent}%; nothing was deleted. If that is meant, confirm {digest}",
                self.live
            )
        };
        Err(StageError::Guard { reason: Reason::WithdrawalGuard, message, confirm: Some(digest) })
    }

    /// Withdrawn files, less those that may have moved: each new file of a name excuses one.
    fn gone(&self) -> u64 {
        let mut arrived = self.arrived.clone();
        let stayed_away = self.withdrawn.iter().filter(|key| match arrived.get_mut(&name_hash(key)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        });
        stayed_away.count() as u64
    }

    /// Names this very set of withdrawn files.
    fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for key in &self.withdrawn {
            hasher.update(key.as_bytes());
            hasher.update(b"\n");
        }
        hex::encode(&hasher.finalize()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(discovered: u64, live: u64, withdrawn: &[&str], arrived: &[&str]) -> WithdrawalGuard {
        let mut guard = WithdrawalGuard { discovered, live, ..WithdrawalGuard::default() };
        for key in withdrawn {
            guard.withdrawn(key);
        }
        for key in arrived {
            guard.arrived(key);
        }
        guard
    }

    #[test]
    fn deleting_much_needs_a_person() {
        use OnSourceDelete::{Keep, Remove};
        let few = guard(99, 100, &["a"], &[]);
        let many = guard(80, 100, &["a"; 20], &[]);
        let emptied = guard(0, 2, &["a", "b"], &[]);
        let moved = guard(80, 100, &["x/a.nc"; 20], &["y/a.nc"; 20]);
        let excused = guard(80, 100, &["x/a.nc"; 20], &["y/a.nc"]);
        assert!(few.check(Remove, 10, None).is_ok());
        assert!(many.check(Keep, 10, None).is_ok());
        assert!(moved.check(Remove, 10, None).is_ok(), "a moved file is not withdrawn");
        assert!(guard(0, 0, &[], &[]).check(Remove, 10, None).is_ok(), "nothing there, nothing to lose");
        for guarded in [many, emptied, excused] {
            let Err(StageError::Guard { reason, confirm: Some(digest), .. }) = guarded.check(Remove, 10, None) else { panic!() };
            assert_eq!(reason, Reason::WithdrawalGuard);
            assert!(guarded.check(Remove, 10, Some("other")).is_err());
            assert!(guarded.check(Remove, 10, Some(&digest)).is_ok());
        }
    }
}
