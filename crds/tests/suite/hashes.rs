//! Which change of a config moves which hash.

use crds::config::{hashes, validate};
use crds::wire::{Compat, Hashes, Naming};
use serde_json::{Value, json};

use crate::config_zarr::zarr;
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

#[test]
fn each_part_of_a_grid_belongs_to_its_hash() {
    let before = of(&zarr());
    let transform = |key: &str| format!("/schema_transformation/{key}");
    let cases: Vec<(String, Value, Moves)> = vec![
        ("/run_settings/paths/0/s3_uri".to_owned(), json!("s3://other/"), Moves::Nothing),
        ("/run_settings/batch_size".to_owned(), json!(7), Moves::Nothing),
        ("/csv_config".to_owned(), json!({}), Moves::Nothing),
        ("/schema/SST/type".to_owned(), json!("double"), Moves::Nothing),
        ("/schema/SST/valid_min".to_owned(), json!(-2), Moves::Nothing),
        ("/schema/OLD/long_name".to_owned(), json!("x"), Moves::Nothing),
        ("/schema/OLD/type".to_owned(), json!("double"), Moves::Nothing),
        (transform("dimensions/time/rechunk"), json!(false), Moves::Nothing),
        (transform("dimensions/x/size"), json!(7), Moves::Nothing),
        (transform("dimensions/x/chunk"), json!(0), Moves::Nothing),
        (transform("vars_incompatible_with_region"), json!(["I", "J"]), Moves::Nothing),
        (transform("var_template_shape"), json!(["SST"]), Moves::Nothing),
        (transform("target_dimension_grids"), json!({"J": {}}), Moves::Nothing),
        ("/schema/SST/type".to_owned(), json!("float32"), Moves::Layout),
        ("/schema/SST/dims".to_owned(), json!(["TIME", "J"]), Moves::Layout),
        ("/schema/SPEED/dims".to_owned(), json!([]), Moves::Layout),
        (transform("dimensions/time/chunk"), json!(20), Moves::Layout),
        (transform("dimensions/x/chunk"), json!(20), Moves::Layout),
        (transform("var_template_shape"), json!("SPEED"), Moves::Layout),
        (transform("target_dimension_grids"), json!({"J": {"values": [1, 2]}}), Moves::Layout),
        (transform("target_dimension_grids"), json!({"J": {"min": 1, "max": 2, "step": 1}}), Moves::Layout),
        (transform("add_variables/platform/schema/type"), json!("<U13"), Moves::Layout),
        ("/schema/SPEED/drop_var".to_owned(), json!(true), Moves::LayoutAndMetadata),
        ("/schema/PSAL".to_owned(), json!({"type": "float"}), Moves::LayoutAndMetadata),
        (transform("vars_incompatible_with_region"), json!(["J"]), Moves::Content),
        (transform("dataset_sort_by"), json!(["J", "TIME"]), Moves::All),
        (transform("dataset_sort_by"), json!([]), Moves::Content),
        (transform("skip_cftime_decode"), json!(["SPEED"]), Moves::Content),
        (transform("add_variables/platform/source"), json!("@global_attribute:site_code"), Moves::Content),
        (transform("add_variables/platform/schema/units"), json!("m"), Moves::Metadata),
        ("/schema/SST/long_name".to_owned(), json!("x"), Moves::Metadata),
        ("/metadata_uuid".to_owned(), json!("x"), Moves::Metadata),
        (transform("global_attributes/set/title"), json!("x"), Moves::Metadata),
        (transform("global_attributes/delete"), json!([]), Moves::Metadata),
    ];
    for (pointer, value, expected) in cases {
        let mut after = zarr();
        set(&mut after, &pointer, value.clone());
        assert_eq!(moved(&before, &of(&after)), expected, "{pointer} = {value}");
    }
}

#[test]
fn the_order_of_a_grid_never_counts_and_its_time_does() {
    let before = of(&zarr());
    let sorted = crds::config::as_object_form(&zarr());
    assert_eq!(moved(&before, &of(&sorted)), Moves::Nothing);

    let mut other = zarr();
    remove(&mut other, "/metadata_uuid");
    assert_eq!(moved(&before, &of(&other)), Moves::Metadata);

    let mut other = zarr();
    set(&mut other, "/schema_transformation/dimensions/time/append_dim", json!(false));
    set(&mut other, "/schema_transformation/dimensions/y/append_dim", json!(true));
    // An added name stands along the dimension that grows.
    assert_eq!(moved(&before, &of(&other)), Moves::Layout);

    let config = zarr();
    let typed = validate(&config).unwrap().config;
    assert_eq!(moved(&before, &hashes(&config, &typed, Compat::Incumbent, Naming::Basename)), Moves::Layout);
}
