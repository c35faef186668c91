//! The flags.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::render::args::RenderArgs;
use crate::render::version::{self, Version};

/// Flags of `limpet render envoy-gateway`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  limpet render envoy-gateway -f shop.yaml --image registry.example.com/limpet:0.1.0 > limpet.yaml
  kubectl get ingress,service -A -o yaml | limpet render envoy-gateway -f - > limpet.yaml")]
pub struct EnvoyGatewayArgs {
    /// What to read, and what to do about losses.
    #[command(flatten)]
    pub render: RenderArgs,

    /// Where the module's image is
    #[arg(long, default_value = DEFAULT_IMAGE, value_parser = NonEmptyStringValueParser::new())]
    pub image: String,

    /// The Secret that opens the image's registry, in the namespace of the Gateway
    #[arg(long, value_name = "SECRET", value_parser = NonEmptyStringValueParser::new())]
    pub image_pull_secret: Option<String>,

    /// The namespace of the Gateway and of its policies
    #[arg(long, default_value = "envoy-gateway-system", value_parser = NonEmptyStringValueParser::new())]
    pub namespace: String,

    /// The version of Envoy Gateway, 1.7 or newer
    #[arg(long, value_name = "VERSION", default_value_t = BOUNDS_SILENCE, value_parser = envoy_gateway)]
    pub envoy_gateway: Version,
}

/// The first that knows `streamIdleTimeout`.
pub(super) const BOUNDS_SILENCE: Version = Version::of(8);

/// The first that knows `requestHeadersReceivedTimeout` and `tlsHandshakeTimeout`.
pub(super) const BOUNDS_HEADS: Version = Version::of(9);

/// Before 1.7 one tenant's broken Secret took the listener of all.
fn envoy_gateway(text: &str) -> Result<Version, String> {
    version::from(text, Version::of(7))
}

/// The image name that an operator replaces.
const DEFAULT_IMAGE: &str = concat!("registry.example.com/limpet:", env!("CARGO_PKG_VERSION"));

impl Default for EnvoyGatewayArgs {
    fn default() -> Self {
        Self {
            render: RenderArgs::default(),
            image: DEFAULT_IMAGE.to_owned(),
            image_pull_secret: None,
            namespace: "envoy-gateway-system".to_owned(),
            envoy_gateway: BOUNDS_SILENCE,
        }
    }
}
