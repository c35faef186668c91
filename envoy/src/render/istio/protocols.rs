//! Where istiod speaks to pods otherwise than the Ingress says, or cannot tell them apart.

use crate::clusters::Cluster;
use crate::render::served::Served;

/// One line for each such Service.
///
/// Source: run on istiod eed52ebb66ad (1.31 alpha).
pub fn notes<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let clusters = served.clusters.iter();
    clusters.filter_map(|(cluster, _)| by_port_name(cluster))
}

/// The name or the appProtocol of a port decides for Istio, before the Ingress.
fn by_port_name(cluster: &Cluster) -> Option<String> {
    let speaks = cluster.istio_http2()?;
    let asked = cluster.protocol.unwrap_or_default();
    (!asked.http2).then(|| {
        format!(
            "{}: Service {}: {speaks} makes Istio speak HTTP/2 to its pods, where ingress-nginx \
             spoke HTTP/1.1; rename the port if they cannot",
            cluster.place,
            cluster.service_port.service_id()
        )
    })
}

/// One line for each headless Service, where the rendering is for sidecars.
///
/// Source: run on istiod eed52ebb66ad (1.31 alpha), `PILOT_ENABLE_EDS_FOR_HEADLESS_SERVICES` off.
pub(super) fn headless<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
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
