//! `limpet check`: what these manifests will do, and what to mend before moving.

use std::process::ExitCode;

use clap::Args;

use crate::args::ManifestArgs;

/// Flags of `limpet check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,
}

/// # Errors
/// Always, until it is written.
pub fn run(_args: &CheckArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`check` is not there yet")
}
