//! `limpet demo`.

use std::process::ExitCode;

use clap::Args;

/// Flags of `limpet demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {}

/// # Errors
/// Always, until it is written.
pub fn run(_args: &DemoArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`demo` is not there yet")
}
