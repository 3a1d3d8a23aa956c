//! Partition folders: the text of a value, percent-encoded, and the key of an object.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a null is called in a folder name.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `<key>=<value>`
pub(super) fn folder(key: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("{key}={}", utf8_percent_encode(value, RESERVED)),
        None => format!("{key}={NULL}"),
    }
}

/// `<k1>=<v1>/…/<stem>-0.parquet`
pub(super) fn object_key(folders: &[String], stem: &str) -> String {
    let mut key = folders.join("/");
    if !key.is_empty() {
        key.push('/');
    }
    key + stem + "-0.parquet"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_values_are_percent_encoded() {
        for (value, text) in [
            ("Cape Sorell", "Cape%20Sorell"),
            ("a/b", "a%2Fb"),
            ("a:b", "a%3Ab"),
            ("a=b", "a%3Db"),
            ("a+b", "a%2Bb"),
            ("é", "%C3%A9"),
            ("A,B&C#?", "A%2CB%26C%23%3F"),
            ("", ""),
            ("1e+10", "1e%2B10"),
            ("2017-07-14 02:40:00.000000000", "2017-07-14%2002%3A40%3A00.000000000"),
            ("a-b.c_d~e", "a-b.c_d~e"),
        ] {
            assert_eq!(folder("k", Some(value)), format!("k={text}"));
        }
        assert_eq!(folder("k", None), "k=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(object_key(&["a=1".into(), "b=2".into()], "x.nc"), "a=1/b=2/x.nc-0.parquet");
        assert_eq!(object_key(&[], "x.nc"), "x.nc-0.parquet");
    }
}
