//! Positions (spec 4.3): rows outside the valid range, and the tile that is a partition folder.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::FileError;
use super::cast;
use super::level::{Distinct, LEFT_OUT};

/// Codes and cells of one coordinate.
pub(super) struct Cells {
    pub(super) codes: Vec<u32>,
    /// `trunc(x / d) * d`, one for each code.
    pub(super) cells: Vec<f64>,
}

/// Gives every coordinate its cell; null and invalid ones are left out. The values begin at number `first` of
/// their variable.
pub(super) fn cells(values: &ArrayRef, name: &str, first: usize, valid: (f64, f64), resolution: f64) -> Result<Cells, FileError> {
    if !values.data_type().is_numeric() {
        return Err(FileError::NotANumber(name.to_owned()));
    }
    let wide = widen(values, name, first)?;
    let mut distinct = Distinct::new();
    let mut last = (f64::NAN, LEFT_OUT);
    #[allow(clippy::float_cmp)] // the same number as in the row before
    let codes = wide.as_primitive::<Float64Type>().iter().map(|value| match value {
        Some(v) if v == last.0 => last.1,
        Some(v) if v >= valid.0 && v <= valid.1 => {
            let cell = (v / resolution).trunc() * resolution + 0.0; // no negative zero
            last = (v, distinct.code(cell.to_bits()));
            last.1
        }
        _ => LEFT_OUT,
    });
    let codes = codes.collect();
    Ok(Cells { codes, cells: distinct.values.into_iter().map(f64::from_bits).collect() })
}

fn widen(values: &ArrayRef, name: &str, first: usize) -> Result<ArrayRef, FileError> {
    cast::cast(values, &DataType::Float64).map_err(|error| FileError::CastFailed {
        column: name.to_owned(),
        to: DataType::Float64.to_string(),
        detail: error.text(first),
    })
}

/// Brings longitudes of 180..360 to -180..0, and says how many; others stay as they are.
pub(super) fn wrap_longitudes(values: &ArrayRef, valid: (f64, f64)) -> (ArrayRef, u64) {
    let beyond = |v: f64| v > valid.1 && v <= 360.0 && v - 360.0 >= valid.0;
    // Exact in either type: both operands lie within a factor of two.
    match values.data_type() {
        DataType::Float32 => {
            let array = values.as_primitive::<Float32Type>();
            let count = array.iter().flatten().filter(|&v| beyond(f64::from(v))).count() as u64;
            if count == 0 {
                return (Arc::clone(values), 0);
            }
            (Arc::new(array.unary::<_, Float32Type>(|v| if beyond(f64::from(v)) { v - 360.0 } else { v })), count)
        }
        DataType::Float64 => {
            let array = values.as_primitive::<Float64Type>();
            let count = array.iter().flatten().filter(|&v| beyond(v)).count() as u64;
            if count == 0 {
                return (Arc::clone(values), 0);
            }
            (Arc::new(array.unary::<_, Float64Type>(|v| if beyond(v) { v - 360.0 } else { v })), count)
        }
        _ => (Arc::clone(values), 0),
    }
}

/// The tile around a cell as upper-case hexadecimal WKB: a square of side 2d, little-endian.
pub(super) fn tile_hex(longitude: f64, latitude: f64, resolution: f64) -> String {
    let (west, east) = (longitude - resolution, longitude + resolution);
    let (south, north) = (latitude - resolution, latitude + resolution);
    let mut hex = String::with_capacity(186);
    hex.push_str("01" /* little-endian */);
    hex.push_str("03000000" /* polygon */);
    hex.push_str("01000000" /* one ring */);
    hex.push_str("05000000" /* five points */);
    for (x, y) in [(west, south), (east, south), (east, north), (west, north), (west, south)] {
        for byte in x.to_le_bytes().into_iter().chain(y.to_le_bytes()) {
            let _ = write!(hex, "{byte:02X}"); // a String takes all
        }
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Float32Array, Float64Array};

    fn tile(longitude: f64, latitude: f64, d: f64) -> String {
        let cell = |v: f64, range| {
            let values: ArrayRef = Arc::new(Float64Array::from(vec![v]));
            cells(&values, "x", 0, range, d).unwrap().cells[0]
        };
        tile_hex(cell(longitude, (-180.0, 180.0)), cell(latitude, (-90.0, 90.0)), d)
    }

    #[test]
    fn tiles_have_the_incumbents_bytes() {
        assert_eq!(
            tile(151.45185, -33.99587, 5.0),
            "01030000000100000005000000000000000020624000000000008041C0000000000060634000000000008041C0000000000060634000000000000039C0000000000020624000000000000039C0000000000020624000000000008041C0"
        );
        let zero = "0103000000010000000500000000000000000014C000000000000014C0000000000000144000000000000014C00000000000001440000000000000144000000000000014C0000000000000144000000000000014C000000000000014C0";
        assert_eq!(tile(-0.1, 0.1, 5.0), zero);
        assert_eq!(tile(4.999, -4.999, 5.0), zero);
        assert_eq!(
            tile(-5.1, 5.1, 5.0),
            "0103000000010000000500000000000000000024C00000000000000000000000000000000000000000000000000000000000000000000000000000244000000000000024C0000000000000244000000000000024C00000000000000000"
        );
        assert_eq!(
            tile(-180.0, -90.0, 20.0),
            "0103000000010000000500000000000000000069C000000000000059C000000000000064C000000000000059C000000000000064C00000000000004EC000000000000069C00000000000004EC000000000000069C000000000000059C0"
        );
    }

    #[test]
    fn coordinates_out_of_range_are_left_out() {
        let values: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(180.0), Some(180.1), None, Some(-180.0), Some(f64::INFINITY), Some(179.0)]));
        let cells = cells(&values, "LONGITUDE", 0, (-180.0, 180.0), 10.0).unwrap();
        assert_eq!(cells.codes, vec![0, LEFT_OUT, LEFT_OUT, 1, LEFT_OUT, 2]);
        assert_eq!(cells.cells, vec![180.0, -180.0, 170.0]);
    }

    #[test]
    fn longitudes_wrap_without_rounding() {
        let values: ArrayRef = Arc::new(Float32Array::from(vec![180.247, 180.0, 360.0, 361.0, -170.0]));
        let (wrapped, count) = wrap_longitudes(&values, (-180.0, 180.0));
        assert_eq!(count, 2);
        assert_eq!(wrapped.as_primitive::<Float32Type>().values().to_vec(), vec![180.247f32 - 360.0, 180.0, 0.0, 361.0, -170.0]);
        assert_eq!(wrap_longitudes(&values, (0.0, 360.0)).1, 0);
    }
}
