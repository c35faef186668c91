//! Services to which nginx spoke now so, now otherwise: it asked each path, and a cluster has one protocol.

use crate::check::finding::{Finding, Level, Place};
use crate::clusters::{Cluster, Protocol};
use crate::compiled::Compiled;
use crate::taken::TakenIngress;

const ANNOTATION: &str = "backend-protocol";

pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let ingresses = compiled.ingresses.iter();
    // A canary is spoken to as the Ingress says that it is of.
    let ingresses = ingresses.filter(|one| one.annotations.canary.is_none());
    let all = ingresses.flat_map(|ingress| {
        let own = Protocol::read(ingress.annotation(ANNOTATION).unwrap_or_default());
        let clusters = compiled.named_by(ingress.id());
        clusters.filter_map(move |cluster| otherwise(ingress, own, cluster))
    });
    all.collect()
}

fn otherwise(ingress: &TakenIngress<'_>, own: Protocol, cluster: &Cluster) -> Option<Finding> {
    let chosen = cluster.protocol.unwrap_or_default();
    if chosen == own {
        return None;
    }
    let place = match ingress.annotation(ANNOTATION) {
        Some(_) => Place::annotation(ingress.object, ANNOTATION),
        None => Place::at(ingress.object, "/metadata/name", ANNOTATION),
    };
    let service = cluster.service_port.key();
    let finding = Finding::new(
        Level::Warning,
        "two-protocols",
        &place,
        format!("speaks {own} to {service}, and another Ingress has it spoken to by {chosen}"),
        format!(
            "{chosen} holds for both: pods that take {own} alone answer neither, and requests end in 502"
        ),
    );
    Some(finding.help(
        "give pods that speak both a Service port for each, or the Ingresses one backend-protocol",
    ))
}
