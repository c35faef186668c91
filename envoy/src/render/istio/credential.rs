//! What a Secret is called where a gateway reads it: in its own namespace, whoever names it.

use super::args::IstioArgs;
use crate::certificates::Certificate;
use crate::names;
use crate::render::served::Served;

/// The name of the Secret in the gateway's namespace.
///
/// Every other namespace's has its namespace in front, which has no dot in it: so no two copies
/// have one name, and none takes another one's when Ingresses come and go.
///
/// # Errors
/// Why there is none, to be read behind the name.
pub(super) fn name(
    certificate: &Certificate<'_>,
    served: &Served<'_>,
    args: &IstioArgs,
) -> Result<String, &'static str> {
    if is_at_home(certificate, args) {
        return Ok(certificate.secret.to_owned());
    }
    let name = copy_of(certificate);
    let mut at_home = served
        .certificates
        .iter()
        .filter(|one| is_at_home(one, args));
    if !names::is_subdomain(&name) {
        Err("is too long for the name of a Secret")
    } else if at_home.any(|one| one.secret == name) {
        Err("is another Secret there, which a copy would replace")
    } else {
        Ok(name)
    }
}

fn is_at_home(certificate: &Certificate<'_>, args: &IstioArgs) -> bool {
    certificate.ingress.ingress.namespace == args.namespace
}

fn copy_of(certificate: &Certificate<'_>) -> String {
    format!(
        "{}.{}",
        certificate.ingress.ingress.namespace, certificate.secret
    )
}

/// The copies that the operator has to make, one line each.
pub(super) fn copies(served: &Served<'_>, args: &IstioArgs) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for certificate in &served.certificates {
        let id = certificate.secret_id();
        let line = match name(certificate, served, args) {
            Err(why) => format!(
                "note: Secret {id}: {} {why}: its hosts get no https",
                copy_of(certificate)
            ),
            Ok(name) if name == certificate.secret => continue,
            Ok(name) => format!(
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
