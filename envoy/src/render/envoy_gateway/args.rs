//! The flags.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::compiled::Flags;
use crate::losses::LossArgs;

/// Flags of `limpet render envoy-gateway`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  limpet render envoy-gateway -f ingress.yaml --image registry.example.com/limpet:0.1.0 | kubectl apply --server-side -f -
  kubectl get ingress,service -A -o yaml | limpet render envoy-gateway -f - > limpet.yaml")]
pub struct EnvoyGatewayArgs {
    /// Manifests: a YAML or JSON file, a folder of them, or - for standard input
    #[arg(short, long = "file", value_name = "FILE|DIR|-", required = true)]
    pub file: Vec<String>,

    /// Validate annotations as ingress-nginx 1.15 does by default
    #[arg(long)]
    pub strict: bool,

    /// Keys of the plugin configuration that manifests do not say, such as cookie_keys: YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do about protection that is lost.
    #[command(flatten)]
    pub losses: LossArgs,

    /// Where the module's image is
    #[arg(long, default_value = DEFAULT_IMAGE, value_parser = NonEmptyStringValueParser::new())]
    pub image: String,

    /// The namespace of the Gateway and of its policies
    #[arg(long, default_value = "envoy-gateway-system", value_parser = NonEmptyStringValueParser::new())]
    pub namespace: String,
}

/// The image name that an operator replaces.
const DEFAULT_IMAGE: &str = concat!("registry.example.com/limpet:", env!("CARGO_PKG_VERSION"));

impl Default for EnvoyGatewayArgs {
    fn default() -> Self {
        Self {
            file: Vec::new(),
            strict: false,
            config: None,
            losses: LossArgs::default(),
            image: DEFAULT_IMAGE.to_owned(),
            namespace: "envoy-gateway-system".to_owned(),
        }
    }
}

impl EnvoyGatewayArgs {
    /// The flags that bear on what the manifests mean.
    pub(super) fn flags(&self) -> Flags {
        Flags {
            strict: self.strict,
            ..Flags::default()
        }
    }
}
