//! The flags that several commands share.

use clap::Args;

use crate::clusters::EndpointsFlag;

/// Which manifests, and where the endpoints are.
#[derive(Debug, Clone, Default, Args)]
pub struct ManifestArgs {
    /// Manifests: a YAML or JSON file, a folder of them, or - for standard input
    #[arg(short, long = "file", value_name = "FILE|DIR|-", required = true)]
    pub file: Vec<String>,

    /// Endpoints of a Service port, the port as the Ingress writes it (or left out: every port);
    /// nothing after the = means none
    #[arg(long, value_name = "NS/SERVICE:PORT=IP:PORT,...")]
    pub endpoints: Vec<EndpointsFlag>,

    /// Validate annotations as ingress-nginx 1.15 does by default
    #[arg(long)]
    pub strict: bool,
}
