//! Services that are a name in DNS, where the platform makes the clusters.

use super::served::Served;
use crate::clusters::Cluster;

/// What Istio does with them, one line each.
///
/// Source: run on istiod eed52ebb66ad (1.31 alpha).
pub fn on_istio<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    all(served).map(|one| {
        let (number, target) = (one.number, one.target());
        format!(
            "{}: Istio takes such a Service for another name of {:?} and makes no cluster of it: \
             requests get 503 until a ServiceEntry has that host, with port number {number} and \
             targetPort {target}; sessions are not kept there",
            one.subject(),
            one.name
        )
    })
}

/// What Envoy Gateway does with them, one line each.
///
/// Source: run on Envoy Gateway 1.7.0, 1.8.2 and 1.9.0.
pub fn on_envoy_gateway<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    all(served).map(|one| {
        let target = one.target();
        format!(
            "{}: Envoy Gateway sends nothing there: it finds no endpoints (503), or refuses the \
             reference (500, from 1.8 or 1.9 on); put a Backend with fqdn hostname {:?} and port \
             {target} in its place",
            one.subject(),
            one.name
        )
    })
}

/// A cluster of a name.
struct ExternalName<'s> {
    cluster: &'s Cluster,
    number: u16,
    name: &'s str,
}

impl ExternalName<'_> {
    fn subject(&self) -> String {
        let service = self.cluster.service_port.service_id();
        format!(
            "{}: Service {service} is an ExternalName",
            self.cluster.place
        )
    }

    fn target(&self) -> u16 {
        self.cluster.target.unwrap_or(self.number)
    }
}

fn all<'s>(served: &'s Served<'_>) -> impl Iterator<Item = ExternalName<'s>> {
    served.clusters.iter().filter_map(|(cluster, number)| {
        Some(ExternalName {
            cluster,
            number: *number,
            name: cluster.external_name.as_deref()?,
        })
    })
}
