//! What a Secret is called where a gateway reads it: in its own namespace, whoever names it.

use std::collections::HashSet;

use crate::certificates::Certificate;
use crate::inert;
use crate::names;
use crate::render::served::Served;

/// What istiod takes for the name of an authority.
///
/// Source: `SdsCaSuffix`, `pilot/pkg/model/credentials/resource.go`, istio eed52ebb66ad.
const OF_AUTHORITIES: &str = "-cacert";

/// The name of the Secret in the gateway's namespace, `home`.
///
/// Every other namespace's has its namespace in front, which has no dot in it: so no two copies
/// have one name, and none takes another one's when Ingresses come and go.
///
/// # Errors
/// Why there is none, to be read behind the name.
pub(super) fn name(
    certificate: &Certificate<'_>,
    served: &Served<'_>,
    home: &str,
) -> Result<String, &'static str> {
    named(id_of(certificate), served, home)
}

/// The same of a Secret `namespace/name` with a certificate that pods are shown.
///
/// # Errors
/// Why there is none.
pub(super) fn of_pods(served: &Served<'_>, home: &str, secret: &str) -> Result<String, String> {
    let id = secret.split_once('/').unwrap_or_default();
    named(id, served, home).map_err(|why| format!("{} {why}", inert::line(&copy_of(id))))
}

fn named(id: (&str, &str), served: &Served<'_>, home: &str) -> Result<String, &'static str> {
    let is_at_home = |(namespace, _): &(&str, &str)| *namespace == home;
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

/// A Secret that the gateway reads.
struct Read<'s> {
    /// Its namespace and name.
    id: (&'s str, &'s str),
    /// Who names it; `None`: one that pods are shown.
    certificate: Option<&'s Certificate<'s>>,
    /// What is not without it.
    without: &'static str,
    name: Result<String, &'static str>,
}

/// Each of them once, but for those that are there.
fn read<'s>(served: &'s Served<'_>, home: &str) -> Vec<Read<'s>> {
    let certificates = served.certificates.iter();
    let certificates = certificates.map(|one| (id_of(one), Some(one), "its hosts get no https"));
    let shown = shown(served).map(|id| (id, None, "pods are not shown it"));
    let mut known = HashSet::new();
    let all = certificates
        .chain(shown)
        .filter(|one| known.insert((one.0, one.2)));
    let all = all.map(|(id, certificate, without)| Read {
        id,
        certificate,
        without,
        name: named(id, served, home),
    });
    all.filter(|one| one.name.as_ref().map_or(true, |name| name != one.id.1))
        .collect()
}

/// Those that no copy can be read of, one line each.
pub(super) fn refused(served: &Served<'_>, home: &str) -> Vec<String> {
    let all = read(served, home).into_iter();
    let lines = all.filter_map(|one| {
        let why = one.name.err()?;
        let place = one.certificate.map(|one| format!("{}: ", one.place()));
        let (namespace, secret) = (one.id.0, inert::line(one.id.1));
        Some(format!(
            "{}Secret {namespace}/{secret}: {} {why}: {}",
            place.unwrap_or_default(),
            inert::line(&copy_of(one.id)),
            one.without
        ))
    });
    lines.collect()
}

/// The copies that the operator has to make, one line each.
pub(super) fn copies(served: &Served<'_>, home: &str) -> Vec<String> {
    let all = read(served, home).into_iter();
    let mut lines: Vec<String> = all
        .filter_map(|one| {
            let (name, namespace) = (one.name.ok()?, one.id.0);
            Some(format!(
                "copy Secret {namespace}/{} to {}/{name}: the gateway reads Secrets of its own namespace alone",
                inert::line(one.id.1),
                home
            ))
        })
        .collect();
    // One may be read for several.
    let mut told = HashSet::new();
    lines.retain(|line| told.insert(line.clone()));
    lines
}

/// Those that pods are shown of which the gateway reads a copy, `namespace/name`.
pub(crate) fn copied_for_pods(served: &Served<'_>, home: &str) -> HashSet<String> {
    let all = read(served, home).into_iter();
    let all = all.filter(|one| one.name.is_ok() && one.certificate.is_none());
    all.map(|one| format!("{}/{}", one.id.0, one.id.1))
        .collect()
}

/// Those of certificates of which the gateway reads a copy, with who names them, where it is in its own namespace.
pub(crate) fn copied<'s>(
    served: &'s Served<'_>,
    home: &str,
) -> impl Iterator<Item = &'s Certificate<'s>> {
    let all = read(served, home).into_iter();
    all.filter(|one| one.name.is_ok())
        .filter_map(|one| one.certificate)
}
