//! The `converter` binary: see `converter --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    converter::cli::main()
}
