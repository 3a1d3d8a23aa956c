//! The bytes of a file: in memory, or somewhere else and read by ranges.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

/// An input file, whole, at the version that was planned.
#[derive(Clone, Debug)]
pub enum Input {
    Memory(Bytes),
    /// Positioned reads only: many readers may share it.
    File {
        file: Arc<dyn Positioned>,
        length: u64,
    },
}

/// What is read by ranges.
pub trait Positioned: std::fmt::Debug + Send + Sync {
    /// All of a range.
    ///
    /// # Errors
    /// Trouble with the file or the store; a range that does not lie within it.
    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes>;

    /// What it takes in memory itself.
    fn in_memory(&self) -> u64 {
        0
    }
}

impl Positioned for File {
    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; length];
        self.read_exact_at(&mut buffer, offset)?;
        Ok(Bytes::from(buffer))
    }
}

impl Input {
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the input itself takes in memory.
    #[must_use]
    pub fn in_memory(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { file, .. } => file.in_memory(),
        }
    }

    /// The bytes `offset..offset + length`, fewer at the end of the file.
    ///
    /// # Errors
    /// Trouble with the scratch file, or with the store.
    pub fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let rest = self.len().saturating_sub(offset);
        let length = usize::try_from(rest).unwrap_or(usize::MAX).min(length);
        if length == 0 {
            return Ok(Bytes::new());
        }
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(io::Error::other)?;
                Ok(bytes.slice(start..start + length))
            }
            Self::File { file, .. } => file.read_range(offset, length),
        }
    }
}

impl From<Bytes> for Input {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}
