//! `limpet run`.

use std::process::ExitCode;

use clap::Args;

/// Flags of `limpet run`.
#[derive(Debug, Args)]
pub struct RunArgs {}

/// # Errors
/// Always, until it is written.
pub fn run(_args: &RunArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`run` is not there yet")
}
