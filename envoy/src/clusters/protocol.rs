//! How pods are spoken to.

use super::Cluster;
use crate::manifests::Manifests;

const BACKEND_PROTOCOL: &str =
    "/metadata/annotations/nginx.ingress.kubernetes.io~1backend-protocol";

/// What `backend-protocol` says; neither: HTTP/1 in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// `HTTPS`, `GRPCS`.
    pub tls: bool,
    /// `GRPC`, `GRPCS`.
    pub http2: bool,
}

impl Protocol {
    /// Of the first Ingress that names the Service port and has the annotation.
    #[must_use]
    pub fn of(manifests: &Manifests, cluster: &Cluster) -> Self {
        let asked = manifests
            .ingresses
            .iter()
            .filter(|ingress| cluster.named_by.contains(&ingress.id()))
            .find_map(|ingress| ingress.text(BACKEND_PROTOCOL))
            .unwrap_or_default()
            .to_ascii_uppercase();
        Self {
            tls: matches!(asked.as_str(), "HTTPS" | "GRPCS"),
            http2: matches!(asked.as_str(), "GRPC" | "GRPCS"),
        }
    }
}
