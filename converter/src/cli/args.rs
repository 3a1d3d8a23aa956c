//! What the commands take.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Turns archives of NetCDF files into cloud-optimised datasets.
#[derive(Debug, Parser)]
#[command(name = "converter", version, about)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Plan, convert and commit in this process: no cluster needed
    Run(Box<RunArgs>),
    /// Stage 1, as a pod runs it: decide what the run will do
    Plan(StageArgs),
    /// Stage 2, as a pod runs it: convert one batch of the plan
    Convert(StageArgs),
    /// Stage 3, as a pod runs it: publish and account for the run
    Commit(StageArgs),
}

/// Plan, convert and commit in this process.
#[allow(clippy::struct_excessive_bools)] // switches of a command line
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  converter run dataset.yaml
  converter run dataset.yaml --source ./archive --destination ./out
  converter run --config config.json --source ./archive --destination ./out
  converter run --config config.json --source s3://archive/ctd/ --filter '.*_FV01_.*\\.nc$' --destination s3://optimised/
S3 credentials come from the usual AWS environment, AWS_ENDPOINT_URL included.
Exit codes: 0 all files done, 2 usage, 3 some files failed, 10 config, 11 access denied, 20 store trouble (try again).")]
pub(super) struct RunArgs {
    /// A CloudOptimisedDataset resource (YAML)
    #[arg(required_unless_present = "config", conflicts_with_all = ["config", "parents"])]
    pub dataset: Option<PathBuf>,
    /// A dataset config (JSON or YAML) instead of a resource
    #[arg(long, value_name = "FILE", requires = "destination")]
    pub config: Option<PathBuf>,
    /// Where to look for files instead of the config's paths: `s3://bucket/prefix/`, `file:///dir/` or a folder
    #[arg(long, value_name = "URL")]
    pub source: Option<String>,
    /// Keep only keys in whose full URL this regular expression is found (repeatable)
    #[arg(long, value_name = "REGEX")]
    pub filter: Vec<String>,
    /// Where the dataset goes: `s3://bucket/prefix/`, `file:///dir/` or a folder
    #[arg(long, value_name = "URL")]
    pub destination: Option<String>,
    /// Folder of parent configs [default: the config's own]
    #[arg(long, value_name = "DIR")]
    pub parents: Option<PathBuf>,
    /// More YAML to look up `ConfigMap`s and Secrets in
    #[arg(long, value_name = "FILE")]
    pub resources: Vec<PathBuf>,
    /// Repeat the incumbent's value defects, for stores that must stay as they are
    #[arg(long, value_enum)]
    pub compat: Option<CompatArg>,
    /// What objects are named after: full-key keeps files of one name in several folders apart
    #[arg(long, value_enum)]
    pub naming: Option<NamingArg>,
    /// Of a grid: move rows to where their times are
    #[arg(long)]
    pub keep_sorted: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Convert all files again
    #[arg(long)]
    pub rebuild: bool,
    /// Pass the guard that asked for this digest
    #[arg(long, value_name = "DIGEST")]
    pub confirm: Option<String>,
    /// Take the dataset from this owner
    #[arg(long, value_name = "OWNER")]
    pub take_over: Option<String>,
    /// Files converted at once [default: the processors]
    #[arg(long)]
    pub threads: Option<usize>,
    /// Memory budget, such as 512M or 2G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = parse_size)]
    pub memory: u64,
    /// Write the report of the run as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// No progress, no summary
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum CompatArg {
    Fixed,
    Incumbent,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum NamingArg {
    /// The source file's name, as the incumbent does
    Basename,
    /// That and a hash of its whole key
    FullKey,
}

/// As the operator calls it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  converter plan --document /etc/cod/document.json --run 0123456789abcdef")]
pub(super) struct StageArgs {
    /// The effective document
    #[arg(long, value_name = "FILE")]
    pub document: PathBuf,
    /// The run this stage belongs to
    #[arg(long)]
    pub run: String,
    /// Which batch (convert only)
    #[arg(long, env = "JOB_COMPLETION_INDEX", default_value_t = 0)]
    pub index: u32,
    /// How often this index has failed before
    #[arg(long, env = "COD_FAILURE_COUNT", default_value = "0", value_parser = parse_count)]
    pub failures: u32,
    #[arg(long, env = "COD_THREADS")]
    pub threads: Option<usize>,
    /// The container's memory limit in bytes; half of it is the budget
    #[arg(long, env = "COD_MEMORY_BYTES", default_value_t = 1 << 30)]
    pub memory_bytes: u64,
    /// Why batches lack a result, where the operator knows (commit only)
    #[arg(long, value_name = "REASON")]
    pub cause_of_missing: Option<String>,
    /// Where the digest goes
    #[arg(long, env = "COD_TERMINATION_LOG", default_value = "/dev/termination-log")]
    pub termination_log: PathBuf,
    #[arg(long, env = "COD_FAIL_AT", hide = true)]
    pub fail_at: Option<String>,
    #[arg(long, env = "COD_FAIL_HOW", hide = true)]
    pub fail_how: Option<String>,
    /// The attempt that obeys: the first one, so that a retry shows what a crash leaves behind
    #[arg(long, env = "COD_FAIL_ATTEMPT", hide = true, default_value_t = 0)]
    pub fail_attempt: u32,
}

/// The downward API gives an empty text where an annotation is missing.
fn parse_count(text: &str) -> Result<u32, String> {
    if text.is_empty() { Ok(0) } else { text.parse().map_err(|source| format!("{source}")) }
}

fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "ki" | "kib" => 1 << 10,
        "m" | "mb" | "mi" | "mib" => 1 << 20,
        "g" | "gb" | "gi" | "gib" => 1 << 30,
        other => return Err(format!("{other:?} is no unit; write K, M or G")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no size; write 512M or 2G"))?;
    let bytes = number.checked_mul(unit).ok_or_else(|| format!("{text:?} is too large"))?;
    if bytes < 16 << 20 { Err(format!("{text:?} is less than 16M, the least a conversion needs")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_counts_parse() {
        assert_eq!(parse_size("512M"), Ok(512 << 20));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        assert!(parse_size("12 parsecs").is_err() && parse_size("1K").is_err());
        assert_eq!(parse_count(""), Ok(0));
        assert_eq!(parse_count("2"), Ok(2));
    }

    #[test]
    fn what_the_operator_passes_is_understood() {
        let stage = ["--document", "/etc/cod/document.json", "--run", "0123456789abcdef"];
        for (command, more) in [("plan", &[][..]), ("convert", &["--index", "3"]), ("commit", &["--cause-of-missing", "OomKilled"])] {
            let line = [&["converter", command], &stage[..], more].concat();
            assert!(Cli::try_parse_from(line).is_ok(), "{command}");
        }
    }
}
