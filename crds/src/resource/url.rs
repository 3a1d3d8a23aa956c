//! Addresses of sources and destinations.

/// Where a URL points: a bucket and a raw prefix, or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    S3 { bucket: String, prefix: String },
    File { path: String },
}

/// Reads `s3://bucket/prefix/` or `file:///dir/`; the message says what to write.
pub fn place(url: &str) -> Result<Place, String> {
    const ADVICE: &str = "write `s3://bucket/prefix/`, or `file:///dir/` on a laptop";
    if url.chars().any(char::is_control) {
        return Err(format!("holds control characters; {ADVICE}"));
    }
    if let Some(rest) = url.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(format!("`{url}` names no bucket; {ADVICE}"));
        }
        return Ok(Place::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
    }
    match url.strip_prefix("file://") {
        Some(path) if path.starts_with('/') => Ok(Place::File { path: path.to_owned() }),
        Some(_) => Err(format!("`{url}` is not absolute; {ADVICE}")),
        None => Err(format!("`{url}` is no address; {ADVICE}")),
    }
}

/// A URL as a folder: one slash at its end.
#[must_use]
pub fn folder(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}

impl Place {
    /// Whether one lies inside the other. Prefixes are raw: what begins alike is inside.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::S3 { bucket, prefix }, Self::S3 { bucket: other_bucket, prefix: other_prefix }) => {
                bucket == other_bucket && (prefix.starts_with(other_prefix.as_str()) || other_prefix.starts_with(prefix.as_str()))
            }
            (Self::File { path }, Self::File { path: other_path }) => {
                let (path, other_path) = (folder(path), folder(other_path));
                path.starts_with(&other_path) || other_path.starts_with(&path)
            }
            (Self::S3 { .. }, Self::File { .. }) | (Self::File { .. }, Self::S3 { .. }) => false,
        }
    }
}
