//! The converter as a program of this package: cargo builds it before the tests that run it, so it is never an old one.

use std::process::ExitCode;

fn main() -> ExitCode {
    converter::cli::main()
}
