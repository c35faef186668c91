//! Services that are a name in DNS, where the platform makes the clusters.

use std::net::IpAddr;

use super::served::Served;
use crate::clusters::Cluster;

/// What Istio does with them, one line each.
///
/// Source: run on istiod eed52ebb66ad (1.31 alpha) with names outside of the cluster; ways out of others are read
/// from its validation, not run.
pub fn on_istio<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    all(served).map(|one| {
        let (number, target) = (one.number, one.target());
        let until = match one.leads_to() {
            LeadsTo::Address => {
                "there is a Service with an EndpointSlice of that address in its place".to_owned()
            }
            LeadsTo::Service => {
                "an Ingress of its namespace names that Service itself (a ServiceEntry with that host would take it over)"
                    .to_owned()
            }
            LeadsTo::Name => format!(
                "a ServiceEntry has that host, with port number {number} and targetPort {target}; sessions \
                 are not kept there"
            ),
        };
        format!(
            "{}: Istio takes such a Service for another name of {:?} and makes no cluster of it: \
             requests get 503 until {until}",
            one.subject(),
            one.name
        )
    })
}

/// What Envoy Gateway does with them, one line each.
///
/// Source: run on Envoy Gateway 1.7.0, 1.8.2 and 1.9.0 with names outside of the cluster; ways out of others are
/// read from 1.9.1, not run.
pub fn on_envoy_gateway<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    all(served).map(|one| {
        let (target, name) = (one.target(), one.name);
        let instead = match one.leads_to() {
            LeadsTo::Address => {
                "put a Service with an EndpointSlice of that address in its place".to_owned()
            }
            LeadsTo::Service => {
                "name that Service itself by an Ingress of its namespace".to_owned()
            }
            LeadsTo::Name => {
                format!("put a Backend with fqdn hostname {name:?} and port {target} in its place")
            }
        };
        format!(
            "{}: Envoy Gateway sends nothing there: it finds no endpoints (503), or refuses the \
             reference (500, from 1.8 or 1.9 on); {instead}",
            one.subject()
        )
    })
}

/// A cluster of a name.
struct ExternalName<'s> {
    cluster: &'s Cluster,
    number: u16,
    name: &'s str,
}

/// What stands in `externalName`.
enum LeadsTo {
    Address,
    /// A Service of this cluster.
    Service,
    Name,
}

impl ExternalName<'_> {
    fn leads_to(&self) -> LeadsTo {
        let name = self.name.trim_end_matches('.');
        if name.parse::<IpAddr>().is_ok() {
            LeadsTo::Address
        } else if name.ends_with(".svc") || name.contains(".svc.") {
            LeadsTo::Service
        } else {
            LeadsTo::Name
        }
    }

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
