//! `limpet render`: configurations for the proxies.

mod args;
mod asking;
pub mod authorizer;
mod edge;
pub mod envoy;
pub mod envoy_gateway;
pub mod external_names;
pub mod istio;
pub mod left_out;
mod neighbours;
mod own_listeners;
mod proxys_own;
pub mod resource;
mod room;
mod secrets;
pub mod served;
pub mod slashless;
mod unread;
mod version;
mod way;
pub mod yaml;

use std::process::ExitCode;

use clap::Subcommand;
use limpet::config::ConfigError;

use crate::check::Platform;
use crate::compiled::Flags;
use crate::manifests::Manifests;

pub use args::RenderArgs;
use envoy_gateway::EnvoyGatewayArgs;
use istio::IstioArgs;
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

/// Leaves out what has no room in the objects that several tenants share, with flags as nobody gave them.
///
/// # Errors
/// When a key of `--config` has no usable shape.
pub fn make_room(
    manifests: &mut Manifests,
    flags: &Flags,
    on: Platform,
) -> Result<(), ConfigError> {
    let flags = on.flags(flags.clone());
    match on {
        Platform::Envoy => Ok(()),
        Platform::Istio => istio::make_room(manifests, &flags, &IstioArgs::default()),
        Platform::EnvoyGateway => {
            envoy_gateway::make_room(manifests, &flags, &EnvoyGatewayArgs::default())
        }
    }
}

#[cfg(test)]
mod tests;
