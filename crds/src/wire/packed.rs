//! Columns of numbers as one text each: little-endian, base64. A text is read many times faster than a list of numbers,
//! and loses no bit of a float. Lists, as they were written before, are read too.

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// A number of eight bytes, or a position that may be none.
pub trait Packed: Copy {
    fn to_bytes(self) -> [u8; 8];
    fn from_bytes(bytes: [u8; 8]) -> Self;
}

impl Packed for i64 {
    fn to_bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }
    fn from_bytes(bytes: [u8; 8]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl Packed for f64 {
    fn to_bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }
    fn from_bytes(bytes: [u8; 8]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

/// None is -1.
impl Packed for Option<u32> {
    fn to_bytes(self) -> [u8; 8] {
        self.map_or(-1, i64::from).to_le_bytes()
    }
    fn from_bytes(bytes: [u8; 8]) -> Self {
        u32::try_from(i64::from_le_bytes(bytes)).ok()
    }
}

/// # Errors
/// The serializer's.
pub fn serialize<T: Packed, S: Serializer>(numbers: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_bytes()).collect();
    serializer.serialize_str(&STANDARD.encode(bytes))
}

/// # Errors
/// A text that is no such column.
pub fn deserialize<'de, T: Packed + Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(Column(PhantomData))
}

struct Column<T>(PhantomData<T>);

impl<'de, T: Packed + Deserialize<'de>> Visitor<'de> for Column<T> {
    type Value = Vec<T>;

    fn expecting(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str("numbers, as a list or as a text in base64")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        let bytes = STANDARD.decode(text).map_err(E::custom)?;
        let (numbers, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(E::custom("a column ends within a number"));
        }
        Ok(numbers.iter().copied().map(T::from_bytes).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut numbers = Vec::new();
        while let Some(number) = list.next_element()? {
            numbers.push(number);
        }
        Ok(numbers)
    }
}

/// Columns by name.
pub mod by_name {
    use std::collections::BTreeMap;

    use serde::ser::SerializeMap;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    struct Owned(#[serde(with = "super")] Vec<f64>);

    #[derive(Serialize)]
    struct Borrowed<'a>(#[serde(with = "super")] &'a [f64]);

    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(columns: &BTreeMap<String, Vec<f64>>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(columns.len()))?;
        for (name, column) in columns {
            map.serialize_entry(name, &Borrowed(column))?;
        }
        map.end()
    }

    /// # Errors
    /// A text that is no column.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<f64>>, D::Error> {
        let columns = BTreeMap::<String, Owned>::deserialize(deserializer)?;
        Ok(columns.into_iter().map(|(name, Owned(column))| (name, column)).collect())
    }
}

/// Files, a column for each thing there is to know of them.
pub mod files {
    use std::fmt::{self, Formatter};

    use serde::de::value::MapAccessDeserializer;
    use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::Owner;

    #[derive(Serialize)]
    struct Borrowed<'a> {
        keys: Vec<&'a str>,
        etags: Vec<&'a str>,
        #[serde(with = "super")]
        modified: Vec<i64>,
        #[serde(with = "super")]
        sites: Vec<Option<u32>>,
    }

    #[derive(Deserialize)]
    struct Owned {
        keys: Vec<String>,
        etags: Vec<String>,
        #[serde(with = "super")]
        modified: Vec<i64>,
        #[serde(with = "super")]
        sites: Vec<Option<u32>>,
    }

    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(files: &[Owner], serializer: S) -> Result<S::Ok, S::Error> {
        let columns = Borrowed {
            keys: files.iter().map(|file| file.key.as_str()).collect(),
            etags: files.iter().map(|file| file.etag.as_str()).collect(),
            modified: files.iter().map(|file| file.modified).collect(),
            sites: files.iter().map(|file| file.site).collect(),
        };
        columns.serialize(serializer)
    }

    /// # Errors
    /// Columns that are not of one length.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Owner>, D::Error> {
        deserializer.deserialize_any(Files)
    }

    struct Files;

    impl<'de> Visitor<'de> for Files {
        type Value = Vec<Owner>;

        fn expecting(&self, to: &mut Formatter<'_>) -> fmt::Result {
            to.write_str("files, as columns or as a list")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Owner>, A::Error> {
            let Owned { keys, etags, modified, sites } = Owned::deserialize(MapAccessDeserializer::new(map))?;
            if [etags.len(), modified.len(), sites.len()] != [keys.len(); 3] {
                return Err(A::Error::custom("columns of files are not of one length"));
            }
            let columns = keys.into_iter().zip(etags).zip(modified).zip(sites);
            Ok(columns.map(|(((key, etag), modified), site)| Owner { key, etag, modified, site }).collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Owner>, A::Error> {
            let mut files = Vec::new();
            while let Some(file) = list.next_element()? {
                files.push(file);
            }
            Ok(files)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GridRows, GridState, Owner, StoredTimes};

    #[test]
    fn numbers_come_back_bit_for_bit_and_lists_are_read() {
        let file = |key: &str, site| Owner { key: key.into(), etag: format!("{key}e"), modified: -7, site };
        let floats = [0.1 + 0.2, -0.0, f64::MIN_POSITIVE, 1e300, f64::NAN];
        let state = GridState {
            rows: GridRows {
                times: vec![i64::MIN, -1, 0, i64::MAX],
                stored: StoredTimes::Floats(floats.to_vec()),
                owners: vec![None, Some(0), Some(u32::MAX)],
                files: vec![file("a\n\"", Some(3)), file("", None)],
                ..GridRows::default()
            },
            coordinates: [("x".to_owned(), floats.to_vec()), ("none".to_owned(), vec![])].into(),
            ..GridState::default()
        };
        let text = serde_json::to_string(&state).unwrap();
        let back: GridState = serde_json::from_str(&text).unwrap();
        assert_eq!((&back.rows.times, &back.rows.owners), (&state.rows.times, &state.rows.owners));
        assert_eq!(back.rows.files, state.rows.files);
        let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        let StoredTimes::Floats(stored) = &back.rows.stored else { panic!() };
        assert_eq!((bits(stored), bits(&back.coordinates["x"])), (bits(&floats), bits(&floats)));

        let rows = r#"{"times":[1,-2],"stored":{"integers":[3]},"owners":[null,7],"files":[{"key":"k","etag":"ke","modified":-7}]}"#;
        let before = format!(r#"{{"metadata":"","rows":{rows},"coordinates":{{"x":[0.5,1]}}}}"#);
        let read: GridState = serde_json::from_str(&before).unwrap();
        assert_eq!((read.rows.times, read.rows.owners), (vec![1, -2], vec![None, Some(7)]));
        assert_eq!((read.rows.stored, &read.coordinates["x"]), (StoredTimes::Integers(vec![3]), &vec![0.5, 1.0]));
        assert_eq!(read.rows.files, [file("k", None)]);
        let uneven = text.replacen("\"keys\":[", "\"keys\":[\"more\",", 1);
        assert!(serde_json::from_str::<GridState>(&uneven).unwrap_err().to_string().contains("one length"));
        for spoilt in ["\"AAAA\"", "\"?\"", "1"] {
            let rows = rows.replace("[1,-2]", spoilt);
            assert!(serde_json::from_str::<GridRows>(&rows).is_err(), "{spoilt}");
        }
    }
}
