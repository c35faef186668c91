//! `limpet render`: configurations for the proxies.

mod args;
pub mod authorizer;
pub mod envoy;
pub mod envoy_gateway;
pub mod external_names;
pub mod istio;
pub mod left_out;
mod proxys_own;
pub mod resource;
mod secrets;
pub mod served;
mod unread;
mod version;
mod way;
pub mod yaml;

use std::process::ExitCode;

use clap::Subcommand;

pub use args::RenderArgs;
pub use version::Version;

/// Which proxy.
#[derive(Debug, Subcommand)]
pub enum RenderCommand {
    /// A complete bootstrap for Envoy alone
    Envoy(envoy::EnvoyArgs),
    /// Resources for Istio: gateway or sidecar
    Istio(istio::IstioArgs),
    /// Resources for Envoy Gateway
    EnvoyGateway(envoy_gateway::EnvoyGatewayArgs),
}

/// # Errors
/// When the manifests cannot be read or the output cannot be written.
pub fn run(command: &RenderCommand) -> anyhow::Result<ExitCode> {
    match command {
        RenderCommand::Envoy(args) => envoy::run(args),
        RenderCommand::Istio(args) => istio::run(args),
        RenderCommand::EnvoyGateway(args) => envoy_gateway::run(args),
    }
}

#[cfg(test)]
mod tests;
