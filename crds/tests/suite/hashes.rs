//! Which change of a config moves which hash.

use crds::config::{hashes, validate};
use crds::wire::{Compat, Hashes, Naming};
use serde_json::{Value, json};

use crate::{config, remove, set};

fn of(config: &Value) -> Hashes {
    hashes(config, &validate(config).unwrap().config, Compat::Fixed, Naming::Basename)
}

#[derive(Debug, PartialEq, Eq)]
enum Moves {
    Nothing,
    Layout,
    LayoutAndMetadata,
    Content,
    ContentAndMetadata,
    Metadata,
    All,
}

fn moved(before: &Hashes, after: &Hashes) -> Moves {
    match (before.layout != after.layout, before.content != after.content, before.metadata != after.metadata) {
        (false, false, false) => Moves::Nothing,
        (true, false, false) => Moves::Layout,
        (true, false, true) => Moves::LayoutAndMetadata,
        (false, true, false) => Moves::Content,
        (false, true, true) => Moves::ContentAndMetadata,
        (false, false, true) => Moves::Metadata,
        (true, true, _) => Moves::All,
    }
}

#[test]
fn each_part_belongs_to_its_hash() {
    let before = of(&config());
    for hash in [&before.layout, &before.content, &before.metadata] {
        assert_eq!(hash.len(), 16);
        assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let cases: Vec<(&str, Value, Moves)> = vec![
        ("/run_settings/paths/0/s3_uri", json!("s3://other/"), Moves::Nothing),
        ("/run_settings/batch_size", json!(7), Moves::Nothing),
        ("/logger_name", json!("x"), Moves::Nothing),
        ("/aws_opendata_registry", json!({"Name": "x"}), Moves::Nothing),
        ("/schema/LATITUDE/valid_min", json!(-90), Moves::Nothing),
        ("/schema/TEMP/type", json!("float32"), Moves::Metadata),
        ("/schema/TEMP/long_name", json!("temperature"), Moves::Metadata),
        ("/schema/TEMP/valid_min", json!(-3.0), Moves::Metadata),
        ("/metadata_uuid", json!("x"), Moves::Metadata),
        ("/schema_transformation/global_attributes/set/title", json!("x"), Moves::Metadata),
        ("/schema_transformation/global_attributes/delete", json!(["history"]), Moves::Nothing),
        ("/schema/LATITUDE/valid_min", json!(-60.0), Moves::ContentAndMetadata),
        ("/schema/LONGITUDE/valid_max", json!(170.0), Moves::ContentAndMetadata),
        ("/schema_transformation/add_variables/buoy/source", json!("@global_attribute:id"), Moves::Content),
        ("/schema_transformation/add_variables/buoy/schema/_FillValue", json!("nobody"), Moves::ContentAndMetadata),
        ("/schema_transformation/add_variables/buoy/schema/units", json!("m"), Moves::Metadata),
        ("/schema_transformation/drop_variables", json!(["index"]), Moves::Content),
        ("/schema/TEMP/type", json!("double"), Moves::LayoutAndMetadata),
        ("/schema_transformation/partitioning/1/time_extent/partition_period", json!("M"), Moves::Layout),
        ("/schema_transformation/partitioning/2/spatial_extent/spatial_resolution", json!(5), Moves::Layout),
        ("/schema_transformation/partitioning/2/spatial_extent/spatial_resolution", json!(10.0), Moves::Nothing),
        ("/schema/PSAL", json!({"type": "float"}), Moves::All),
    ];
    for (pointer, value, expected) in cases {
        let mut after = config();
        set(&mut after, pointer, value.clone());
        assert_eq!(moved(&before, &of(&after)), expected, "{pointer} = {value}");
    }
}

#[test]
fn the_order_of_columns_counts_and_the_order_of_keys_does_not() {
    let before = of(&config());
    let mut reordered = config();
    let temp = reordered["schema"]["TEMP"].clone();
    remove(&mut reordered, "/schema/TEMP");
    let mut schema = json!({"TEMP": temp});
    schema.as_object_mut().unwrap().extend(reordered["schema"].as_object().unwrap().clone());
    reordered["schema"] = schema;
    assert_eq!(moved(&before, &of(&reordered)), Moves::Content);

    let mut keys = config();
    keys["schema"]["TEMP"] = json!({"_FillValue": 999, "valid_min": -2, "units": "degrees_Celsius", "type": "float"});
    keys["schema_transformation"]["partitioning"][1] =
        json!({"time_extent": {"partition_period": "Y", "time_varname": "TIME"}, "source_variable": "timestamp"});
    assert_eq!(moved(&before, &of(&keys)), Moves::Nothing);
}

#[test]
fn compat_and_naming_are_layout() {
    let config = config();
    let typed = validate(&config).unwrap().config;
    let of = |compat, naming| hashes(&config, &typed, compat, naming);
    let before = of(Compat::Fixed, Naming::Basename);
    assert_eq!(moved(&before, &of(Compat::Incumbent, Naming::Basename)), Moves::Layout);
    assert_eq!(moved(&before, &of(Compat::Fixed, Naming::FullKey)), Moves::Layout);
}
