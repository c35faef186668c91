//! The flags.

use std::path::PathBuf;

use clap::Args;

use super::address::Address;
use crate::args::EndpointArgs;
use crate::render::args::RenderArgs;
use crate::render::authorizer;

/// Flags of `limpet render envoy`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EnvoyArgs {
    /// What to read, and what to do about losses.
    #[command(flatten)]
    pub render: RenderArgs,

    /// Where the endpoints are.
    #[command(flatten)]
    pub endpoints: EndpointArgs,

    /// How it is rendered.
    #[command(flatten)]
    pub settings: EnvoySettings,
}

const EXAMPLES: &str = "\
Examples:
  limpet render envoy -f shop.yaml --dns > envoy.yaml
  limpet render envoy -f shop.yaml --endpoints prod/web:80=10.0.0.1:80 > envoy.yaml
  limpet render envoy -f manifests/ --eds /etc/envoy/xds --tls tls.crt,tls.key > envoy.yaml";

/// Connections of clients at a time; what Envoy's guide to edges has.
const CONNECTIONS: u32 = 50_000;

/// How a bootstrap is rendered.
#[derive(Debug, Clone, Args)]
pub struct EnvoySettings {
    /// Where Envoy listens for plain http; `[::]:8080` takes IPv4 and IPv6
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080")]
    pub listen: Address,

    /// Where it listens for https, where there are certificates
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8443")]
    pub listen_tls: Address,

    /// Envoy's admin: the module learns the endpoints there; ip:port or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9901")]
    pub admin: Address,

    /// The module, as Envoy finds it
    #[arg(long, value_name = "PATH", default_value = "/etc/envoy/limpet.wasm")]
    pub wasm: PathBuf,

    /// Load limpet into Envoy's own process instead, from this file as Envoy finds it: `cargo xtask
    /// native` makes it; it adds half of what the wasm module adds to a request
    #[arg(long, value_name = "PATH", conflicts_with = "wasm")]
    pub native: Option<PathBuf>,

    /// Write listeners and endpoints to files in DIR, which Envoy re-reads when one is moved into place
    #[arg(long, value_name = "DIR", conflicts_with = "dns")]
    pub eds: Option<PathBuf>,

    /// Resolve headless Services by DNS: for Envoy in Kubernetes, without a control plane
    #[arg(long, conflicts_with = "endpoints")]
    pub dns: bool,

    /// Let endpoints and ExternalName Services lead to loopback, for trying things out; never to
    /// Envoy's admin
    #[arg(long)]
    pub allow_loopback: bool,

    /// A certificate and its key, for hosts that no TLS Secret serves
    #[arg(long, value_name = "CERT,KEY", value_parser = parse_pair)]
    pub tls: Option<(PathBuf, PathBuf)>,

    /// How many connections of clients Envoy has at a time; further ones are closed at once
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// Answer requests 503 rather than be killed, once Envoy's heap nears so many MiB: its
    /// container's limit less about 100; without it Envoy takes what it needs
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(64..))]
    pub max_heap: Option<u32>,

    /// By whom authorizers outside of the cluster are certified, as Envoy finds the file
    #[arg(long, value_name = "PATH", default_value = authorizer::CA)]
    pub authorizer_ca: PathBuf,

    /// Write each decision, with its reasons, to the access log on standard output
    #[arg(long)]
    pub report: bool,
}

impl Default for EnvoySettings {
    fn default() -> Self {
        Self {
            listen: Address::ip([0, 0, 0, 0], 8080),
            listen_tls: Address::ip([0, 0, 0, 0], 8443),
            admin: Address::ip([127, 0, 0, 1], 9901),
            wasm: PathBuf::from("/etc/envoy/limpet.wasm"),
            native: None,
            eds: None,
            dns: false,
            allow_loopback: false,
            tls: None,
            max_connections: CONNECTIONS,
            max_heap: None,
            authorizer_ca: PathBuf::from(authorizer::CA),
            report: false,
        }
    }
}

/// `CERT,KEY`.
fn parse_pair(text: &str) -> Result<(PathBuf, PathBuf), String> {
    match text.split_once(',') {
        Some((cert, key)) if !cert.is_empty() && !key.is_empty() => Ok((cert.into(), key.into())),
        _ => Err(format!(
            "{text:?} is not CERT,KEY: two files with a comma between"
        )),
    }
}
