//! `cargo xtask test`: every test, on a machine that has nothing but Rust.

use crate::{envoy, nginx, process, wasm};
use anyhow::Result;

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
    envoy::envoy()?;
    nginx::nginx()?;
    process::announce("cargo test");
    let mut test = process::cargo();
    test.args(["test", "--no-fail-fast"]).args(&options.filters);
    if !options.flags.is_empty() {
        test.arg("--").args(&options.flags);
    }
    process::run(&mut test)
}
