//! What Istio needs.

use std::process::ExitCode;

use clap::Args;

use crate::args::ManifestArgs;

/// Flags of `limpet render istio`.
#[derive(Debug, Args)]
pub struct IstioArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,
}

/// # Errors
/// Always, until it is written.
pub fn run(_args: &IstioArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`render istio` is not there yet")
}
