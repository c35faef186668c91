//! Where istiod speaks to pods otherwise than the Ingress says, or cannot tell them apart.

use crate::clusters::Cluster;
use crate::render::served::Served;

/// One line for each such Service.
///
/// Source: run on istiod eed52ebb66ad (1.31 alpha).
pub(crate) fn notes<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let clusters = served.clusters.iter();
    let clusters = clusters.map(|(cluster, _)| *cluster);
    let hidden = clusters
        .clone()
        .filter_map(|cluster| hidden(served, cluster));
    clusters.filter_map(by_port_name).chain(hidden)
}

/// A Service says itself which namespaces see it.
fn hidden(served: &Served<'_>, cluster: &Cluster) -> Option<String> {
    let id = cluster.service_port.service_id();
    let service = served.compiled().manifests.service(&id)?;
    let exported = service.text("/metadata/annotations/networking.istio.io~1exportTo")?;
    (exported.trim() != "*").then(|| {
        format!(
            "{}: Service {id}: its annotation networking.istio.io/exportTo shows it to {exported:?} alone: a proxy in \
             another namespace knows no cluster of it (503)",
            cluster.place
        )
    })
}

/// The name or the appProtocol of a port decides for Istio, before the Ingress.
fn by_port_name(cluster: &Cluster) -> Option<String> {
    let speaks = cluster.istio_http2()?;
    let asked = cluster.protocol.unwrap_or_default();
    let otherwise = match cluster.app_protocol {
        Some(_) => "take the appProtocol off",
        None => "rename the port",
    };
    (!asked.http2).then(|| {
        format!(
            "{}: Service {}: {speaks} makes Istio speak HTTP/2 to its pods, where ingress-nginx \
             spoke HTTP/1.1; {otherwise} if they cannot",
            cluster.place,
            cluster.service_port.service_id()
        )
    })
}

/// One line for each headless Service, where the rendering is for sidecars.
///
/// Source: run on istiod eed52ebb66ad (1.31 alpha), `PILOT_ENABLE_EDS_FOR_HEADLESS_SERVICES` off.
pub(crate) fn headless<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let clusters = served.clusters.iter();
    let headless = clusters.filter(|(cluster, _)| cluster.headless == Some(true));
    headless.map(|(cluster, _)| {
        format!(
            "{}: Service {} is headless: a sidecar sends its requests to the address that the client \
             dialled, and keeps no session; give it a cluster IP, or istiod \
             PILOT_ENABLE_EDS_FOR_HEADLESS_SERVICES=true",
            cluster.place,
            cluster.service_port.service_id()
        )
    })
}
