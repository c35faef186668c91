//! What the Ingresses of a Service agree on.

use std::collections::BTreeMap;

use super::told::UpstreamTls;
use crate::clusters::{Cluster, Protocol};
use crate::pods::Pods;
use crate::taken::TakenIngress;

/// What holds in a location; `None`: nothing is said. `Err`: why it answers 503.
pub(super) type Holds = Result<Option<UpstreamTls>, String>;

/// The clusters of each Service port: to control planes one that is named is the one of that number.
pub(super) fn ports(clusters: &[Cluster], pods: Pods) -> Vec<Vec<&Cluster>> {
    let mut all: BTreeMap<String, Vec<&Cluster>> = BTreeMap::new();
    for cluster in clusters {
        let port = &cluster.service_port;
        let key = match cluster.number {
            Some(number) if pods != Pods::OnEnvoy => format!("{}:{number}", port.service_id()),
            _ => port.key(),
        };
        all.entry(key).or_default().push(cluster);
    }
    all.into_values().collect()
}

/// Why no BackendTLSPolicy can say how a Service port is spoken to.
pub(super) fn without_policy(cluster: &Cluster) -> Option<String> {
    let service = cluster.service_port.service_id();
    if cluster.headless.is_none() {
        Some(format!(
            "a BackendTLSPolicy names ports, and Service {service} is not among the manifests (-f)"
        ))
    } else if !cluster.protocol.is_some_and(|protocol| protocol.tls) {
        Some(format!(
            "a BackendTLSPolicy would hold for all who speak to Service {service}, and another Ingress does it in \
             the clear; give it a Service of its own, with the same selector"
        ))
    } else {
        None
    }
}

/// What the Ingresses of one Service agree on, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Agreed {
    pub(super) chosen: Option<UpstreamTls>,
    /// Some of them say nothing: no pod is told by their requests who sends them.
    has_silent: bool,
}

impl Agreed {
    /// `Err`: why `ingress` does not.
    pub(super) fn add(
        &mut self,
        ingress: &TakenIngress<'_>,
        cluster: &Cluster,
        holds: Holds,
    ) -> Result<(), String> {
        // Others of its Service may be in TLS: these are not.
        if !Protocol::of(ingress).tls {
            return Ok(());
        }
        let service = cluster.service_port.key();
        let agrees = match (holds?, &self.chosen) {
            (Some(holds), None) => {
                let agrees = !self.has_silent || holds.shown.is_none();
                self.chosen = agrees.then_some(holds);
                agrees
            }
            (Some(holds), Some(chosen)) => holds == *chosen,
            // Whoever verifies nothing loses nothing where it is verified.
            (None, chosen) => {
                let agrees = chosen.as_ref().is_none_or(|one| one.shown.is_none());
                self.has_silent |= agrees;
                agrees
            }
        };
        agrees.then_some(()).ok_or_else(|| {
            format!(
                "an older Ingress says otherwise of {service}, and a cluster of Envoy has one TLS"
            )
        })
    }
}
