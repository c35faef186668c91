//! The flags that several commands share.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::clusters::EndpointsFlag;
use crate::compiled::Flags;
use crate::manifests::{Manifests, Selection};

/// `ip:port`.
///
/// # Errors
/// What was expected.
pub fn ip_port(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not an address; expected ip:port"))
}

/// Which manifests, and whose Ingresses of them.
#[derive(Debug, Clone, Default, Args)]
pub struct ManifestArgs {
    /// Manifests: a YAML or JSON file, a folder of them, or - for standard input
    #[arg(short, long = "file", value_name = "FILE|DIR|-", required = true)]
    pub file: Vec<String>,

    /// Whose Ingresses are taken.
    #[command(flatten)]
    pub selection: Selection,

    /// Validate annotations as ingress-nginx 1.15 does by default
    #[arg(long)]
    pub strict: bool,

    /// Keys of the plugin configuration that manifests do not say, such as cookie_keys: YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Where the endpoints are.
#[derive(Debug, Clone, Default, Args)]
pub struct EndpointArgs {
    /// Endpoints of a Service port, the port as the Ingress or the Service calls it (or left out: every
    /// port); nothing after the = means none
    #[arg(long, value_name = "NS/SERVICE:PORT=IP:PORT,...")]
    pub endpoints: Vec<EndpointsFlag>,
}

impl ManifestArgs {
    /// Reads them.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it is to be.
    pub fn load(&self) -> anyhow::Result<Manifests> {
        let manifests = Manifests::load(&self.file)?.with_config(self.config.as_deref())?;
        Ok(manifests.with_selection(&self.selection))
    }

    /// The flags that bear on what they mean.
    #[must_use]
    pub fn flags(&self, endpoints: &EndpointArgs) -> Flags {
        Flags {
            strict: self.strict,
            endpoints: endpoints.endpoints.clone(),
            ..Flags::default()
        }
    }
}
