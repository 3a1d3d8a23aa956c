//! A disk that fills up in mid-run, and has room again at the next one: a small file system of memory, mounted where
//! only the run sees it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tests::fixtures::draft::Storage;
use tests::fixtures::{Container, Draft, Mooring, draft, mooring};

/// Runs `$@` twice with a file system of size `$1` at `$2`, the second time with room; says how both ended, and
/// between them how many objects stand in the dataset.
const TWICE: &str = r#"
size=$1 place=$2 folder=$3; shift 3
mount -t tmpfs -o size="$size" tmpfs "$place" || exit 99
TMPDIR=$folder/scratch; export TMPDIR
"$@" --report "$folder/full.json" 2>"$folder/full.err"; full=$?
published=$(find "$folder/out" -path "$folder/out/_cod" -prune -o -type f -print | wc -l)
mount -o remount,size=256m tmpfs "$place" || exit 99
"$@" --report "$folder/room.json" 2>"$folder/room.err"; room=$?
echo "$full $published $room"
"#;
const FILES: u64 = 3;
const ROWS: usize = 120_000;

struct Told {
    codes: [i64; 2],
    /// Objects in the dataset after the run on a full disk.
    published: i64,
    full: Value,
    stderr: String,
    room: Value,
}

fn moorings(folder: &Path) -> Result<PathBuf> {
    for file in 0..FILES {
        mooring(&folder.join(format!("in/{file}.nc")), &Mooring::new("SYD140", 1_546_300_800 + 86_400 * file as i64, ROWS))?;
    }
    let example = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/mooring.yaml"))?;
    let resource: Value = crds::config::load(&example)?;
    let config = folder.join("config.yaml");
    std::fs::write(&config, resource["spec"]["config"].as_str().context("the config is a text block")?)?;
    Ok(config)
}

/// Positions along both dimensions of a map.
const SIDE: usize = 1_600;

/// Maps in one chunk each, which the store has in many: too large for little memory, so they are unpacked into scratch.
fn maps(folder: &Path) -> Result<PathBuf> {
    for file in 0..FILES {
        let mut map = Draft::new(Container::Netcdf4);
        map.dimension("TIME", 1).dimension("LATITUDE", SIDE).dimension("LONGITUDE", SIDE);
        map.variable("TIME", &["TIME"], vec![file as f64]).set("units", "days since 2020-01-01");
        for name in ["LATITUDE", "LONGITUDE"] {
            map.variable(name, &[name], (0..SIDE).map(|at| at as f64 / 100.0).collect::<Vec<f64>>());
        }
        let values = vec![file as i16; SIDE * SIDE];
        let chunks = Some(vec![1, SIDE, SIDE]);
        map.variable("TEMP", &["TIME", "LATITUDE", "LONGITUDE"], values).store(Storage { chunks, deflate: Some(1), ..Storage::default() });
        draft::write(&folder.join(format!("in/{file}.nc")), &map)?;
    }
    let dimension = |name: &str, chunk: u32| json!({"name": name, "chunk": chunk});
    let config = json!({
        "dataset_name": "maps", "cloud_optimised_format": "zarr", "metadata_uuid": null, "run_settings": {"paths": []},
        "schema": {"TIME": {"type": "timestamp[ns]"}, "LATITUDE": {"type": "double"}, "LONGITUDE": {"type": "double"}, "TEMP": {"type": "float32"}},
        "schema_transformation": {
            "dimensions": {
                "time": {"name": "TIME", "chunk": 1, "append_dim": true},
                "latitude": dimension("LATITUDE", 200), "longitude": dimension("LONGITUDE", 200)
            },
            "var_template_shape": "TEMP",
            "add_variables": {"filename": {"source": "@filename", "schema": {"type": "object", "units": "1", "dimensions": "TIME"}}}
        }
    });
    let path = folder.join("config.json");
    std::fs::write(&path, config.to_string())?;
    Ok(path)
}

/// None where this machine lets nobody mount anything, not even for themselves.
fn twice(folder: &Path, make: fn(&Path) -> Result<PathBuf>, small: &str, size: &str, memory: &str) -> Result<Option<Told>> {
    for name in ["in", "out", "scratch"] {
        std::fs::create_dir(folder.join(name))?;
    }
    let config = make(folder)?;
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", TWICE, "sh", size])
        .arg(folder.join(small))
        .arg(folder)
        .arg(env!("CARGO_BIN_EXE_converter-under-test"))
        .args(["run", "--quiet", "--memory", memory, "--config"])
        .arg(config)
        .arg("--source")
        .arg(folder.join("in"))
        .arg("--destination")
        .arg(folder.join("out"))
        .output();
    let output = match output {
        Ok(output) if output.status.code() == Some(0) => output,
        Ok(output) if matches!(output.status.code(), Some(1 | 99)) => {
            eprintln!("not tried, nothing can be mounted here: {}", String::from_utf8_lossy(&output.stderr));
            return Ok(None);
        }
        Ok(output) => bail!("{output:?}"),
        Err(error) => {
            eprintln!("not tried, there is no unshare: {error}");
            return Ok(None);
        }
    };
    let numbers: Vec<i64> = String::from_utf8(output.stdout)?.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [full, published, room] = numbers[..] else { bail!("{numbers:?}") };
    let report = |name: &str| -> Result<Value> {
        let path = folder.join(name);
        Ok(if path.exists() { serde_json::from_slice(&std::fs::read(path)?)? } else { Value::Null })
    };
    let stderr = std::fs::read_to_string(folder.join("full.err"))?;
    Ok(Some(Told { codes: [full, room], published, full: report("full.json")?, stderr, room: report("room.json")? }))
}

fn all_in(told: &Told, rows: u64) -> Result<()> {
    let files = &told.room["files"];
    ensure!(told.codes[1] == 0, "with room: {:?}", told.codes);
    ensure!([&files["discovered"], &files["processed"]] == [FILES, FILES], "{files}");
    ensure!(told.room["rows"] == rows, "{}", told.room["rows"]);
    Ok(())
}

#[test]
fn a_full_destination_publishes_nothing_and_the_next_run_all() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(told) = twice(folder.path(), moorings, "out", "160k", "1GiB")? else { return Ok(()) };
    ensure!(told.codes[0] == 20, "it may pass: {:?} {}", told.codes, told.stderr);
    ensure!(told.stderr.contains("DiskFull") && told.stderr.contains("PutObject"), "{}", told.stderr);
    ensure!(told.published == 0, "{} objects of a run that did not end", told.published);
    all_in(&told, FILES * ROWS as u64)
}

/// Rows that spill, and chunks that are unpacked.
#[test]
fn full_scratch_space_fails_its_files_and_the_next_run_has_them() -> Result<()> {
    type Make = fn(&Path) -> Result<PathBuf>;
    for (make, size, memory, rows) in [(moorings as Make, "40k", "24MiB", FILES * ROWS as u64), (maps, "1m", "48MiB", FILES)] {
        let folder = tempfile::tempdir()?;
        let Some(told) = twice(folder.path(), make, "scratch", size, memory)? else { return Ok(()) };
        ensure!(told.codes[0] == 3, "a run that ended: {:?} {}", told.codes, told.stderr);
        let files = &told.full["files"];
        ensure!([&files["discovered"], &files["failed"]] == [FILES, FILES], "{files}");
        let error = &told.full["errors"][0];
        ensure!(error["reason"] == "DiskFull" && error["message"].as_str().is_some_and(|text| text.contains("TMPDIR")), "{error}");
        ensure!(told.published == 0, "{} objects of files that failed", told.published);
        all_in(&told, rows)?;
    }
    Ok(())
}
