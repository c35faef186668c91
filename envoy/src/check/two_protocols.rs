//! Services to which nginx spoke now so, now otherwise: it asked each location. Envoy and Istio are given a
//! cluster for each; on Envoy Gateway a Service port has one protocol.

use super::finding::{Finding, Level, Place};
use crate::clusters::{Cluster, Protocol};
use crate::compiled::Compiled;
use crate::taken::TakenIngress;

const ANNOTATION: &str = "backend-protocol";

/// What becomes of them on Envoy Gateway, told as `level`.
pub(crate) fn run(compiled: &Compiled<'_>, level: Level) -> Vec<Finding> {
    let ingresses = compiled.ingresses.iter();
    let all = ingresses.flat_map(|ingress| {
        let own = compiled.otherwise.get(ingress.id());
        let clusters = compiled.named_by(ingress.id());
        let clusters = clusters.filter(move |one| own.is_some_and(|own| one.others.contains(own)));
        clusters.map(move |cluster| otherwise(level, ingress, cluster))
    });
    all.collect()
}

fn otherwise(level: Level, ingress: &TakenIngress<'_>, cluster: &Cluster) -> Finding {
    let (own, chosen) = (Protocol::of(ingress), cluster.protocol.unwrap_or_default());
    let service = cluster.service_port.key();
    let finding = Finding::new(
        level,
        "two-protocols",
        &Place::annotation(ingress.object, ANNOTATION),
        format!("speaks {own} to {service}, and another Ingress speaks {chosen}"),
        "on Envoy Gateway a Service port has one protocol: pods that take another one alone do not answer, and \
         requests end in 502",
    );
    finding.help("Gateway API: a Service of its own for each protocol, with the same selector")
}
