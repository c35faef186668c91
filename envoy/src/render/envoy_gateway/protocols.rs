//! Where Envoy Gateway speaks to pods otherwise than the Ingress says.

use crate::render::served::Served;

/// One line for each such Service: its appProtocol decides, before the Ingress.
///
/// Source: `internal/gatewayapi/route.go`, Envoy Gateway 1.9.1; read, not run.
pub(crate) fn notes<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let clusters = served.clusters.iter().map(|(cluster, _)| cluster);
    let speaking = clusters.filter(|cluster| {
        let asked = cluster.protocol.unwrap_or_default();
        cluster.is_h2c() && !asked.http2 && !asked.tls
    });
    speaking.map(|cluster| {
        format!(
            "{}: Service {}: appProtocol kubernetes.io/h2c makes Envoy Gateway speak HTTP/2 to its pods, \
             where ingress-nginx spoke HTTP/1.1; take the appProtocol off if they cannot",
            cluster.place,
            cluster.service_port.service_id()
        )
    })
}
