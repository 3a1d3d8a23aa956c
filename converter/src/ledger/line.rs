//! A line of `files.csv`: what a run says of one file.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write as _};

use crds::wire::{LedgerRecord, Outcome, Reason};

/// The first line.
pub const HEADER: &str = "key,etag,outcome,reason,rows,objects,message\n";

/// Displayed, it ends its line.
#[derive(Clone, Copy, Debug)]
pub struct FileLine<'a> {
    pub key: &'a str,
    pub etag: &'a str,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub rows: u64,
    pub objects: usize,
    pub message: Option<&'a str>,
}

impl<'a> FileLine<'a> {
    /// Of a file that is in the dataset, and was not touched.
    #[must_use]
    pub fn unchanged(record: &'a LedgerRecord) -> Option<Self> {
        let published = record.published.as_ref()?;
        Some(Self {
            key: &record.key,
            etag: &published.etag,
            outcome: Outcome::Unchanged,
            reason: None,
            rows: published.rows,
            objects: published.objects.len(),
            message: None,
        })
    }
}

impl Display for FileLine<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let Self { key, etag, outcome, reason, rows, objects, message } = self;
        let (key, etag, message) = (Field(key), Field(etag), Field(message.unwrap_or_default()));
        let reason = reason.map_or("", Reason::as_str);
        writeln!(to, "{key},{etag},{},{reason},{rows},{objects},{message}", outcome.as_str())
    }
}

/// A CSV field after RFC 4180.
struct Field<'a>(&'a str);

impl Display for Field<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        if !self.0.contains([',', '"', '\n', '\r']) {
            return to.write_str(self.0);
        }
        to.write_char('"')?;
        for (at, part) in self.0.split('"').enumerate() {
            to.write_str(if at == 0 { "" } else { "\"\"" })?;
            to.write_str(part)?;
        }
        to.write_char('"')
    }
}

/// The keys that such lines are of; whatever text a key is.
pub fn keys(lines: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        let mut quoted = false;
        let end = rest.bytes().position(|byte| {
            quoted ^= byte == b'"';
            byte == b'\n' && !quoted
        })?;
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        Some(first_field(line))
    })
}

fn first_field(line: &str) -> Cow<'_, str> {
    let Some(rest) = line.strip_prefix('"') else { return line.split(',').next().unwrap_or(line).into() };
    let mut marks = 0;
    // Within the field quotes come in pairs: the one that ends it makes their number odd.
    let end = rest.bytes().zip(rest.bytes().skip(1)).position(|(byte, next)| {
        marks += usize::from(byte == b'"');
        byte == b'"' && next == b',' && marks % 2 == 1
    });
    rest[..end.unwrap_or(rest.len())].replace("\"\"", "\"").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_whatever_they_hold() {
        let texts = ["a/b.nc", "", "a,b", "a\nb", "\"", "\"\"", "\",\"", "a\",\"b,\"", ",", "x\r", "é,\"ü\"\n", "\"a"];
        let mut lines = String::new();
        for (key, etag) in texts.iter().flat_map(|key| texts.map(|etag| (key, etag))) {
            let line = FileLine { key, etag, outcome: Outcome::Unchanged, reason: None, rows: 1, objects: 2, message: Some(etag) };
            write!(lines, "{line}").unwrap();
        }
        let expected: Vec<&str> = texts.iter().flat_map(|key| texts.map(|_| *key)).collect();
        assert_eq!(keys(&lines).collect::<Vec<_>>(), expected);
        assert_eq!(keys("").count(), 0);
        assert_eq!(
            FileLine {
                key: "k",
                etag: "e",
                outcome: Outcome::Failed,
                reason: Some(Reason::BadTime),
                rows: 0,
                objects: 0,
                message: Some("a \"b\"")
            }
            .to_string(),
            "k,e,failed,BadTime,0,0,\"a \"\"b\"\"\"\n"
        );
    }
}
