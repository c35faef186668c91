//! What a Secret is called where a gateway reads it: in its own namespace, whoever names it.

use super::args::IstioArgs;
use crate::certificates::Certificate;
use crate::names;
use crate::render::served::Served;

/// The name of the Secret in the gateway's namespace; `None`: Kubernetes takes no name that long.
///
/// Every other namespace's has its namespace in front, which has no dot in it: so no two Secrets
/// have one name, and none takes another one's when Ingresses come and go.
pub(super) fn name(certificate: &Certificate<'_>, args: &IstioArgs) -> Option<String> {
    if certificate.ingress.ingress.namespace == args.namespace {
        return Some(certificate.secret.to_owned());
    }
    let name = format!(
        "{}.{}",
        certificate.ingress.ingress.namespace, certificate.secret
    );
    names::is_subdomain(&name).then_some(name)
}

/// The copies that the operator has to make, one line each.
pub(super) fn copies(served: &Served<'_>, args: &IstioArgs) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for certificate in &served.certificates {
        let id = certificate.secret_id();
        let line = match name(certificate, args) {
            None => format!(
                "note: Secret {id}: {}.{} is too long for the name of a Secret: its hosts get no https",
                certificate.ingress.ingress.namespace, certificate.secret
            ),
            Some(name) if name == certificate.secret => continue,
            Some(name) => format!(
                "copy Secret {id} to {}/{name}: the gateway reads Secrets of its own namespace alone",
                args.namespace
            ),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}
