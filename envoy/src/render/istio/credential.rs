//! What a Secret is called where a gateway reads it: in its own namespace, whoever names it.

use super::args::IstioArgs;
use crate::certificates::Certificate;
use crate::inert;
use crate::names;
use crate::render::served::Served;

/// What istiod takes for the name of an authority.
///
/// Source: `SdsCaSuffix`, `pilot/pkg/model/credentials/resource.go`, istio eed52ebb66ad.
const OF_AUTHORITIES: &str = "-cacert";

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
    named(id_of(certificate), served, args)
}

/// The same of a Secret `namespace/name` with a certificate that pods are shown.
///
/// # Errors
/// Why there is none.
pub(super) fn of_pods(
    served: &Served<'_>,
    args: &IstioArgs,
    secret: &str,
) -> Result<String, String> {
    let id = secret.split_once('/').unwrap_or_default();
    named(id, served, args).map_err(|why| format!("{} {why}", inert::line(&copy_of(id))))
}

fn named(id: (&str, &str), served: &Served<'_>, args: &IstioArgs) -> Result<String, &'static str> {
    let is_at_home = |(namespace, _): &(&str, &str)| *namespace == args.namespace;
    let name = if is_at_home(&id) {
        id.1.to_owned()
    } else {
        copy_of(id)
    };
    let certificates = served.certificates.iter().chain(&served.unusable);
    let all = certificates.map(id_of).chain(shown(served));
    let mut at_home = all.filter(is_at_home);
    if !names::is_subdomain(&name) {
        Err("is too long for the name of a Secret")
    } else if name.ends_with(OF_AUTHORITIES) {
        Err("ends in -cacert, and Istio takes it for an authority")
    } else if !is_at_home(&id) && at_home.any(|(_, other)| other == name) {
        Err("is another Secret there, which a copy would replace")
    } else {
        Ok(name)
    }
}

/// Those that pods are shown.
fn shown<'s>(served: &'s Served<'_>) -> impl Iterator<Item = (&'s str, &'s str)> {
    let told = served.compiled().upstream_tls.by_cluster.values();
    told.filter_map(|told| told.shown()?.split_once('/'))
}

fn id_of<'c>(certificate: &'c Certificate<'_>) -> (&'c str, &'c str) {
    let namespace = certificate.ingress.ingress.namespace.as_str();
    (namespace, certificate.secret)
}

fn copy_of((namespace, secret): (&str, &str)) -> String {
    format!("{namespace}.{secret}")
}

/// The copies that the operator has to make, one line each.
pub(super) fn copies(served: &Served<'_>, args: &IstioArgs) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let certificates = served.certificates.iter();
    let certificates = certificates.map(|one| (id_of(one), ": its hosts get no https"));
    let shown = shown(served).map(|id| (id, ": pods are not shown it"));
    for (id, without) in certificates.chain(shown) {
        let (namespace, secret) = (id.0, inert::line(id.1));
        let line = match named(id, served, args) {
            Err(why) => format!(
                "note: Secret {namespace}/{secret}: {} {why}{without}",
                inert::line(&copy_of(id))
            ),
            Ok(name) if name == id.1 => continue,
            Ok(name) => format!(
                "copy Secret {namespace}/{secret} to {}/{name}: the gateway reads Secrets of its own namespace alone",
                args.namespace
            ),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}
