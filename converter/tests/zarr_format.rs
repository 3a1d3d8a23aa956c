//! The Zarr format: metadata as the incumbent writes them, chunks as numcodecs does.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

use std::collections::BTreeMap;

use converter::zarr::{
    Array, ArrayMetadata, Attributes, Dtype, Fill, ZarrError, chunk_indices, chunk_key, decode_chunk, decode_texts, dimensions,
    encode_chunk, encode_texts, is_all_fill, parse_zmetadata, set_dimensions, zgroup, zmetadata,
};
use serde_json::json;

const ZARRAY: &str = r#"{
    "chunks": [
        2,
        4
    ],
    "compressor": {
        "blocksize": 0,
        "clevel": 5,
        "cname": "lz4",
        "id": "blosc",
        "shuffle": 1
    },
    "dtype": "<f4",
    "fill_value": "NaN",
    "filters": null,
    "order": "C",
    "shape": [
        3,
        5
    ],
    "zarr_format": 2
}"#;

fn floats(dtype: Dtype, shape: &[u64], chunks: &[u64]) -> ArrayMetadata {
    ArrayMetadata::new(shape.into(), chunks.into(), dtype, Fill::Nan)
}

#[test]
fn metadata_are_written_as_the_incumbent_writes_them() {
    let metadata = floats(Dtype::F32, &[3, 5], &[2, 4]);
    assert_eq!(metadata.to_json(), ZARRAY);
    assert_eq!(ArrayMetadata::parse(ZARRAY.as_bytes()).unwrap(), metadata);

    let scalar = ArrayMetadata::new(vec![], vec![], Dtype::I32, Fill::Null);
    let json = scalar.to_json();
    assert!(
        json.starts_with("{\n    \"chunks\": [],\n    \"compressor\": null,\n    \"dtype\": \"<i4\",\n    \"fill_value\": null,"),
        "{json}"
    );
    assert_eq!(ArrayMetadata::parse(json.as_bytes()).unwrap(), scalar);

    let texts = ArrayMetadata::new(vec![3], vec![2], Dtype::Object, Fill::Null);
    let json = texts.to_json();
    assert!(json.contains("    \"filters\": [\n        {\n            \"id\": \"vlen-utf8\"\n        }\n    ],"), "{json}");
    assert_eq!(ArrayMetadata::parse(json.as_bytes()).unwrap(), texts);
    assert_eq!(zgroup(), "{\n    \"zarr_format\": 2\n}");
}

/// [`ZARRAY`] with something else in a field.
fn changed(changes: &[(&str, serde_json::Value)]) -> Result<ArrayMetadata, String> {
    let mut document: serde_json::Value = serde_json::from_str(ZARRAY).unwrap();
    for (name, value) in changes {
        document[name] = value.clone();
    }
    ArrayMetadata::parse(document.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn metadata_of_other_writers_are_read_or_refused() {
    let zstd = json!({"id": "blosc", "cname": "zstd", "clevel": 9, "shuffle": 2, "blocksize": 0});
    for changes in [("dimension_separator", json!(".")), ("node_type", json!("array")), ("filters", json!([])), ("compressor", zstd)] {
        assert_eq!(changed(&[changes]).unwrap(), floats(Dtype::F32, &[3, 5], &[2, 4]));
    }
    assert!(!changed(&[("compressor", json!(null))]).unwrap().compressed);
    for (name, value, error) in [
        ("zarr_format", json!(3), "zarr_format 3 is not supported: only 2 is"),
        ("order", json!("F"), "order \"F\" is not supported: only C order is"),
        ("dimension_separator", json!("/"), "dimension_separator \"/\" is not supported: only \".\" is"),
        (
            "compressor",
            json!({"id": "zlib", "level": 1}),
            "compressor { \"id\": \"zlib\", \"level\": 1 } is not supported: only Blosc and none are",
        ),
        ("filters", json!([{"id": "delta"}]), "filters [ { \"id\": \"delta\" } ] is not supported: only vlen-utf8 is"),
        ("dtype", json!(">f4"), "dtype \">f4\" is not supported"),
        ("dtype", json!("<M8[ns]"), "dtype \"<M8[ns]\" is not supported"),
        ("dtype", json!("<U0"), "dtype \"<U0\" is not supported"),
        ("dtype", json!("<U536870912"), "dtype \"<U536870912\" is not supported"),
        ("dtype", json!("|S+1"), "dtype \"|S+1\" is not supported"),
        ("dtype", json!([["a", "<f4"]]), "dtype [ [ \"a\", \"<f4\" ] ] is not supported: only plain types are"),
        ("shape", json!([3]), "a shape of 1 dimensions has chunks of 2"),
        ("shape", json!([3, -5]), "shape [ 3, -5 ] is not supported: only a list of whole numbers from 0 is"),
        ("chunks", json!([2, 0]), "chunks [ 2, 0 ] is not supported: only a list of whole numbers from 1 is"),
        ("fill_value", json!("x"), "fill_value \"x\" does not fit dtype <f4"),
    ] {
        assert_eq!(changed(&[(name, value)]).unwrap_err(), error);
    }
    assert!(changed(&[("dtype", json!("|O")), ("fill_value", json!(null))]).unwrap_err().contains("vlen-utf8 goes with dtype |O"));
    assert!(changed(&[("filters", json!([{"id": "vlen-utf8"}]))]).unwrap_err().contains("this is <f4"));
    assert_eq!(ArrayMetadata::parse(b"{\"zarr_format\": 2}").unwrap_err(), ZarrError::Document("there is no order".into()));
}

#[test]
fn fills_are_exact() {
    for (dtype, json, fill, bytes) in [
        ("<f4", json!(null), Fill::Null, vec![0; 4]),
        ("<f4", json!("NaN"), Fill::Nan, f32::NAN.to_le_bytes().into()),
        ("<f4", json!("-Infinity"), Fill::Float(f64::NEG_INFINITY), f32::NEG_INFINITY.to_le_bytes().into()),
        ("<f4", json!(-999), Fill::Float(-999.0), (-999_f32).to_le_bytes().into()),
        ("<f4", json!(0.1), Fill::Float(f64::from(0.1_f32)), 0.1_f32.to_le_bytes().into()),
        ("<f8", json!(1e300), Fill::Float(1e300), 1e300_f64.to_le_bytes().into()),
        ("<f8", json!(-0.0), Fill::Float(-0.0), (-0.0_f64).to_le_bytes().into()),
        ("|i1", json!(-128), Fill::Integer(-128), vec![0x80]),
        ("<i2", json!(-32768.0), Fill::Integer(-32768), vec![0, 0x80]),
        ("<i8", json!(i64::MIN), Fill::Integer(i64::MIN.into()), i64::MIN.to_le_bytes().into()),
        ("<u8", json!(u64::MAX), Fill::Integer(u64::MAX.into()), vec![0xff; 8]),
        ("|b1", json!(true), Fill::Bool(true), vec![1]),
        ("<U3", json!("é"), Fill::Text("é".into()), vec![0xe9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("<U1", json!("NaN"), Fill::Text("NaN".into()), vec![b'N', 0, 0, 0]),
        ("|S3", json!("YWI="), Fill::Bytes(b"ab".into()), b"ab\0".into()),
        ("|S2", json!(null), Fill::Null, vec![0; 2]),
    ] {
        let metadata = changed(&[("dtype", json!(dtype)), ("fill_value", json)]).unwrap();
        assert_eq!(metadata.fill, fill, "{dtype}");
        assert_eq!(metadata.dtype.as_str(), dtype);
        assert_eq!(metadata.dtype.width(), bytes.len());
        assert_eq!(fill.bytes(metadata.dtype), bytes, "{dtype}");
        assert_eq!(ArrayMetadata::parse(metadata.to_json().as_bytes()).unwrap(), metadata);
    }
    for (dtype, fill) in [
        ("|i1", json!(128)),
        ("<i4", json!(0.5)),
        ("<i4", json!("NaN")),
        ("<u8", json!(-1)),
        ("<f4", json!(1e39)),
        ("|b1", json!(2)),
        ("|S3", json!("YWJjZA==")),
        ("|S3", json!("?")),
        ("<U3", json!(0)),
    ] {
        assert!(changed(&[("dtype", json!(dtype)), ("fill_value", fill.clone())]).is_err(), "{dtype} {fill}");
    }
    assert!(Fill::Null.bytes(Dtype::Object).is_empty());
    assert!(changed(&[("dtype", json!("<f8")), ("fill_value", json!(3))]).unwrap().to_json().contains("\"fill_value\": 3.0"));
}

#[test]
fn consolidated_metadata_are_read_back() {
    let mut of_array = Attributes::from([("valid_min".to_owned(), f64::NAN.into())]);
    set_dimensions(&mut of_array, ["TIME", "LATITUDE"]);
    let array = Array { metadata: floats(Dtype::F32, &[3, 5], &[2, 4]), attributes: of_array };
    assert_eq!(array.dimensions().unwrap(), ["TIME", "LATITUDE"]);
    let group = Attributes::from([("title".to_owned(), "é".into())]);
    let arrays = BTreeMap::from([("UCUR".to_owned(), array.clone())]);
    let json = zmetadata(&group, &arrays);
    let text = String::from_utf8(json.clone()).unwrap();
    assert!(text.starts_with("{\n    \"metadata\": {\n        \".zattrs\": {\n            \"title\": \"\\u00e9\"\n        },\n        \".zgroup\": {\n            \"zarr_format\": 2\n        },\n        \"UCUR/.zarray\": {\n            \"chunks\": ["), "{text}");
    assert!(text.ends_with("\"valid_min\": NaN\n        }\n    },\n    \"zarr_consolidated_format\": 1\n}"), "{text}");
    assert_eq!(parse_zmetadata(&json).unwrap(), (group, arrays));

    let minimal = format!(
        r#"{{"zarr_consolidated_format": 1, "metadata": {{".zgroup": {{"zarr_format": 2}}, "A/.zarray": {ZARRAY}, "B/.zattrs": {{}}}}}}"#
    );
    let (group, arrays) = parse_zmetadata(minimal.as_bytes()).unwrap();
    assert!(group.is_empty() && arrays.keys().eq(["A"]) && arrays["A"].attributes.is_empty());
    assert!(arrays["A"].dimensions().unwrap_err().to_string().contains("_ARRAY_DIMENSIONS"));
    for (from, to, error) in [
        ("A/.zarray", "A/B/.zarray", "\"A/B/.zarray\" is not supported: only arrays directly below the group are"),
        ("A/.zarray", "../.zarray", "\"../.zarray\" is not supported: only arrays directly below the group are"),
        ("B/.zattrs", "B/.zgroup", "\"B/.zgroup\" is not supported: only arrays are"),
        ("\"C\"", "\"F\"", "array \"A\": order \"F\" is not supported: only C order is"),
        ("\"zarr_consolidated_format\": 1", "\"x\": 1", "the metadata are not consolidated in format 1"),
        (".zgroup", "x/.zattrs", "there is no object \".zgroup\""),
    ] {
        assert_eq!(parse_zmetadata(minimal.replace(from, to).as_bytes()).unwrap_err().to_string(), error);
    }
}

#[test]
fn dimensions_are_a_list_of_names() {
    for wrong in [json!("TIME"), json!([1]), json!(null)] {
        assert!(dimensions(&Attributes::from([("_ARRAY_DIMENSIONS".to_owned(), wrong.into())])).is_err());
    }
    let mut attributes = Attributes::new();
    set_dimensions(&mut attributes, Vec::<String>::new());
    assert!(dimensions(&attributes).unwrap().is_empty());
    let array = Array { metadata: floats(Dtype::F32, &[3], &[2]), attributes };
    assert_eq!(array.dimensions().unwrap_err().to_string(), "a shape of 1 dimensions has the dimensions []");
}

#[test]
fn chunks_are_counted_and_named() {
    let metadata = floats(Dtype::F64, &[6, 0, 7], &[3, 5, 4]);
    assert_eq!(metadata.grid(), [2, 0, 2]);
    assert_eq!(metadata.chunk_bytes().unwrap(), 3 * 5 * 4 * 8);
    assert_eq!(chunk_indices(&metadata.grid()).count(), 0);
    let keys = |grid: &[u64]| chunk_indices(grid).map(|indices| chunk_key(&indices)).collect::<Vec<_>>();
    assert_eq!(keys(&[2, 1, 3]), ["0.0.0", "0.0.1", "0.0.2", "1.0.0", "1.0.1", "1.0.2"]);
    assert_eq!(keys(&[]), ["0"]);
    let scalar = ArrayMetadata::new(vec![], vec![], Dtype::F64, Fill::Nan);
    assert_eq!((scalar.grid(), scalar.chunk_bytes().unwrap()), (vec![], 8));
    for chunks in [[1 << 40, 1 << 40], [1 << 62, 1]] {
        assert!(floats(Dtype::F64, &[1, 1], &chunks).chunk_bytes().unwrap_err().to_string().contains("more than memory can hold"));
    }
}

#[test]
fn chunks_are_read_back() {
    let raw: Vec<u8> = (0..4000_u32).flat_map(|i| (f64::from(i) / 7.0).to_le_bytes()).collect();
    for dtype in [Dtype::I8, Dtype::U16, Dtype::F32, Dtype::F64, Dtype::Bool, Dtype::Unicode(5), Dtype::Bytes(400)] {
        let mut metadata = ArrayMetadata::new(vec![1], vec![(raw.len() / dtype.width()) as u64], dtype, Fill::Null);
        let bytes = encode_chunk(&metadata, &raw).unwrap();
        // Version 2; LZ4 of format 1, shuffled, and split by bytes up to a width of 16; the width, which Blosc has up to 255.
        let width = u8::try_from(dtype.width()).unwrap_or(1);
        let flags = if width > 16 { 0x31 } else { 0x21 };
        assert_eq!(bytes[..4], [2, 1, flags, width], "{dtype}");
        assert_eq!(decode_chunk(&metadata, &bytes).unwrap(), raw);
        metadata.compressed = false;
        assert_eq!(encode_chunk(&metadata, &raw).unwrap(), raw);
        assert_eq!(decode_chunk(&metadata, &raw).unwrap(), raw);
        assert!(encode_chunk(&metadata, &raw[1..]).is_err() && decode_chunk(&metadata, &raw[1..]).is_err());
    }
    let scalar = ArrayMetadata::new(vec![], vec![], Dtype::F64, Fill::Nan);
    assert_eq!(encode_chunk(&scalar, &raw[..8]).unwrap(), raw[..8]);
    let texts = ArrayMetadata::new(vec![3], vec![2], Dtype::Object, Fill::Null);
    assert!(encode_chunk(&texts, &raw).is_err() && decode_chunk(&texts, &raw).is_err());
}

#[test]
fn hostile_chunks_are_refused() {
    let raw: Vec<u8> = (0..1000_u32).flat_map(u32::to_le_bytes).collect();
    let metadata = ArrayMetadata::new(vec![1000], vec![1000], Dtype::U32, Fill::Null);
    let bytes = encode_chunk(&metadata, &raw).unwrap();
    let refused = |bytes: &[u8]| decode_chunk(&metadata, bytes).unwrap_err().to_string();
    for length in 0..bytes.len() {
        assert_eq!(refused(&bytes[..length]), format!("chunk: {length} bytes are not a whole Blosc buffer"));
    }
    let mut large = bytes.clone();
    large[4..8].copy_from_slice(&0x7000_0000_u32.to_le_bytes());
    assert_eq!(refused(&large), "chunk: its Blosc header tells of 1879048192 decoded bytes, which cannot be");
    assert!(encode_chunk(&ArrayMetadata::new(vec![1], vec![1], Dtype::Bytes(4000), Fill::Null), &raw).is_ok());
    // Any one byte changed: an error, or as many bytes as expected.
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << bit;
            assert!(decode_chunk(&metadata, &wrong).is_ok_and(|raw| raw.len() == 4000) || !refused(&wrong).is_empty());
        }
    }
}

#[test]
fn texts_are_read_back() {
    let texts = ["", "é", "😀", "IMOS_file.nc"].map(str::to_owned);
    let mut metadata = ArrayMetadata::new(vec![9], vec![4], Dtype::Object, Fill::Null);
    let bytes = encode_texts(&metadata, &texts).unwrap();
    assert_eq!(bytes[..4], [2, 1, 0x33, 1]); // so few bytes are copied
    assert_eq!(decode_texts(&metadata, &bytes).unwrap(), texts);
    metadata.compressed = false;
    let raw = encode_texts(&metadata, &texts).unwrap();
    assert!(raw.starts_with(b"\x04\0\0\0\0\0\0\0\x02\0\0\0\xc3\xa9\x04\0\0\0"));
    assert_eq!(decode_texts(&metadata, &raw).unwrap(), texts);
    for length in 0..raw.len() {
        assert_eq!(decode_texts(&metadata, &raw[..length]).unwrap_err().to_string(), "chunk: its texts end too early");
    }
    for (raw, error) in [
        ([&raw[..], b"x"].concat(), "1 bytes follow its texts"),
        (raw.iter().map(|&b| if b == 0xc3 { 0xff } else { b }).collect(), "text 1 is not UTF-8"),
        (vec![0xff; 40], "4294967295 texts are not the 4 of a chunk"),
        ([&[4, 0, 0, 0], &[0xff; 40][..]].concat(), "its texts end too early"),
    ] {
        assert_eq!(decode_texts(&metadata, &raw).unwrap_err().to_string(), format!("chunk: {error}"));
    }
    assert_eq!(encode_texts(&metadata, &texts[1..]).unwrap_err().to_string(), "chunk: 3 texts are not the 4 of a chunk");
    metadata.compressed = true;
    let mut large = bytes;
    large[4..8].copy_from_slice(&0x7000_0000_u32.to_le_bytes());
    assert!(decode_texts(&metadata, &large).unwrap_err().to_string().contains("which cannot be"));
    metadata.chunks = vec![1 << 40];
    assert!(decode_texts(&metadata, &large).is_err());
    assert!(encode_texts(&floats(Dtype::F32, &[4], &[4]), &texts).is_err());
}

#[test]
fn chunks_of_nothing_but_fill_are_known() {
    let is = |dtype, fill, raw: &[u8]| is_all_fill(&ArrayMetadata::new(vec![1], vec![1], dtype, fill), raw);
    let nans: Vec<u8> = [0x7fc0_0000_u32, 0xffc0_0000, 0x7f80_0001, 0x7fff_ffff].repeat(999).iter().flat_map(|x| x.to_le_bytes()).collect();
    assert!(is(Dtype::F32, Fill::Nan, &nans));
    assert!(is(Dtype::F32, Fill::Float(f64::NAN), &nans));
    assert!(!is(Dtype::F32, Fill::Null, &nans));
    for at in [0, nans.len() / 2, nans.len() - 4] {
        let mut infinite = nans.clone();
        infinite[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
        assert!(!is(Dtype::F32, Fill::Nan, &infinite));
    }
    let doubles = [f64::NAN, -f64::NAN].map(f64::to_le_bytes).concat();
    assert!(is(Dtype::F64, Fill::Nan, &doubles));
    assert!(!is(Dtype::F64, Fill::Nan, &[&doubles[..], &1_f64.to_le_bytes()].concat()));
    let fives = 5_i16.to_le_bytes().repeat(1000);
    assert!(is(Dtype::I16, Fill::Integer(5), &fives));
    assert!(!is(Dtype::I16, Fill::Integer(4), &fives));
    assert!(!is(Dtype::I16, Fill::Integer(5), &[&fives[..], &[5, 1]].concat()));
    assert!(!is(Dtype::I16, Fill::Integer(5), &fives[1..]));
    assert!(!is(Dtype::I16, Fill::Integer(5), &[]));
    assert!(is(Dtype::I16, Fill::Integer(5), &fives[..2]));
    assert!(is(Dtype::F32, Fill::Float(0.0), &[0; 40]));
    assert!(!is(Dtype::F32, Fill::Float(0.0), &(-0.0_f32).to_le_bytes()));
    assert!(is(Dtype::Unicode(2), Fill::Text(String::new()), &[0; 80]));
    assert!(is(Dtype::Bytes(3), Fill::Bytes(b"ab".into()), b"ab\0ab\0"));
    assert!(!is(Dtype::Object, Fill::Text(String::new()), &[0; 80]));
}
