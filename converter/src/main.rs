//! The `converter` binary: see `converter --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_env = "gnu")]
    start_with_few_arenas();
    converter::cli::main()
}

/// glibc gives each of many threads an arena, which keeps what it once held: several times the memory budget together.
/// It asks how many there may be only when a program starts, so the program starts once more.
#[cfg(target_env = "gnu")]
fn start_with_few_arenas() {
    use std::os::unix::process::CommandExt as _;

    const ARENAS: &str = "MALLOC_ARENA_MAX";
    let mut arguments = std::env::args_os();
    if let (None, Ok(program), Some(name)) = (std::env::var_os(ARENAS), std::env::current_exe(), arguments.next()) {
        // It comes back only where that failed; then all goes on with more memory.
        let _ = std::process::Command::new(program).arg0(name).args(arguments).env(ARENAS, "2").exec();
    }
}
