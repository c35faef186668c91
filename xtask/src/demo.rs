//! `cargo xtask demo`: the first manifest's story, from an empty machine.

use crate::{envoy, process, wasm, workspace};
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

/// Which demo; the flags are those of `limpet demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Passed on to `limpet demo`: --once, --envoy, ...; see `cargo xtask demo -- --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<String>,
}

/// Builds the module and `limpet`, fetches Envoy if it is asked for, and
/// becomes `limpet demo`: Ctrl-C and the exit status are its own.
///
/// # Errors
/// When the set-up fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut demo = prepare(&options.flags)?;
    Err(demo.exec()).with_context(|| format!("cannot start {}", demo.get_program().display()))
}

fn prepare(flags: &[String]) -> Result<Command> {
    let mut demo = Command::new(limpet()?);
    demo.arg("demo").args(flags).current_dir(workspace::root());
    if flags.iter().any(|flag| flag == "--envoy") {
        demo.env("ENVOY", envoy::envoy()?);
    }
    Ok(demo)
}

/// The command `limpet`, built, and the module where it looks for it.
///
/// # Errors
/// When either does not compile.
pub(crate) fn limpet() -> Result<PathBuf> {
    if workspace::target("debug/limpet").exists() {
        process::announce("building limpet");
    } else {
        process::announce("building limpet: 4 to 10 minutes on two cores, this once");
    }
    // Beside each other: each has a time in which only one core is busy.
    let module = thread::spawn(wasm::module);
    // The whole workspace's features, so that `cargo xtask test` and this
    // share one build of wasmtime.
    process::run(process::cargo().args(["build", "--workspace", "--bin", "limpet"]))?;
    match module.join() {
        Ok(module) => drop(module?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
    Ok(workspace::target("debug/limpet"))
}
