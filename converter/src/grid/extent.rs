//! What a store covers, in the words of ACDD: its first and last time and where its positions lie, not those of one file.

use std::collections::BTreeMap;

use crds::config::{DatasetConfig, GridConfig};
use crds::wire::GridRows;
use jiff::Timestamp;

use super::Group;
use super::axes::{Axes, numbers};
use crate::read::{Reader, Variable};
use crate::zarr::{Attr, Attributes};

const START: &str = "time_coverage_start";
const END: &str = "time_coverage_end";
/// Units that only a latitude, or only a longitude, has (CF 4.1, 4.2).
const NORTH: [&str; 6] = ["degrees_north", "degree_north", "degrees_N", "degree_N", "degreesN", "degreeN"];
const EAST: [&str; 6] = ["degrees_east", "degree_east", "degrees_E", "degree_E", "degreesE", "degreeE"];
const METRES: [&str; 5] = ["m", "metre", "metres", "meter", "meters"];

/// A direction in space, and the attributes that say how far a store reaches in it.
struct Axis {
    ends: [&'static str; 2],
    standard_name: &'static str,
    units: &'static [&'static str],
    names: &'static [&'static str],
}

const LATITUDE: Axis =
    Axis { ends: ["geospatial_lat_min", "geospatial_lat_max"], standard_name: "latitude", units: &NORTH, names: &["latitude", "lat"] };
const LONGITUDE: Axis =
    Axis { ends: ["geospatial_lon_min", "geospatial_lon_max"], standard_name: "longitude", units: &EAST, names: &["longitude", "lon"] };
const VERTICAL: [&str; 2] = ["geospatial_vertical_min", "geospatial_vertical_max"];

impl Axis {
    /// How surely a variable holds positions along this axis, the surest first; none where it does not. A config's label
    /// says nothing: AODN's call the number of a radar's row `latitude`.
    fn rank(&self, variable: &Variable, is_index: bool) -> Option<u8> {
        let standard_name = variable.text("standard_name");
        let how = if standard_name == Some(self.standard_name) {
            0
        } else if standard_name.is_some() {
            return None;
        } else if variable.text("units").is_some_and(|units| self.units.contains(&units)) {
            2
        } else if self.names.contains(&variable.name.to_ascii_lowercase().as_str()) {
            4
        } else {
            return None;
        };
        Some(how + u8::from(!is_index))
    }
}

/// How far the positions of a new store reach, by attribute; what the file says of positions that change with time is of
/// that file alone, and goes.
pub fn extents(reader: &dyn Reader, axes: &Axes, append: &str, group: &mut Group) -> BTreeMap<String, f64> {
    let mut extents = BTreeMap::new();
    let stored = || {
        reader.variables().iter().enumerate().filter_map(|(at, variable)| {
            let array = group.arrays.get(&variable.name)?;
            Some((at, variable, array.dimensions().ok()? == [variable.name.as_str()], array.axis(append).is_some()))
        })
    };
    let mut moving = Vec::new();
    for axis in [LATITUDE, LONGITUDE] {
        let ranked: Vec<(u8, usize, bool)> =
            stored().filter_map(|(at, variable, is_index, moves)| Some((axis.rank(variable, is_index)?, at, moves))).collect();
        let best = ranked.iter().map(|(rank, ..)| *rank).min();
        let best: Vec<&(u8, usize, bool)> = ranked.iter().filter(|(rank, ..)| Some(*rank) == best).collect();
        if best.iter().any(|(.., moves)| *moves) {
            moving.extend(axis.ends);
        } else {
            say(&mut extents, axis.ends, best.iter().filter_map(|(_, at, _)| reach(reader, axes, *at)));
        }
    }
    let is_height = |variable: &Variable| {
        let says = |name: &str, words: &[&str]| variable.text(name).is_some_and(|text| words.contains(&text.to_ascii_lowercase().as_str()));
        says("units", &METRES) && (says("positive", &["up", "down"]) || says("axis", &["z"]))
    };
    let heights = stored().filter(|(_, variable, is_index, moves)| *is_index && !moves && is_height(variable));
    say(&mut extents, VERTICAL, heights.filter_map(|(at, ..)| reach(reader, axes, at)));
    for name in moving {
        group.attributes.remove(name);
    }
    extents
}

fn say(extents: &mut BTreeMap<String, f64>, names: [&str; 2], reaches: impl Iterator<Item = [f64; 2]>) {
    if let Some([least, most]) = reaches.reduce(|one, other| [one[0].min(other[0]), one[1].max(other[1])]) {
        extents.extend([(names[0].to_owned(), least), (names[1].to_owned(), most)]);
    }
}

/// The least and the greatest value of a variable; none where it has none that is a number.
fn reach(reader: &dyn Reader, axes: &Axes, at: usize) -> Option<[f64; 2]> {
    let numbers = match axes.target(&reader.variables()[at].name) {
        Some(target) => target.to_vec(),
        None => numbers(reader, at)?,
    };
    let reaches = numbers.into_iter().filter(|number| number.is_finite()).map(|number| [number, number]);
    reaches.reduce(|one, other| [one[0].min(other[0]), one[1].max(other[1])])
}

/// Says in a group's attributes what its rows and positions are, but for those that the config sets or deletes. A masked
/// row covers nothing.
pub fn cover(attributes: &mut Attributes, rows: &GridRows, extents: &BTreeMap<String, f64>, config: &DatasetConfig, grid: &GridConfig) {
    let ours = |name: &str| !config.global_attributes.contains_key(name) && !grid.deleted_attributes.iter().any(|deleted| deleted == name);
    let times = || rows.times.iter().zip(&rows.owners).filter(|(_, owner)| owner.is_some()).map(|(time, _)| *time);
    for (name, time) in [(START, times().min()), (END, times().max())].into_iter().filter(|(name, _)| ours(name)) {
        match time.and_then(moment) {
            Some(text) => drop(attributes.insert(name.to_owned(), text.into())),
            None => drop(attributes.remove(name)),
        }
    }
    let reached = extents.iter().filter(|(name, _)| ours(name));
    attributes.extend(reached.map(|(name, reach)| (name.clone(), Attr::from(*reach))));
}

/// Nanoseconds since 1970 as ISO 8601, to the millisecond within which times are one.
fn moment(time: i64) -> Option<String> {
    let millisecond = time.checked_add(500_000)?.div_euclid(1_000_000);
    Some(Timestamp::from_millisecond(millisecond).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{Attribute, Kind, Values};

    #[test]
    fn moments() {
        for (time, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_704_070_799_999_997_000, "2024-01-01T01:00:00Z"),
            (1_704_070_800_250_000_000, "2024-01-01T01:00:00.25Z"),
            (-1_000_000, "1969-12-31T23:59:59.999Z"),
            (-400_000, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(moment(time).as_deref(), Some(expected), "{time}");
        }
    }

    #[test]
    fn positions_are_told_by_standard_name_then_units_then_name() {
        let variable = |name: &str, attributes: &[(&str, &str)]| {
            let of = |(name, text): &(&str, &str)| Attribute { name: (*name).into(), values: Values::Text(vec![(*text).into()]) };
            Variable { name: name.into(), kind: Kind::F64, dimensions: vec![0], attributes: attributes.iter().map(of).collect() }
        };
        for (name, attributes, is_index, rank) in [
            ("y", &[("standard_name", "latitude")][..], true, Some(0)),
            ("y", &[("standard_name", "latitude")], false, Some(1)),
            ("y", &[("units", "degrees_north")], true, Some(2)),
            ("LAT", &[("units", "degrees")], false, Some(5)),
            ("lat", &[("standard_name", "grid_latitude")], true, None),
            ("y", &[("standard_name", "latitude status_flag"), ("units", "degrees_north")], false, None),
            ("J", &[("units", "1")], true, None),
            ("y", &[("units", "degrees_east")], true, None),
        ] {
            assert_eq!(LATITUDE.rank(&variable(name, attributes), is_index), rank, "{name} {attributes:?}");
        }
    }

    #[test]
    fn a_group_says_what_it_covers_where_the_config_leaves_it_to_it() {
        let config = |set: serde_json::Value, delete: &[&str]| {
            let mut merged = serde_json::json!({
                "dataset_name": "d", "cloud_optimised_format": "zarr",
                "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://a/b/", "filter": []}]},
                "schema": {"t": {"type": "timestamp[ns]"}, "v": {"type": "float"}},
                "schema_transformation": {
                    "dimensions": {"time": {"name": "t", "chunk": 5, "append_dim": true}}, "var_template_shape": "v",
                    "global_attributes": {"delete": delete}
                }
            });
            merged["schema_transformation"]["global_attributes"]["set"] = set;
            crds::config::validate(&merged).expect("a config").config
        };
        let rows = |owners: [Option<u32>; 3]| GridRows {
            times: vec![2_000_000_000, 0, 1_000_000_000],
            owners: owners.into(),
            ..GridRows::default()
        };
        let second = |second: u32| Some(format!("1970-01-01T00:00:0{second}Z"));
        let all = [Some(0), Some(1), Some(0)];
        for (owners, set, delete, expected) in [
            (all, serde_json::json!({}), &[][..], [second(0), second(2)]),
            ([None, Some(0), Some(0)], serde_json::json!({}), &[], [second(0), second(1)]),
            ([None, None, None], serde_json::json!({}), &[], [None, None]),
            (all, serde_json::json!({}), &[START], [Some("one file's".to_owned()), second(2)]),
            (all, serde_json::json!({END: "now"}), &[], [second(0), Some("one file's".to_owned())]),
        ] {
            let config = config(set.clone(), delete);
            let mut attributes: Attributes = [START, END].map(|name| (name.to_owned(), Attr::from("one file's"))).into();
            let extents = BTreeMap::from([(LATITUDE.ends[0].to_owned(), -40.5)]);
            cover(&mut attributes, &rows(owners), &extents, &config, config.grid.as_ref().expect("a grid"));
            let told = [START, END].map(|name| attributes.get(name).and_then(Attr::as_text).map(str::to_owned));
            assert_eq!(told, expected, "{owners:?} {set} {delete:?}");
            assert_eq!(attributes[LATITUDE.ends[0]], Attr::Float(-40.5));
        }
    }
}
