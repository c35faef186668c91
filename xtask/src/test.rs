//! `cargo xtask test`: every test, on a machine that has nothing but Rust.

use crate::{envoy, native, nginx, process, wasm};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// Which tests run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Passed on to `cargo test`: names of tests, `-p PACKAGE`, ...
    #[arg(allow_hyphen_values = true)]
    filters: Vec<String>,
    /// Passed on to the tests themselves: --nocapture, ...
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<String>,
}

/// Makes what the tests look for under `target/`, then runs them all: one
/// failing package does not hide the next.
///
/// # Errors
/// When the set-up or any test fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    wasm::module()?;
    wasm::faulty_module()?;
    wasm::example_guest()?;
    native::faulty_module()?;
    native::module()?;
    envoy::envoy()?;
    nginx::nginx()?;
    process::announce("cargo test");
    let mut test = process::cargo();
    test.args(["test", "--no-fail-fast"]).args(&options.filters);
    if !options.flags.is_empty() {
        test.arg("--").args(&options.flags);
    }
    let everything = options.filters.is_empty() && options.flags.is_empty();
    let done = process::run(&mut test);
    if everything {
        process::announce("cargo test, on the native module");
        let native = process::run(&mut on_native(&native::module()?));
        return done.and(native);
    }
    done
}

/// What `render envoy` writes, on a real Envoy once more, with limpet loaded natively.
fn on_native(module: &Path) -> Command {
    let mut test = process::cargo();
    test.args(["test", "--test", "all", "--"])
        .arg("cases::every_case_holds_on_a_real_envoy")
        .args(["attacks::", "faults::", "recordings::", "sessions::"])
        // What becomes of a VM, without the session filter, and of a sidecar: not the native module's.
        .args(["--skip", "traps::", "--skip", "without_the_session_filter"])
        .args(["--skip", "beside_a_sidecar"])
        .env("LIMPET_NATIVE", module);
    test
}
