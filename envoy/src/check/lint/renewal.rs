//! Certificates that somebody renews by an Ingress that comes and goes.

use serde_json::Value;

use crate::check::finding::{Finding, Level, Place};
use crate::compiled::Compiled;
use crate::manifests::annotation_pointer;
use crate::taken::TakenIngress;

/// What asks cert-manager for a certificate.
///
/// Source: cert-manager's documentation, "Annotated Ingress resource".
const ASKING: [&str; 4] = [
    "acme.cert-manager.io/http01-ingress-class",
    "acme.cert-manager.io/http01-edit-in-place",
    "cert-manager.io/cluster-issuer",
    "cert-manager.io/issuer",
];

pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let ingresses = compiled.ingresses.iter();
    ingresses.filter_map(challenge).collect()
}

/// The answer to an HTTP-01 challenge is an Ingress of its own, for minutes; what was rendered before
/// does not know it. Other challenges need no Ingress, and the issuer alone does not say which it is.
fn challenge(ingress: &TakenIngress<'_>) -> Option<Finding> {
    if ingress.ingress.tls.is_empty() {
        return None;
    }
    let annotations = ingress.object.value.pointer("/metadata/annotations");
    let annotations = annotations.and_then(Value::as_object)?;
    let asking = ASKING
        .into_iter()
        .find(|name| annotations.contains_key(*name))?;
    let is_certain = asking.starts_with("acme.");
    let finding = Finding::new(
        if is_certain {
            Level::Warning
        } else {
            Level::Note
        },
        "certificate-renewal",
        &Place::at(ingress.object, &annotation_pointer(asking), asking),
        if is_certain {
            "has cert-manager answer HTTP-01 challenges by an Ingress that is there for minutes"
        } else {
            "may have cert-manager answer HTTP-01 challenges, by an Ingress that is there for minutes"
        },
        "what was rendered before does not know it: renewals fail, and the certificate runs out",
    );
    Some(
        finding
            .help("a DNS-01 solver")
            .help("or a route for /.well-known/acme-challenge/ to the solver: HTTP-01 by Gateway API (gatewayHTTPRoute), on a Gateway of its own"),
    )
}
