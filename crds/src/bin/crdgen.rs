//! Prints the CRD as YAML, or with `--write` writes it to where it is committed.
//!
//! ```text
//! cargo run -p crds --bin crdgen -- --write
//! ```

use std::io::Write as _;
use std::process::ExitCode;

use crds::resource::crd;

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect::<Vec<_>>().as_slice()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "crdgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let text = crd::yaml()?;
    match arguments {
        [] => std::io::stdout().write_all(text.as_bytes())?,
        [flag] if flag == "--write" => {
            for path in crd::committed() {
                let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
                folder.and_then(|()| std::fs::write(&path, &text)).map_err(|error| format!("{}: {error}", path.display()))?;
                writeln!(std::io::stderr(), "wrote {}", path.display())?;
            }
        }
        _ => return Err("usage: crdgen [--write]".into()),
    }
    Ok(())
}
