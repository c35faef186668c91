//! The flags.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, value_parser};
use limpet_envoy::args::{EndpointArgs, ManifestArgs, ip_port};

/// Flags of `limpet explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Where the endpoints are.
    #[command(flatten)]
    pub endpoints: EndpointArgs,

    /// One request: http://host/path
    #[arg(value_name = "URL", required_unless_present_any = ["requests", "locations"])]
    pub url: Option<String>,

    /// Its method
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    pub method: String,

    /// A header field of it, repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,

    /// The address of its client, or of the proxy in front [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub client: Option<IpAddr>,

    /// The endpoint that answers it, over the load balancer's head
    #[arg(long, value_name = "IP:PORT", value_parser = ip_port)]
    pub served_by: Option<SocketAddr>,

    /// What the authorizer of auth-url answers [default: 200]
    #[arg(long, value_name = "STATUS", value_parser = value_parser!(u16).range(100..=599))]
    pub auth_status: Option<u16>,

    /// Requests as JSON lines, answers likewise: a file, or - for standard input
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["url", "locations"])]
    pub requests: Option<String>,

    /// Print the answer as JSON (always so with --requests)
    #[arg(long)]
    pub json: bool,

    /// Fix the clock
    #[arg(long, value_name = "UNIX_SECONDS")]
    pub now: Option<u64>,

    /// Print the locations of every host in the order in which they are tried, and which paths changed
    /// meaning; with a URL those of its host, the one that takes it marked
    #[arg(long)]
    pub locations: bool,

    /// The module [default: LIMPET_WASM, else the one built beside this binary]
    #[arg(long, value_name = "PATH")]
    pub wasm: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  limpet explain -f shop.yaml http://shop.example.com/cart -H 'cookie: route=3f2a...'
  limpet explain -f manifests/ --endpoints prod/web:80=10.0.0.1:80,10.0.0.2:80 \\
      http://shop.example.com/
  limpet explain -f shop.yaml http://shop.example.com/admin --client 10.0.0.7
  limpet explain -f shop.yaml --locations
  limpet explain -f shop.yaml --locations http://shop.example.com/cart
  echo '{\"path\":\"/\",\"authority\":\"shop.example.com\"}' | limpet explain -f shop.yaml --requests -

A line of --requests is an object; only path is required (every string is bytes, U+0000..U+00FF each):
  id, method, scheme, authority, path, headers [[name, value], ...], http_version
  client            the address of the client
  served_by         the endpoint that answers where limpet pins none, or instead of the pinned one
  upstream_status   the status that it answers with, 200 if absent
  upstream_headers  [[name, value], ...] that it answers with, such as location or set-cookie
  auth_status       what an authorizer answers, 200 if absent; auth_headers [[name, value], ...]
  attempts          [{\"endpoint\": ..., \"status\": 503 or \"refused\"}, ...] that failed before
  draw              what a canary's random number is";
