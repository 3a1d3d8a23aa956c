//! Where an HDF5 file says it ends: a truncated one is known before anything of it is read.

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// The end-of-file address of the superblock at the start of a file.
pub(super) fn declared_end(bytes: &[u8]) -> Option<u64> {
    if !bytes.starts_with(SIGNATURE) {
        return None;
    }
    // Versions 0 and 1 have the addresses after a longer head than versions 2 and 3.
    let (size_at, base_at) = match bytes.get(8)? {
        0 => (13, 24),
        1 => (13, 28),
        2 | 3 => (9, 12),
        _ => return None,
    };
    let size = usize::from(*bytes.get(size_at)?);
    // base address, then one other, then the end of the file
    let address = bytes.get(base_at + 2 * size..base_at + 3 * size)?;
    let base = bytes.get(base_at..base_at + size)?;
    little_endian(base)?.checked_add(little_endian(address)?)
}

fn little_endian(bytes: &[u8]) -> Option<u64> {
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_in_each_version() {
        let mut old = SIGNATURE.to_vec();
        old.extend([0, 0, 0, 0, 0, 8, 8, 0, 4, 0, 16, 0, 0, 0, 0, 0]);
        for address in [0u64, u64::MAX, 4_711, u64::MAX] {
            old.extend(address.to_le_bytes());
        }
        assert_eq!(declared_end(&old), Some(4_711));
        let mut new = SIGNATURE.to_vec();
        new.extend([2, 8, 8, 0]);
        for address in [0u64, u64::MAX, 815, 48] {
            new.extend(address.to_le_bytes());
        }
        assert_eq!(declared_end(&new), Some(815));
        assert_eq!(declared_end(&new[..20]), None);
        assert_eq!(declared_end(b"CDF\x01"), None);
    }
}
