//! The arrays of a new store, from the file its other files are held against (spec 1.4, 3).

use std::collections::{BTreeMap, BTreeSet};

use crds::config::{ChunkLength, DatasetConfig, GridConfig, GridSource, GridType, GridVariable};

use super::{Axes, GridError};
use crate::cf::{self, Rules, decoded_dimensions, joined_dimension};
use crate::read::{Dimension, Kind, Reader, Values, Variable};
use crate::zarr::{Array, ArrayMetadata, Attr, Attributes, Dtype, Fill, set_dimensions};

/// The array of the files that rows are of.
pub const FILENAME: &str = "filename";
/// Rows of one chunk of the append dimension's own arrays: few objects, however many rows.
const OWN_CHUNK: u64 = 10_000;
/// What the encoding of an array says, so its attributes do not (spec 3.5).
const ENCODING: [&str; 6] = ["_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "coordinates"];
/// The same for a coordinate, whose packing is kept.
const RAW_ENCODING: [&str; 2] = ["_FillValue", "coordinates"];

/// What the schema does not take away from a variable by saying nothing of it (spec 1.10), beside names that begin with `_`.
const KEPT: [&str; 4] = ["units", "calendar", "coordinates", "grid_mapping"];

/// What a store is: one group, its attributes and its arrays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub attributes: Attributes,
    pub arrays: BTreeMap<String, Array>,
}

/// Rows of one chunk: the config's, so the same in all arrays that batches write.
#[must_use]
pub fn row_chunk<'a>(arrays: impl IntoIterator<Item = (&'a String, &'a Array)>, append: &str) -> u64 {
    let mut written = arrays.into_iter().filter(|(name, _)| !is_own(name, append));
    written.find_map(|(_, array)| Some(array.metadata.chunks[array.axis(append)?])).unwrap_or(1)
}

/// Whether an array is one that the commit writes, not the batches: times, and names of files.
#[must_use]
pub fn is_own(name: &str, append: &str) -> bool {
    name == append || name == FILENAME
}

/// How the values of an array come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the file has them.
    Raw,
    /// Decoded and cast to the array's type.
    Decoded,
}

/// A coordinate that is not in the schema, and the position along a dimension, stay as they are in the file; one that
/// may have to be interpolated does not, so that it is the same whichever file comes first.
#[must_use]
pub fn form(config: &GridConfig, name: &str, dimensions: &[&str]) -> Form {
    let regridded = || config.target_grids.iter().any(|(target, _)| dimensions.contains(&target.as_str()));
    if dimensions == [name] || (config.variable(name).is_none() && !regridded()) { Form::Raw } else { Form::Decoded }
}

/// The group of a new store.
///
/// # Errors
/// When the file has none of the variables, or one whose type no array can have.
pub fn new_group(reader: &dyn Reader, axes: &Axes, config: &DatasetConfig, grid: &GridConfig, rules: Rules) -> Result<Group, GridError> {
    let append = grid.append_name();
    let length = |d: &Dimension| axes.target(&d.name).map_or(d.length, <[f64]>::len) as u64;
    let lengths: BTreeMap<&str, u64> = reader.dimensions().iter().map(|d| (d.name.as_str(), length(d))).collect();
    let chunk = |name: &str, length: u64| match grid.dimension(name).map(|d| d.chunk) {
        Some(ChunkLength::Length(chunk)) if name == append => chunk.max(1),
        Some(ChunkLength::Length(chunk)) => chunk.min(length).max(1),
        Some(ChunkLength::Whole) | None => length.max(1),
    };
    let mut coordinates = auxiliary(reader);
    for name in unwritten(reader, grid) {
        coordinates.remove(name);
    }
    let mut arrays = BTreeMap::new();
    let mut data = BTreeSet::new();
    for variable in reader.variables() {
        let name = variable.name.as_str();
        let dimensions: Vec<&str> = decoded_dimensions(reader, variable).iter().map(|&d| reader.dimensions()[d].name.as_str()).collect();
        let is_index = dimensions == [name];
        let known = grid.variable(name);
        if name == FILENAME || known.is_some_and(|known| known.dropped) || (known.is_none() && !is_index && !coordinates.contains(name)) {
            continue;
        }
        let raw = if is_index { axes.target(name).is_none() } else { form(grid, name, &dimensions) == Form::Raw };
        let (dtype, fill) = match known {
            Some(known) if !is_index => typed(known.grid_type),
            _ if !raw && !matches!(variable.kind, Kind::Char | Kind::Text) => (Dtype::F64, Fill::Nan),
            _ => untyped(reader, variable)?,
        };
        let mut attributes = attributes(variable, if raw { &RAW_ENCODING } else { &ENCODING });
        // What says how bytes become letters: these are letters already, and xarray would decode them again.
        if matches!(dtype, Dtype::Object | Dtype::Unicode(_)) {
            attributes.remove("_Encoding");
        }
        match known.map(|known| known.grid_type) {
            Some(GridType::TimestampNs) if !is_index => {
                attributes.insert("units".into(), "nanoseconds since 1970-01-01".into());
                attributes.insert("calendar".into(), "proleptic_gregorian".into());
            }
            // The incumbent makes nanoseconds of it, and what says how to read it goes (spec 3.3).
            Some(_) if !is_index && rules.durations && variable.text("units").is_some_and(cf::is_time_like) => {
                attributes.remove("units");
                attributes.remove("calendar");
            }
            _ if raw && variable.text("units").is_some_and(|units| units.contains("since")) => {
                attributes.entry("calendar".into()).or_insert_with(|| "standard".into());
            }
            _ => {}
        }
        set_dimensions(&mut attributes, dimensions.iter().copied());
        let shape: Vec<u64> = dimensions.iter().map(|d| lengths[d]).collect();
        let chunks = match (is_index, name == append) {
            (true, true) => vec![OWN_CHUNK.max(chunk(append, 0))],
            (true, false) => shape.iter().map(|&length| length.max(1)).collect(),
            (false, _) => dimensions.iter().zip(&shape).map(|(d, &length)| chunk(d, length)).collect(),
        };
        arrays.insert(name.to_owned(), Array { metadata: ArrayMetadata::new(shape, chunks, dtype, fill), attributes });
        if !is_index && !coordinates.contains(name) {
            data.insert(name.to_owned());
        }
    }
    if data.is_empty() {
        return Err(GridError::NoVariables);
    }
    for variable in grid.variables.iter().filter(|v| !v.dropped && v.name != FILENAME) {
        if arrays.contains_key(&variable.name) {
            continue;
        }
        if grid.dimension(&variable.name).is_some() {
            return Err(GridError::MissingCoordinate(variable.name.clone()));
        }
        let array = created(variable, grid, &arrays, &|d| lengths.get(d).copied(), &chunk)?;
        arrays.insert(variable.name.clone(), array);
        data.insert(variable.name.clone());
    }
    let mut own = Attributes::new();
    set_dimensions(&mut own, [append]);
    let rows = lengths.get(append).copied().unwrap_or_default();
    let names = ArrayMetadata::new(vec![rows], vec![OWN_CHUNK.max(chunk(append, 0))], Dtype::Object, Fill::Null);
    arrays.insert(FILENAME.to_owned(), Array { metadata: names, attributes: own });
    data.insert(FILENAME.to_owned());

    let alone = say_coordinates(&mut arrays, &data, &coordinates);
    let mut attributes = group_attributes(reader, config, grid);
    if !alone.is_empty() {
        attributes.insert("coordinates".into(), alone.join(" ").into());
    }
    Ok(Group { attributes, arrays })
}

/// A variable of the schema that the file lacks: all of its values are missing.
fn created(
    variable: &GridVariable,
    grid: &GridConfig,
    arrays: &BTreeMap<String, Array>,
    length: &dyn Fn(&str) -> Option<u64>,
    chunk: &dyn Fn(&str, u64) -> u64,
) -> Result<Array, GridError> {
    let template = || grid.template.iter().find_map(|name| arrays.get(name)?.dimensions().ok());
    let dimensions: Vec<String> = match (&variable.dims, template()) {
        (Some(dims), _) => dims.clone(),
        // The config's own order says nothing where it came as an object, whose keys are sorted on the way.
        (None, Some(mut template)) => {
            template.sort_by_key(|name| *name != grid.append_name());
            template.into_iter().map(str::to_owned).collect()
        }
        (None, None) => grid.dimensions.iter().map(|d| d.name.clone()).collect(),
    };
    let lengths = |name: &String| {
        let detail = "the file has no such dimension, so a variable that it lacks cannot be made";
        length(name).ok_or_else(|| GridError::MissingVariable { name: name.clone(), detail })
    };
    let shape = dimensions.iter().map(lengths).collect::<Result<Vec<u64>, _>>()?;
    let chunks = dimensions.iter().zip(&shape).map(|(name, &length)| chunk(name, length)).collect();
    let (dtype, fill) = typed(variable.grid_type);
    let mut attributes: Attributes = variable.attributes.iter().map(|(name, value)| (name.clone(), Attr::from(value.clone()))).collect();
    set_dimensions(&mut attributes, dimensions);
    Ok(Array { metadata: ArrayMetadata::new(shape, chunks, dtype, fill), attributes })
}

/// Variables that a `coordinates` attribute names and that are no positions along a dimension (CF 5).
fn auxiliary(reader: &dyn Reader) -> BTreeSet<String> {
    let lists = reader.variables().iter().filter_map(|v| v.text("coordinates")).chain(global_coordinates(reader));
    let names: BTreeSet<&str> = lists.flat_map(str::split_whitespace).collect();
    let is_index = |v: &Variable| matches!(v.dimensions[..], [one] if reader.dimensions()[one].name == v.name);
    reader.variables().iter().filter(|v| names.contains(v.name.as_str()) && !is_index(v)).map(|v| v.name.clone()).collect()
}

/// Coordinates that nobody asked for and whose values no array holds: compound ones. They are left out; a file is not
/// refused for what is only in its margin.
pub fn unwritten<'a>(reader: &'a dyn Reader, grid: &GridConfig) -> Vec<&'a str> {
    let names = auxiliary(reader);
    let unwritten = reader
        .variables()
        .iter()
        .filter(|variable| variable.kind == Kind::Other && names.contains(&variable.name) && grid.variable(&variable.name).is_none());
    unwritten.map(|variable| variable.name.as_str()).collect()
}

fn global_coordinates(reader: &dyn Reader) -> Option<&str> {
    reader.attributes().iter().find(|a| a.name == "coordinates").and_then(|a| a.values.as_text())
}

/// Says at each data variable which auxiliary coordinates it has (spec 3.5); returns those of none.
fn say_coordinates(arrays: &mut BTreeMap<String, Array>, data: &BTreeSet<String>, coordinates: &BTreeSet<String>) -> Vec<String> {
    let dimensions = |array: &Array| array.dimensions().unwrap_or_default().into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
    let of: Vec<(String, BTreeSet<String>)> =
        coordinates.iter().filter_map(|name| Some((name.clone(), dimensions(arrays.get(name)?)))).collect();
    let mut alone: BTreeSet<&str> = of.iter().map(|(name, _)| name.as_str()).collect();
    for name in data {
        let Some(array) = arrays.get_mut(name) else { continue };
        let own = dimensions(array);
        let attached: Vec<&str> = of.iter().filter(|(_, its)| its.is_subset(&own)).map(|(name, _)| name.as_str()).collect();
        if !attached.is_empty() {
            array.attributes.insert("coordinates".into(), attached.join(" ").into());
        }
        for name in attached {
            alone.remove(name);
        }
    }
    alone.into_iter().map(str::to_owned).collect()
}

/// The group's attributes: the file's, as the config changes them (spec 1.4 step 8).
#[must_use]
pub fn group_attributes(reader: &dyn Reader, config: &DatasetConfig, grid: &GridConfig) -> Attributes {
    let file = reader.attributes().iter().filter(|a| a.name != "coordinates");
    let mut attributes: Attributes = file.map(|a| (a.name.clone(), Attr::from(&a.values))).collect();
    configure(&mut attributes, config, grid);
    attributes
}

/// Changes a group's attributes as the config says.
pub fn configure(attributes: &mut Attributes, config: &DatasetConfig, grid: &GridConfig) {
    for name in &grid.deleted_attributes {
        attributes.remove(name);
    }
    for (name, value) in &config.global_attributes {
        attributes.insert(name.clone(), value.clone().into());
    }
    if grid.has_metadata_uuid {
        attributes.insert("metadata_uuid".into(), config.metadata_uuid.clone().map_or(Attr::Null, Attr::from));
    }
    attributes.insert("dataset_name".into(), config.dataset_name.as_str().into());
}

/// Gives the variables the attributes that a changed config has for them, and takes away what it does not name (spec 1.10).
/// What says how numbers are to be decoded is the store's, whatever the config says.
pub fn reconfigure(arrays: &mut BTreeMap<String, Array>, grid: &GridConfig) {
    for variable in grid.variables.iter().filter(|v| !v.dropped && v.name != FILENAME) {
        let Some(array) = arrays.get_mut(&variable.name) else { continue };
        let is_index = array.dimensions().is_ok_and(|dimensions| dimensions == [variable.name.as_str()]);
        let attributes = &mut array.attributes;
        let decodes = |name: &str| name.starts_with('_') || name == "calendar" || ENCODING.contains(&name);
        attributes.retain(|name, _| decodes(name) || KEPT.contains(&name.as_str()) || variable.attributes.contains_key(name));
        let has_times = attributes.get("units").and_then(Attr::as_text).is_some_and(|units| units.contains("since"));
        for (name, value) in variable.attributes.iter().filter(|(name, _)| !decodes(name)) {
            if name != "units" || !(is_index || has_times || value.as_str().is_some_and(cf::is_time_like)) {
                attributes.insert(name.clone(), value.clone().into());
            }
        }
    }
}

fn attributes(variable: &Variable, left_out: &[&str]) -> Attributes {
    let kept = variable.attributes.iter().filter(|a| !left_out.contains(&a.name.as_str()));
    kept.map(|a| (a.name.clone(), Attr::from(&a.values))).collect()
}

/// The type of a variable of the schema (spec 3.3).
fn typed(grid_type: GridType) -> (Dtype, Fill) {
    match grid_type {
        GridType::F32 => (Dtype::F32, Fill::Nan),
        GridType::F64 => (Dtype::F64, Fill::Nan),
        GridType::I8 | GridType::Bool => (Dtype::I8, Fill::Null),
        GridType::I16 => (Dtype::I16, Fill::Null),
        GridType::I32 => (Dtype::I32, Fill::Null),
        GridType::I64 | GridType::TimestampNs | GridType::TimedeltaNs => (Dtype::I64, Fill::Null),
        GridType::U8 => (Dtype::U8, Fill::Null),
        GridType::U16 => (Dtype::U16, Fill::Null),
        GridType::U32 => (Dtype::U32, Fill::Null),
        GridType::U64 => (Dtype::U64, Fill::Null),
        GridType::Text => (Dtype::Object, Fill::Null),
        GridType::FixedText(length) => (Dtype::Unicode(length), Fill::Null),
        GridType::FixedBytes(length) => (Dtype::Bytes(length), Fill::Null),
    }
}

/// The type of a coordinate, which is the file's.
pub(super) fn untyped(reader: &dyn Reader, variable: &Variable) -> Result<(Dtype, Fill), GridError> {
    let dtype = match variable.kind {
        Kind::I8 => Dtype::I8,
        Kind::I16 => Dtype::I16,
        Kind::I32 => Dtype::I32,
        Kind::I64 => Dtype::I64,
        Kind::U8 => Dtype::U8,
        Kind::U16 => Dtype::U16,
        Kind::U32 => Dtype::U32,
        Kind::U64 => Dtype::U64,
        Kind::F32 => Dtype::F32,
        Kind::F64 => Dtype::F64,
        Kind::Char => Dtype::Bytes(joined_dimension(reader, variable).map_or(1, |d| d.length as u32).max(1)),
        Kind::Text => Dtype::Object,
        Kind::Other => {
            let detail = "coordinates of compound types are not converted".to_owned();
            return Err(GridError::Cast { variable: variable.name.clone(), to: "a coordinate".to_owned(), detail });
        }
    };
    let fill = match variable.attribute("_FillValue") {
        Some(Values::F32(fill)) => fill.first().map(|&fill| f64::from(fill)).map(Fill::Float),
        Some(Values::F64(fill)) => fill.first().copied().map(Fill::Float),
        Some(fill) => fill.to_i128().and_then(|fill| fill.first().copied()).map(Fill::Integer),
        None => None,
    };
    let fill = fill.filter(|_| dtype != Dtype::Object);
    Ok((dtype, fill.unwrap_or(if dtype.is_float() { Fill::Nan } else { Fill::Null })))
}

/// What a global attribute says in every row (spec 1.4 step 4); nothing where the file has no such attribute.
#[must_use]
pub fn added_text(reader: &dyn Reader, source: &GridSource) -> Option<String> {
    let GridSource::GlobalAttribute(name) = source else { return None };
    let values = &reader.attributes().iter().find(|a| a.name == *name)?.values;
    Some(match values.as_text() {
        Some(text) => text.to_owned(),
        None => Attr::from(values).to_json(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config(schema: &Value) -> GridConfig {
        let merged = json!({
            "dataset_name": "d", "cloud_optimised_format": "zarr",
            "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://a/b/", "filter": []}]},
            "schema": schema,
            "schema_transformation": {
                "dimensions": {"time": {"name": "t", "chunk": 5, "append_dim": true}}, "var_template_shape": "v",
                "add_variables": {"filename": {"source": "@filename", "schema": {"type": "object", "units": "1", "dimensions": "t"}}}
            }
        });
        crds::config::validate(&merged).expect("a config").config.grid.expect("a grid")
    }

    struct Margin(Vec<Variable>);

    impl Reader for Margin {
        fn dimensions(&self) -> &[Dimension] {
            &[]
        }

        fn variables(&self) -> &[Variable] {
            &self.0
        }

        fn attributes(&self) -> &[crate::read::Attribute] {
            &[]
        }

        fn read_part(&self, _: usize, _: &[std::ops::Range<usize>]) -> Result<Values, crate::read::ReadError> {
            Ok(Values::Text(Vec::new()))
        }
    }

    #[test]
    fn only_coordinates_that_no_array_holds_are_left_out() {
        let variable = |name: &str, kind| Variable { name: name.into(), kind, dimensions: vec![], attributes: vec![] };
        let mut speaks = variable("v", Kind::F32);
        speaks.attributes.push(crate::read::Attribute { name: "coordinates".into(), values: Values::Text(vec!["label pair".into()]) });
        let file = Margin(vec![speaks, variable("label", Kind::Text), variable("pair", Kind::Other), variable("alone", Kind::Other)]);
        assert_eq!(unwritten(&file, &config(&json!({"v": {"type": "float"}}))), ["pair"]);
    }

    #[test]
    fn a_changed_config_changes_what_variables_say_but_not_how_they_are_decoded() {
        for (name, dimensions, before, schema, after) in [
            ("v", &["t"][..], json!({"long_name": "old", "comment": "gone"}), json!({"long_name": "new"}), json!({"long_name": "new"})),
            (
                "v",
                &["t"],
                json!({"units": "K", "grid_mapping": "crs", "coordinates": "a b"}),
                json!({}),
                json!({"units": "K", "grid_mapping": "crs", "coordinates": "a b"}),
            ),
            ("v", &["t"], json!({"units": "K"}), json!({"units": "degC", "coordinates": "x"}), json!({"units": "degC"})),
            (
                "v",
                &["t"],
                json!({"_Other": 1}),
                json!({"_FillValue": 0, "scale_factor": 2, "valid_min": 1.5}),
                json!({"_Other": 1, "valid_min": 1.5}),
            ),
            // Numbers that were made of durations, or are times, stay what they are.
            ("v", &["t"], json!({}), json!({"units": "seconds", "dims": ["t"]}), json!({})),
            ("v", &["t"], json!({"units": "days since 1970-01-01"}), json!({"units": "s"}), json!({"units": "days since 1970-01-01"})),
            ("v", &["t"], json!({"units": "seconds"}), json!({"units": "s"}), json!({"units": "s"})),
            (
                "t",
                &["t"],
                json!({"units": "days since 1950-01-01", "calendar": "standard", "axis": "T"}),
                json!({"units": "days since 1970-01-01", "calendar": "noleap", "long_name": "time"}),
                json!({"units": "days since 1950-01-01", "calendar": "standard", "long_name": "time"}),
            ),
            ("t", &["t"], json!({"units": "m", "scale_factor": 2}), json!({"units": "km"}), json!({"units": "m", "scale_factor": 2})),
            ("filename", &["t"], json!({"more": 1}), json!({}), json!({"more": 1})),
            ("other", &["t"], json!({"more": 1}), json!({}), json!({"more": 1})),
        ] {
            let of = |text: &Value| {
                let mut attributes = Attr::from(text.clone()).as_map().cloned().unwrap_or_default();
                set_dimensions(&mut attributes, dimensions.iter().copied());
                attributes
            };
            let mut schema_of = json!({"t": {"type": "timestamp[ns]"}, "v": {"type": "float"}});
            if let Some(variable) = schema_of.get_mut(name).and_then(Value::as_object_mut) {
                variable.extend(schema.as_object().cloned().unwrap_or_default());
            }
            let metadata = ArrayMetadata::new(vec![1], vec![1], Dtype::F64, Fill::Nan);
            let mut arrays = BTreeMap::from([(name.to_owned(), Array { metadata, attributes: of(&before) })]);
            reconfigure(&mut arrays, &config(&schema_of));
            assert_eq!(arrays[name].attributes, of(&after), "{name}: {before} under {schema}");
        }
    }
}
