//! Inputs that are wrong, one way each, through the command line: the outcome, the reason, and that the message names
//! the variable or the line.

mod laptop;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use tests::fixtures::bad::{Bad, Input, Verdict, bad_inputs};
use tests::fixtures::draft::write_all;
use tests::fixtures::ragged::layouts;

fn written(folder: &Path, config: &Value) -> Result<PathBuf> {
    let path = folder.join("config.json");
    std::fs::create_dir_all(folder)?;
    std::fs::write(&path, serde_json::to_vec(config)?)?;
    Ok(path)
}

fn convert(folder: &Path, bad: &Bad, compat: &str) -> Result<laptop::Run> {
    let config = written(folder, &bad.config)?;
    laptop::run(&config, &folder.join("in"), &folder.join(compat), &["--compat", compat])
}

fn judge(run: &laptop::Run, verdict: &Verdict) -> Result<()> {
    let record = run.file()?;
    let told = || format!("{} {} {}", record["outcome"], record["reason"], record["message"]);
    match verdict {
        Verdict::Fails { reason, says } => {
            ensure!(run.code == Some(3) && record["outcome"] == "failed", "not failed but {}, exit code {:?}", told(), run.code);
            ensure!(record["reason"] == *reason, "not {reason} but {}", told());
            let message = record["message"].as_str().unwrap_or_default();
            let silent: Vec<_> = says.iter().filter(|word| !message.contains(*word)).collect();
            ensure!(silent.is_empty(), "{silent:?} not in {message:?}");
            ensure!(run.rows() == 0, "{} rows of a file that failed", run.rows());
        }
        Verdict::LeavesOut { rows, reason, left_out } => {
            ensure!(record["outcome"] == "processed", "not processed but {}", told());
            ensure!(run.rows() == *rows, "{} rows instead of {rows}", run.rows());
            ensure!(run.rows_left_out(reason) == *left_out, "left out {} instead of {left_out} {reason}", run.report["rowsLeftOut"]);
        }
        Verdict::Notes { rows, says } => {
            ensure!(record["outcome"] == "processed", "not processed but {}", told());
            ensure!(run.rows() == *rows, "{} rows instead of {rows}", run.rows());
            let notes = format!("{} {}", record["notes"], record["message"]);
            let silent: Vec<_> = says.iter().filter(|word| !notes.contains(*word)).collect();
            ensure!(silent.is_empty(), "{silent:?} not in the notes {notes}");
        }
    }
    Ok(())
}

#[test]
fn every_bad_input_gets_its_reason() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let all = bad_inputs();
    let place = |index: usize| folder.path().join(index.to_string());
    // Profiles of floats are known by their names.
    let stem = |bad: &Bad| if bad.config["handler_class"] == "ArgoHandler" { "file_prof" } else { "file" };
    let file = |index: usize, bad: &Bad| place(index).join("in").join(format!("{}.{}", stem(bad), bad.input.suffix()));
    let paths: Vec<PathBuf> = all.iter().enumerate().map(|(index, bad)| file(index, bad)).collect();
    let mut drafts = Vec::new();
    for (path, bad) in paths.iter().zip(&all) {
        std::fs::create_dir_all(path.parent().context("it has a folder")?)?;
        match &bad.input {
            Input::Netcdf(draft) => drafts.push((path.as_path(), draft)),
            Input::Csv(bytes) => std::fs::write(path, bytes)?,
            Input::Parquet(batch) => {
                let mut writer = ArrowWriter::try_new(std::fs::File::create(path)?, batch.schema(), None)?;
                writer.write(batch)?;
                writer.close()?;
            }
        }
    }
    write_all(&drafts)?;
    let mut wrong = Vec::new();
    for (index, bad) in all.iter().enumerate() {
        for (compat, verdict) in [("fixed", Some(&bad.verdict)), ("incumbent", bad.incumbent.as_ref())] {
            let Some(verdict) = verdict else { continue };
            if let Err(error) = convert(&place(index), bad, compat).and_then(|run| judge(&run, verdict)) {
                wrong.push(format!("{} ({compat}): {error:#}", bad.name));
            }
        }
    }
    ensure!(wrong.is_empty(), "{} of {} inputs:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    Ok(())
}

/// The sound forms of what is broken above.
#[test]
fn every_layout_gives_its_rows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut wrong = Vec::new();
    for (index, layout) in layouts().into_iter().enumerate() {
        let place = folder.path().join(index.to_string());
        let name = layout.config["dataset_name"].as_str().unwrap_or_default().to_owned();
        let config = written(&place, &layout.config)?;
        write_all(&[(&place.join("in/file.nc"), &layout.draft)])?;
        let run = laptop::run(&config, &place.join("in"), &place.join("out"), &[])?;
        if run.code != Some(0) || run.rows() != layout.rows as u64 {
            let record = run.file().map(|record| format!("{} {}", record["reason"], record["message"])).unwrap_or_default();
            wrong.push(format!("{name}: {} rows instead of {}: {record}{}", run.rows(), layout.rows, run.stderr));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
