//! What Envoy alone needs.

use std::process::ExitCode;

use clap::Args;

use crate::args::ManifestArgs;

/// Flags of `limpet render envoy`.
#[derive(Debug, Args)]
pub struct EnvoyArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,
}

/// # Errors
/// Always, until it is written.
pub fn run(_args: &EnvoyArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`render envoy` is not there yet")
}
