//! What a store can answer instead of an answer.

use crds::wire::{Class, ExitCode, Reason, StageFailure};
use thiserror::Error;

/// Which store of a dataset is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
}

impl Side {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// A failed operation: which store, which operation, which key.
#[derive(Debug, Error)]
#[error("{operation} on {} {place}{}: {message}", side.as_str(), key_suffix(key))]
pub struct StoreError {
    pub kind: StoreErrorKind,
    pub side: Side,
    /// The bucket, or the folder.
    pub place: String,
    /// The S3 operation (`GetObject`, `ListObjectsV2`, …).
    pub operation: &'static str,
    pub key: String,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// 403, or what a file system calls so.
    Denied,
    /// The credentials themselves are wrong or have expired: no key of this side can be read.
    BadCredentials,
    /// The bucket or the folder itself is missing.
    BucketMissing,
    /// This object is missing.
    NotFound,
    /// An ETag condition did not hold.
    Changed,
    /// No space left on the device.
    DiskFull,
    /// The key cannot be held by the client library.
    HostileKey,
    /// A filter that cannot be decided for a key.
    BadFilter,
    /// The server answers create-if-absent with success twice.
    NoConditionalPut,
    /// Anything else: network, 5xx, throttling that outlasted the retries.
    Unavailable,
}

/// Error codes that mean "not with these credentials", whatever the HTTP status they come with.
pub(super) const CREDENTIAL_CODES: [&str; 5] =
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "XAdminUserNotFound"];

fn key_suffix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(", key {key:?}") }
}

impl StoreError {
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self.kind {
            StoreErrorKind::Denied | StoreErrorKind::BadCredentials => Reason::AccessDenied,
            StoreErrorKind::BadFilter => Reason::InvalidConfig,
            StoreErrorKind::BucketMissing => Reason::BucketNotFound,
            StoreErrorKind::NotFound | StoreErrorKind::Changed => Reason::StateCorrupt,
            StoreErrorKind::DiskFull => Reason::DiskFull,
            StoreErrorKind::HostileKey => Reason::HostileKey,
            StoreErrorKind::NoConditionalPut => Reason::ConditionalPutUnsupported,
            StoreErrorKind::Unavailable => Reason::StoreUnavailable,
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }

    #[must_use]
    pub fn exit(&self) -> ExitCode {
        match self.kind {
            StoreErrorKind::Denied | StoreErrorKind::BadCredentials | StoreErrorKind::BucketMissing => ExitCode::Access,
            StoreErrorKind::NoConditionalPut | StoreErrorKind::BadFilter => ExitCode::Config,
            StoreErrorKind::NotFound | StoreErrorKind::Changed | StoreErrorKind::HostileKey => ExitCode::Crash,
            StoreErrorKind::DiskFull | StoreErrorKind::Unavailable => ExitCode::Transient,
        }
    }

    #[must_use]
    pub fn failure(&self) -> StageFailure {
        StageFailure {
            reason: self.reason(),
            bucket: Some(self.place.clone()),
            operation: Some(self.operation.to_owned()),
            message: self.to_string(),
            side: Some(self.side.as_str().to_owned()),
            confirm: None,
        }
    }

    /// Sorts an error of the client library into a kind. `key` is data: whatever it spells, it is
    /// taken out of the text before words are looked for.
    #[must_use]
    pub fn kind_of(error: &object_store::Error, key: &str) -> StoreErrorKind {
        use object_store::Error as E;
        let text = if key.is_empty() { chain(error) } else { chain(error).replace(key, "") };
        if CREDENTIAL_CODES.iter().any(|code| text.contains(code)) {
            return StoreErrorKind::BadCredentials;
        }
        match error {
            E::Unauthenticated { .. } => StoreErrorKind::BadCredentials,
            E::PermissionDenied { .. } => StoreErrorKind::Denied,
            E::NotFound { .. } if text.contains("NoSuchBucket") => StoreErrorKind::BucketMissing,
            E::NotFound { .. } => StoreErrorKind::NotFound,
            E::Precondition { .. } | E::AlreadyExists { .. } | E::NotModified { .. } => StoreErrorKind::Changed,
            E::InvalidPath { .. } => StoreErrorKind::HostileKey,
            _ if text.contains("No space left") || text.contains("os error 28") => StoreErrorKind::DiskFull,
            _ if text.contains("Permission denied") || text.contains("os error 13") => StoreErrorKind::Denied,
            _ => StoreErrorKind::Unavailable,
        }
    }
    /// Sorts an error of the file system into a kind.
    #[must_use]
    pub fn kind_of_io(error: &std::io::Error) -> StoreErrorKind {
        use std::io::ErrorKind as E;
        match error.kind() {
            E::PermissionDenied => StoreErrorKind::Denied,
            E::NotFound | E::NotADirectory => StoreErrorKind::NotFound,
            E::StorageFull | E::QuotaExceeded => StoreErrorKind::DiskFull,
            E::InvalidFilename => StoreErrorKind::HostileKey,
            _ => StoreErrorKind::Unavailable,
        }
    }
}

/// The messages of an error and its sources, each said once. Of a server's refusal only its status,
/// code and message: the rest names the access key and changes with every attempt.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    refusal(&text).unwrap_or(text)
}

/// `403 Forbidden: SignatureDoesNotMatch, …` out of what the client library tells of an S3 answer.
fn refusal(text: &str) -> Option<String> {
    let (_, answer) = text.split_once("Server returned non-2xx status code: ")?;
    let (status, body) = answer.split_once(": ").unwrap_or((answer, ""));
    let tag = |name: &str| Some(body.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>"))?.0);
    let said: Vec<&str> = [tag("Code"), tag("Message")].into_iter().flatten().collect();
    Some(if said.is_empty() { status.to_owned() } else { format!("{status}: {}", said.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_without_the_key_it_was_signed_with() {
        let text = "no: Error performing GET http://s3/b/k in 4.6ms - Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?>\n\
                    <Error><Code>SignatureDoesNotMatch</Code><Message>Check your key.</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        assert_eq!(chain(&std::io::Error::other(text)), "403 Forbidden: SignatureDoesNotMatch, Check your key.");
        assert_eq!(chain(&std::io::Error::other("Server returned non-2xx status code: 503 Slow Down: ")), "503 Slow Down");
        assert_eq!(chain(&std::io::Error::other("connection refused")), "connection refused");
    }
}
