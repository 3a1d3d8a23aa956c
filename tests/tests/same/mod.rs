//! A file as our reader reads it and as netCDF's own C library does, bit for bit.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use converter::read::{self, Input, Reader, Values};
use netcdf::AttributeValue;
use netcdf::types::{FloatType, IntType, NcVariableType};

fn open(path: &Path) -> Result<Box<dyn Reader + Send + Sync>> {
    Ok(read::open(Bytes::from(std::fs::read(path)?))?)
}

/// A part of a file is that part of the whole, from memory and by ranges.
fn compare_parts(path: &Path) -> Result<()> {
    let whole = open(path)?;
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let ranged = read::open(Input::File { file: Arc::new(file), length })?;
    for (index, variable) in whole.variables().iter().enumerate() {
        let lengths: Vec<usize> = variable.dimensions.iter().map(|&d| whole.dimensions()[d].length).collect();
        let all = whole.read(index)?;
        ensure!(same_bits(&all, &ranged.read(index)?), "{}: {} differs by ranges", path.display(), variable.name);
        // The middle third, and the last value of each dimension.
        let middle: Vec<_> = lengths.iter().map(|&n| n / 3..n - n / 3).collect();
        let last: Vec<_> = lengths.iter().map(|&n| n.saturating_sub(1)..n).collect();
        for part in [middle, last] {
            let expected = all.clone().part(&lengths, &part);
            for reader in [&whole, &ranged] {
                let got = reader.read_part(index, &part).with_context(|| format!("{}: {} {part:?}", path.display(), variable.name))?;
                ensure!(same_bits(&got, &expected), "{}: {} in {part:?}", path.display(), variable.name);
            }
        }
    }
    Ok(())
}

/// NaN equals NaN.
fn same_bits(a: &Values, b: &Values) -> bool {
    match (a, b) {
        (Values::F32(a), Values::F32(b)) => a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits())),
        (Values::F64(a), Values::F64(b)) => a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits())),
        (a, b) => a == b,
    }
}

/// Compares one file, and says how many variables it has.
pub fn compare(path: &Path) -> Result<usize> {
    compare_parts(path)?;
    let reader = open(path)?;
    let file = netcdf::open(path)?;
    let oracle: Vec<netcdf::Variable> = file.variables().collect();
    let names: Vec<String> = oracle.iter().map(netcdf::Variable::name).collect();
    let ours: Vec<&str> = reader.variables().iter().map(|v| v.name.as_str()).collect();
    ensure!(ours == names, "{}: variables in file order: {ours:?}, the library has {names:?}", path.display());
    for (index, (variable, expected)) in reader.variables().iter().zip(&oracle).enumerate() {
        let shape: Vec<(String, usize)> = expected.dimensions().iter().map(|d| (d.name(), d.len())).collect();
        let own: Vec<(String, usize)> =
            variable.dimensions.iter().map(|&d| (reader.dimensions()[d].name.clone(), reader.dimensions()[d].length)).collect();
        ensure!(own == shape, "{}: dimensions of {}: {own:?}, the library has {shape:?}", path.display(), variable.name);
        compare_values(&reader.read(index)?, expected).with_context(|| format!("{}: {}", path.display(), variable.name))?;
        compare_attributes(variable, expected).with_context(|| format!("{}: {}", path.display(), variable.name))?;
    }
    Ok(oracle.len())
}

/// Their order has no meaning, and NetCDF-4 does not always keep it.
fn compare_attributes(variable: &read::Variable, expected: &netcdf::Variable) -> Result<()> {
    let mut ours: Vec<&str> = variable.attributes.iter().map(|a| a.name.as_str()).collect();
    let mut theirs: Vec<String> = expected.attributes().map(|a| a.name().to_owned()).collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    ensure!(ours == theirs, "attributes {ours:?}, the library has {theirs:?}");
    for attribute in expected.attributes() {
        let name = attribute.name();
        let (ours, theirs) = (variable.attribute(name).context("it is there")?, attribute.value()?);
        ensure!(is_same(ours, &theirs), "attribute {name}: {ours:?}, the library has {theirs:?}");
    }
    Ok(())
}

fn is_same(ours: &Values, theirs: &AttributeValue) -> bool {
    macro_rules! bits {
        ($ours:expr, $theirs:expr) => {
            $ours.iter().map(|v| v.to_ne_bytes()).eq($theirs.iter().map(|v| v.to_ne_bytes()))
        };
    }
    match (ours, theirs) {
        (Values::I8(o), AttributeValue::Schar(t)) => bits!(o, [t]),
        (Values::I8(o), AttributeValue::Schars(t)) => bits!(o, t),
        (Values::U8(o), AttributeValue::Uchar(t)) => bits!(o, [t]),
        (Values::U8(o), AttributeValue::Uchars(t)) => bits!(o, t),
        (Values::I16(o), AttributeValue::Short(t)) => bits!(o, [t]),
        (Values::I16(o), AttributeValue::Shorts(t)) => bits!(o, t),
        (Values::U16(o), AttributeValue::Ushort(t)) => bits!(o, [t]),
        (Values::U16(o), AttributeValue::Ushorts(t)) => bits!(o, t),
        (Values::I32(o), AttributeValue::Int(t)) => bits!(o, [t]),
        (Values::I32(o), AttributeValue::Ints(t)) => bits!(o, t),
        (Values::U32(o), AttributeValue::Uint(t)) => bits!(o, [t]),
        (Values::U32(o), AttributeValue::Uints(t)) => bits!(o, t),
        (Values::I64(o), AttributeValue::Longlong(t)) => bits!(o, [t]),
        (Values::I64(o), AttributeValue::Longlongs(t)) => bits!(o, t),
        (Values::U64(o), AttributeValue::Ulonglong(t)) => bits!(o, [t]),
        (Values::U64(o), AttributeValue::Ulonglongs(t)) => bits!(o, t),
        (Values::F32(o), AttributeValue::Float(t)) => bits!(o, [t]),
        (Values::F32(o), AttributeValue::Floats(t)) => bits!(o, t),
        (Values::F64(o), AttributeValue::Double(t)) => bits!(o, [t]),
        (Values::F64(o), AttributeValue::Doubles(t)) => bits!(o, t),
        // The binding of the library ends a text at its first NUL.
        (Values::Text(o), AttributeValue::Str(t)) => o.concat().split('\0').next() == Some(t),
        (Values::Char(o), AttributeValue::Str(t)) => String::from_utf8_lossy(o).split('\0').next() == Some(t),
        (Values::Text(o), AttributeValue::Strs(t)) => o == t,
        _ => false,
    }
}

fn compare_values(ours: &Values, expected: &netcdf::Variable) -> Result<()> {
    macro_rules! same {
        ($variant:ident, $type:ty) => {{
            let Values::$variant(ours) = ours else { anyhow::bail!("read as {:?}", ours.kind()) };
            let theirs: Vec<$type> = expected.get_values(..)?;
            anyhow::ensure!(ours.iter().map(|v| v.to_ne_bytes()).eq(theirs.iter().map(|v| v.to_ne_bytes())), "values differ");
        }};
    }
    match expected.vartype() {
        NcVariableType::Int(IntType::I8) => same!(I8, i8),
        NcVariableType::Int(IntType::U8) => same!(U8, u8),
        NcVariableType::Int(IntType::I16) => same!(I16, i16),
        NcVariableType::Int(IntType::U16) => same!(U16, u16),
        NcVariableType::Int(IntType::I32) => same!(I32, i32),
        NcVariableType::Int(IntType::U32) => same!(U32, u32),
        NcVariableType::Int(IntType::I64) => same!(I64, i64),
        NcVariableType::Int(IntType::U64) => same!(U64, u64),
        NcVariableType::Float(FloatType::F32) => same!(F32, f32),
        NcVariableType::Float(FloatType::F64) => same!(F64, f64),
        NcVariableType::Char => {
            let Values::Char(ours) = ours else { anyhow::bail!("read as {:?}", ours.kind()) };
            anyhow::ensure!(*ours == expected.get_raw_values(..)?, "characters differ");
        }
        NcVariableType::String => {
            let Values::Text(ours) = ours else { anyhow::bail!("read as {:?}", ours.kind()) };
            anyhow::ensure!(*ours == texts(expected)?, "texts differ");
        }
        other => anyhow::bail!("no test for {other:?}"),
    }
    Ok(())
}

fn texts(variable: &netcdf::Variable) -> Result<Vec<String>> {
    let lengths: Vec<usize> = variable.dimensions().iter().map(netcdf::Dimension::len).collect();
    let one = |index: usize| {
        let mut rest = index;
        let mut place = vec![0; lengths.len()];
        for (axis, length) in lengths.iter().enumerate().rev() {
            place[axis] = rest % length;
            rest /= length;
        }
        let ones = vec![1; lengths.len()];
        let text = if lengths.is_empty() { variable.get_string(()) } else { variable.get_string((&place[..], &ones[..])) };
        Ok(text?)
    };
    (0..lengths.iter().product()).map(one).collect()
}
