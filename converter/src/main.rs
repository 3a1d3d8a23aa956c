//! The `converter` binary: see `converter --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_env = "gnu")]
    start_with_a_steady_heap();
    converter::cli::main()
}

/// glibc gives each of many threads an arena, which keeps what it once held: several times the memory budget together.
/// And what is freed at the end of an arena goes back to the system at once, only to be asked for, and zeroed, again: a
/// tenth of a run's time. It takes such settings only when a program starts, so the program starts once more.
#[cfg(target_env = "gnu")]
fn start_with_a_steady_heap() {
    use std::os::unix::process::CommandExt as _;

    const ARENAS: &str = "MALLOC_ARENA_MAX";
    /// What a long run comes to by itself: the greatest threshold there is, and twice that.
    const STEADY: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "67108864")];
    let mut arguments = std::env::args_os();
    if let (None, Ok(program), Some(name)) = (std::env::var_os(ARENAS), std::env::current_exe(), arguments.next()) {
        let unset = STEADY.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
        // It comes back only where that failed; then all goes on with more memory.
        let _ = std::process::Command::new(program).arg0(name).args(arguments).env(ARENAS, "2").envs(unset).exec();
    }
}
