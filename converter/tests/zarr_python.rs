//! The Zarr format held against Python's: a store of ours that xarray opens, chunks that numcodecs wrote.
//! `COD_PYTHON` names an interpreter with xarray, zarr and numcodecs; without one there is nothing to hold ours against.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use converter::zarr::{
    Array, ArrayMetadata, Attr, Attributes, Dtype, Fill, attributes_json, chunk_indices, chunk_key, decode_chunk, decode_texts,
    encode_chunk, encode_texts, is_all_fill, parse_zmetadata, set_dimensions, zgroup, zmetadata,
};
use serde_json::{Value, json};

/// The interpreter, if it has what is needed.
fn python() -> Option<String> {
    let python = std::env::var("COD_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_all = Command::new(&python).args(["-c", "import numcodecs, xarray, zarr"]).output().is_ok_and(|output| output.status.success());
    if !has_all {
        eprintln!("skipped: no {python} with xarray, zarr and numcodecs here (COD_PYTHON)");
    }
    has_all.then_some(python)
}

/// A store in a folder, and what xarray should find in it.
struct Store<'a> {
    folder: &'a Path,
    arrays: BTreeMap<String, Array>,
    expected: BTreeMap<String, Attr>,
}

/// One element of a chunk, or none beyond the array's edge: its position in the array.
fn elements(metadata: &ArrayMetadata, chunk: &[u64]) -> Vec<Option<usize>> {
    let within = chunk_indices(&metadata.chunks);
    within
        .map(|within| {
            let mut position = 0;
            for (dimension, &length) in metadata.shape.iter().enumerate() {
                let index = chunk[dimension] * metadata.chunks[dimension] + within[dimension];
                position = position * length + index;
                if index >= length {
                    return None;
                }
            }
            Some(usize::try_from(position).unwrap())
        })
        .collect()
}

impl Store<'_> {
    fn add(&mut self, name: &str, names: &[&str], metadata: ArrayMetadata, mut attributes: Attributes, values: Vec<Attr>) {
        set_dimensions(&mut attributes, names.iter().copied());
        let array = Array { metadata, attributes };
        std::fs::create_dir(self.folder.join(name)).unwrap();
        std::fs::write(self.folder.join(name).join(".zarray"), array.metadata.to_json()).unwrap();
        std::fs::write(self.folder.join(name).join(".zattrs"), attributes_json(&array.attributes)).unwrap();
        let names = Attr::List(names.iter().map(|&name| name.into()).collect());
        let expected = BTreeMap::from([("dimensions".to_owned(), names), ("values".to_owned(), Attr::List(values))]);
        self.expected.insert(name.to_owned(), Attr::Map(expected));
        self.arrays.insert(name.to_owned(), array);
    }

    /// `raw` is the whole array; edge chunks are filled up. Chunks of nothing but fill are left out.
    fn add_raw(&mut self, name: &str, names: &[&str], metadata: &ArrayMetadata, raw: &[u8], values: Vec<Attr>) -> usize {
        self.add(name, names, metadata.clone(), Attributes::new(), values);
        let width = metadata.dtype.width();
        let fill = metadata.fill.bytes(metadata.dtype);
        let mut written = 0;
        for chunk in chunk_indices(&metadata.grid()) {
            let bytes: Vec<u8> = elements(metadata, &chunk)
                .into_iter()
                .flat_map(|element| element.map_or(&fill[..], |at| &raw[at * width..(at + 1) * width]).to_vec())
                .collect();
            if !is_all_fill(metadata, &bytes) {
                std::fs::write(self.folder.join(name).join(chunk_key(&chunk)), encode_chunk(metadata, &bytes).unwrap()).unwrap();
                written += 1;
            }
        }
        written
    }

    fn add_texts(&mut self, name: &str, names: &[&str], metadata: &ArrayMetadata, texts: &[&str]) {
        self.add(name, names, metadata.clone(), Attributes::new(), texts.iter().map(|&text| text.into()).collect());
        for chunk in chunk_indices(&metadata.grid()) {
            let part: Vec<&str> = elements(metadata, &chunk).into_iter().map(|element| element.map_or("", |at| texts[at])).collect();
            std::fs::write(self.folder.join(name).join(chunk_key(&chunk)), encode_texts(metadata, &part).unwrap()).unwrap();
        }
    }

    fn finish(&self, attributes: &Attributes) {
        std::fs::write(self.folder.join(".zgroup"), zgroup()).unwrap();
        std::fs::write(self.folder.join(".zattrs"), attributes_json(attributes)).unwrap();
        std::fs::write(self.folder.join(".zmetadata"), zmetadata(attributes, &self.arrays)).unwrap();
    }
}

macro_rules! add_numbers {
    ($store:expr, $name:literal, $dims:expr, $shape:expr, $chunks:expr, $dtype:expr, $fill:expr, $values:expr) => {{
        let values = $values;
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let metadata = ArrayMetadata::new($shape.to_vec(), $chunks.to_vec(), $dtype, $fill);
        $store.add_raw($name, &$dims, &metadata, &raw, values.iter().map(|&value| value.into()).collect())
    }};
}

fn write_store(folder: &Path) -> Attr {
    let mut store = Store { folder, arrays: BTreeMap::new(), expected: BTreeMap::new() };
    let both = ["TIME", "LATITUDE"];
    add_numbers!(store, "TIME", ["TIME"], [3], [2], Dtype::F64, Fill::Nan, [0.0_f64, 1.5, 2.0]);
    add_numbers!(store, "LATITUDE", ["LATITUDE"], [5], [5], Dtype::F32, Fill::Nan, [-40.1_f32, -40.0, -39.9, -39.8, -39.7]);
    let mut current: Vec<f32> = (0..15_u8).map(|number| f32::from(number) / 3.0).collect();
    current[4] = f32::NAN;
    current[9] = f32::NAN;
    let written = add_numbers!(store, "UCUR", both, [3, 5], [2, 4], Dtype::F32, Fill::Nan, current);
    assert_eq!(written, 3);
    let written = add_numbers!(store, "FLAG", both, [3, 5], [2, 4], Dtype::I8, Fill::Integer(9), [[9_i8; 5], [9; 5], [1; 5]].concat());
    assert_eq!(written, 2);
    add_numbers!(store, "COUNT", ["TIME"], [3], [2], Dtype::I32, Fill::Null, [i32::MIN, 0, 7]);
    add_numbers!(store, "BYTE", ["TIME"], [3], [2], Dtype::U8, Fill::Integer(255), [0_u8, 128, 255]);
    add_numbers!(store, "SHORT", ["TIME"], [3], [4], Dtype::U16, Fill::Integer(1), [0_u16, 1, 65535]);
    add_numbers!(store, "LONG", ["TIME"], [3], [2], Dtype::I64, Fill::Null, [i64::MIN, -1, i64::MAX]);
    add_numbers!(store, "ULONG", ["TIME"], [3], [2], Dtype::U64, Fill::Integer(0), [0, 1, u64::MAX]);
    add_numbers!(store, "crs", [], [], [], Dtype::I32, Fill::Null, [-7_i32]);
    add_numbers!(store, "INFINITE", ["TIME"], [3], [1], Dtype::F64, Fill::Float(f64::INFINITY), [f64::INFINITY, -0.0, 5e-324]);
    let large: Vec<f64> = (0..70_000_u32).map(|number| f64::from(number).sqrt()).collect();
    add_numbers!(store, "LARGE", ["ROW", "COLUMN"], [1000, 70], [300, 64], Dtype::F64, Fill::Nan, large);

    let flags = ArrayMetadata::new(vec![3], vec![2], Dtype::Bool, Fill::Bool(false));
    store.add_raw("BOOL", &["TIME"], &flags, &[0, 1, 1], vec![false.into(), true.into(), true.into()]);
    for (name, dtype, fill) in [("FIXED", Dtype::Unicode(4), Fill::Null), ("CODE", Dtype::Bytes(3), Fill::Bytes(Vec::new()))] {
        let texts = if dtype == Dtype::Bytes(3) { ["a", "", "xyz"] } else { ["é", "", "😀abc"] };
        let raw = texts.map(|text| dtype.text_bytes(text)).concat();
        let metadata = ArrayMetadata::new(vec![3], vec![2], dtype, fill);
        store.add_raw(name, &["TIME"], &metadata, &raw, texts.map(Attr::from).into());
    }
    let metadata = ArrayMetadata::new(vec![3], vec![2], Dtype::Object, Fill::Null);
    store.add_texts("filename", &["TIME"], &metadata, &["IMOS_1.nc", "", "é😀.nc"]);

    for (array, name, value) in [
        ("TIME", "units", Attr::from("days since 1950-01-01")),
        ("TIME", "calendar", "gregorian".into()),
        ("UCUR", "long_name", "eastward °".into()),
        ("UCUR", "valid_max", f64::NAN.into()),
        ("UCUR", "flag_values", json!([0, 1, 2.5]).into()),
    ] {
        let attributes = &mut store.arrays.get_mut(array).unwrap().attributes;
        attributes.insert(name.to_owned(), value);
        std::fs::write(folder.join(array).join(".zattrs"), attributes_json(attributes)).unwrap();
    }
    let mut attributes: Attributes = [
        ("title", "\"é\" \\ \n\t\u{0}\u{7f} 😀 \u{2028}".into()),
        ("é", json!({"b": [], "a": {}, "c": [[1, [2]], {"x": null}]}).into()),
        ("😀", true.into()),
        ("\u{ffff}", false.into()),
        ("big", Attr::Integer(i128::from(u64::MAX))),
    ]
    .map(|(name, value): (&str, Attr)| (name.to_owned(), value))
    .into();
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e16, 1e15, -0.0, 5e-324, 1e-5, 1e-4, 0.1, 1e22, 123_456_789.123_456_79];
    attributes.insert("numbers".to_owned(), Attr::List(numbers.map(Attr::from).into()));
    store.finish(&attributes);
    Attr::Map([("attributes".to_owned(), Attr::Map(attributes)), ("variables".to_owned(), Attr::Map(store.expected))].into())
}

/// Floats of all sizes, from bits that follow no pattern.
fn floats() -> Attr {
    let mut bits = 1_u64;
    let mut next = || {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bits ^ (bits >> 29)
    };
    let numbers = (0..12_000).map(|number| match number % 3 {
        0 => f64::from_bits(next()).into(),
        1 => (f64::from((next() >> 32) as u32) / 1024.0).into(),
        _ => f32::from_bits(next() as u32).into(),
    });
    Attr::List(numbers.collect())
}

fn decode_their_chunks(folder: &Path) {
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    for (number, case) in cases.iter().enumerate() {
        let raw = std::fs::read(folder.join(format!("{number}.raw"))).unwrap();
        let theirs = std::fs::read(folder.join(format!("{number}.encoded"))).unwrap();
        let count = case["count"].as_u64().unwrap();
        let dtype = Dtype::parse(case["dtype"].as_str().unwrap()).unwrap();
        let metadata = ArrayMetadata::new(vec![count], vec![count], dtype, Fill::Null);
        let ours = if let Some(texts) = case["texts"].as_array() {
            let texts: Vec<&str> = texts.iter().map(|text| text.as_str().unwrap()).collect();
            assert_eq!(decode_texts(&metadata, &theirs).unwrap(), texts, "{case}");
            encode_texts(&metadata, &texts).unwrap()
        } else {
            assert!(decode_chunk(&metadata, &theirs).unwrap() == raw, "{case}");
            encode_chunk(&metadata, &raw).unwrap()
        };
        if case["default"] == true {
            // Versions, flags, width, lengths of all and of a block. What follows depends on the version of LZ4.
            assert_eq!(ours[..12], theirs[..12], "{case}");
        }
    }
    assert!(cases.len() > 500, "{}", cases.len());
}

/// `exact`: by the version of zarr that the incumbent has, so the documents must be the same to the byte.
fn read_their_store(folder: &Path, exact: bool) {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (attributes, arrays) = parse_zmetadata(&read(".zmetadata")).unwrap();
    assert_eq!(attributes["title"], "é 😀".into());
    assert_eq!(attributes["numbers"], Attr::List([f64::NAN, 1e16, -0.0, 5e-324].map(Attr::from).into()));
    let current = &arrays["UCUR"];
    assert_eq!(current.metadata, ArrayMetadata::new(vec![3, 5], vec![2, 4], Dtype::F32, Fill::Nan));
    assert_eq!(current.dimensions().unwrap(), ["TIME", "LATITUDE"]);
    let raw = [14_f32, f32::NAN, f32::NAN, f32::NAN, f32::NAN, f32::NAN, f32::NAN, f32::NAN].map(f32::to_le_bytes).concat();
    assert_eq!(decode_chunk(&current.metadata, &read("UCUR/1.1")).unwrap(), raw);
    let names = &arrays["filename"].metadata;
    assert_eq!(decode_texts(names, &read("filename/0")).unwrap(), ["a.nc", "", "é.nc"]);
    if exact {
        assert_eq!(zmetadata(&attributes, &arrays), read(".zmetadata"));
        assert_eq!(arrays["crs"].metadata.to_json().into_bytes(), read("crs/.zarray"));
        assert_eq!(attributes_json(&attributes).into_bytes(), read(".zattrs"));
        assert_eq!(zgroup().into_bytes(), read(".zgroup"));
    }
}

#[test]
fn python_reads_ours_and_ours_reads_pythons() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["store", "documents"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let expected = write_store(&folder.path().join("store"));
    std::fs::write(folder.path().join("expected.json"), expected.to_json()).unwrap();
    std::fs::write(folder.path().join("documents/floats.json"), floats().to_json()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zarr_format.py");
    let output = Command::new(python).arg("-B").arg(script).arg(folder.path()).output().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("equal"), "{told}{errors}");
    decode_their_chunks(&folder.path().join("chunks"));
    read_their_store(&folder.path().join("theirs"), told.contains("equal 2."));
}
