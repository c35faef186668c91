//! `cargo xtask test`: every test, on a machine that has nothing but Rust.

use crate::{envoy, process, wasm};
use anyhow::Result;

/// Which tests run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Passed on to `cargo test`: names of tests, `-p PACKAGE`, `-- --nocapture`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filters: Vec<String>,
}

/// Makes what the tests look for under `target/`, then runs them all: one
/// failing package does not hide the next.
///
/// # Errors
/// When the set-up or any test fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    wasm::module()?;
    envoy::envoy()?;
    process::announce("cargo test --workspace");
    process::run(
        process::cargo()
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(&options.filters),
    )
}
