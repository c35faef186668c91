//! What a platform does otherwise, however it is configured.

use clap::ValueEnum;

use super::annotations::speaks_otherwise;
use super::finding::{Finding, Level};
use super::view::Ingress;
use crate::manifests::Manifests;
use crate::render::scene::Scene;

/// A platform that `limpet render` writes resources for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// Istio: a gateway, or sidecars
    Istio,
    /// Envoy Gateway
    EnvoyGateway,
}

pub(super) fn run(
    manifests: &Manifests,
    ingresses: &[Ingress<'_>],
    platform: Platform,
) -> Vec<Finding> {
    let mut findings = not_rendered(manifests);
    if platform == Platform::EnvoyGateway {
        findings.extend(ingresses.iter().flat_map(paths_as_resolved));
    }
    findings
}

/// What the resources cannot hold; `render` writes the same at their head.
fn not_rendered(manifests: &Manifests) -> Vec<Finding> {
    let scene = Scene::new(manifests);
    let notes = scene.notes.into_iter().skip(manifests.notes.len());
    let finding = |note: String| Finding {
        level: Level::Warning,
        code: "not-rendered",
        file: String::new(),
        line: 0,
        ingress: None,
        field: "render".to_owned(),
        value: None,
        expected: note,
        consequence: String::new(),
        help: Vec::new(),
    };
    notes.map(finding).collect()
}

/// A module cannot choose how the proxy speaks to pods; Envoy Gateway has no resource that trusts
/// any certificate, as ingress-nginx does.
pub(super) fn backend_protocol(
    ingress: &Ingress<'_>,
    platform: Option<Platform>,
) -> Option<Finding> {
    let value = ingress.annotation("backend-protocol")?;
    let level = match platform {
        Some(Platform::Istio) => return None,
        Some(Platform::EnvoyGateway) => Level::Warning,
        None => Level::Note,
    };
    let finding = Finding::annotation(
        (level, "backend-protocol"),
        ingress,
        "backend-protocol",
        "is how the proxy speaks to the pods: render envoy and istio set it, without looking at certificates",
        "on Envoy Gateway pods get plain HTTP/1 until you say so",
    );
    speaks_otherwise(value).then(|| {
        finding.help("Gateway API: BackendTLSPolicy; for gRPC the Service port's appProtocol kubernetes.io/h2c")
    })
}

/// Envoy Gateway resolves paths before limpet sees them, and nothing turns that off. A rewrite
/// replaces the path anyway; what is not rewritten reaches the Service as resolved.
///
/// Source: `NormalizePath` in `addHCMToXDSListener`, `internal/xds/translator/listener.go`,
/// envoyproxy/gateway d32f28294; what Envoy 1.40 makes of a path was tried.
fn paths_as_resolved(ingress: &Ingress<'_>) -> Vec<Finding> {
    if ingress.asks_for_rewrite() {
        return Vec::new();
    }
    let finding = |path: &super::view::Path| {
        Finding::at(
            (Level::Note, "path-in-front"),
            ingress,
            (&path.pointer, "path"),
            "is not rewritten, and Envoy Gateway resolves paths in front of limpet",
            "of a request for /a/../b%61 the Service sees /ba, where ingress-nginx sent it as it came",
        )
    };
    ingress.paths.iter().map(finding).collect()
}
