//! Who translates what is rendered.

use super::inputs::{self, Input};
use super::istio::Proxy;

/// Who translates.
#[derive(Debug, Clone, Copy)]
pub(super) enum Platform {
    Istio(Proxy),
    EnvoyGateway,
    /// One that `render envoy-gateway` has a flag for.
    OlderEnvoyGateway,
    /// Where Gateway API's standard channel is installed: what the API server alone says.
    StandardChannel,
}

pub(super) const PLATFORMS: &[(&str, Platform)] = &[
    ("istio-gateway", Platform::Istio(Proxy::Gateway)),
    ("istio-sidecar", Platform::Istio(Proxy::Sidecar)),
    ("envoy-gateway", Platform::EnvoyGateway),
    ("standard-channel", Platform::StandardChannel),
];

/// Apart: its resource definitions are of the same names.
pub(super) const OLDER: &[(&str, Platform)] =
    &[("older-envoy-gateway", Platform::OlderEnvoyGateway)];

impl Platform {
    /// Whether it is asked about an input.
    pub(super) fn takes(self, input: &Input) -> bool {
        match self {
            Self::Istio(Proxy::Gateway) => input.policies != Some(inputs::ENVOY_GATEWAY),
            Self::EnvoyGateway => input.policies != Some(inputs::ISTIO),
            Self::OlderEnvoyGateway => {
                input.is_asked && input.policies.is_none() && input.name != inputs::REST
            }
            // The filter and the routes are a gateway's.
            Self::Istio(Proxy::Sidecar)
                if input.policies.is_some() || inputs::OF_GATEWAYS.contains(&&*input.name) =>
            {
                false
            }
            // Of the reports those that are about them.
            Self::Istio(Proxy::Sidecar) => input.is_asked || input.name.contains("sidecar"),
            Self::StandardChannel => input.name == "sample",
        }
    }
}
