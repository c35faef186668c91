//! Who translates what is rendered.

use super::inputs::{self, Input};
use super::istio::Proxy;

/// Who translates.
#[derive(Debug, Clone, Copy)]
pub(super) enum Platform {
    Istio(Proxy),
    /// One that is older; sidecars with what is rendered for the oldest that `render istio` has a flag for.
    OlderIstio(Proxy),
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
pub(super) const OLDER: &[(&str, Platform)] = &[
    ("older-istio-gateway", Platform::OlderIstio(Proxy::Gateway)),
    ("older-istio-sidecar", Platform::OlderIstio(Proxy::Sidecar)),
    ("older-envoy-gateway", Platform::OlderEnvoyGateway),
];

impl Platform {
    /// Whether it is asked about an input.
    pub(super) fn takes(self, input: &Input) -> bool {
        match self {
            Self::Istio(Proxy::Gateway) => input.policies != Some(inputs::ENVOY_GATEWAY),
            Self::EnvoyGateway => input.policies != Some(inputs::ISTIO),
            Self::OlderIstio(Proxy::Gateway) | Self::OlderEnvoyGateway => {
                input.is_asked && input.policies.is_none() && input.name != inputs::REST
            }
            // The filter and the routes are a gateway's.
            Self::Istio(Proxy::Sidecar) | Self::OlderIstio(Proxy::Sidecar)
                if input.policies.is_some() || inputs::OF_GATEWAYS.contains(&&*input.name) =>
            {
                false
            }
            // Of the reports those that are about them.
            Self::Istio(Proxy::Sidecar) => input.is_asked || input.name.contains("sidecar"),
            Self::OlderIstio(Proxy::Sidecar) => input.is_asked,
            Self::StandardChannel => input.name == "sample",
        }
    }
}
