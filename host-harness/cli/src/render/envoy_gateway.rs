//! What Envoy Gateway needs.

use std::process::ExitCode;

use clap::Args;

use crate::args::ManifestArgs;

/// Flags of `limpet render envoy-gateway`.
#[derive(Debug, Args)]
pub struct EnvoyGatewayArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,
}

/// # Errors
/// Always, until it is written.
pub fn run(_args: &EnvoyGatewayArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`render envoy-gateway` is not there yet")
}
