//! What pods are told by `proxy-ssl-*`: a subset of their Service, to which nothing but routes of limpet lead.
//!
//! istiod leads a route to an ExternalName to the cluster of the Service that it names, and `auth-url` leads to
//! any: neither is to reach the pods of a stranger with the certificate that his Ingress shows them.
//!
//! What a DestinationRule cannot say an EnvoyFilter of the same port merges into it. Without that one the pods'
//! certificates are verified by the authorities of the world: nobody is believed for being nobody's.
//!
//! Source: `GetDestinationCluster`, `pilot/pkg/networking/core/route/route.go`; `mergeTransportSocketCluster`,
//! `pilot/pkg/networking/core/envoyfilter/cluster_patch.go`; `constructUpstreamTLS`, `cluster_tls.go`, istio
//! eed52ebb66ad.

use std::collections::{BTreeMap, BTreeSet};

use limpet::config::ConfigError;
use serde_json::{Map, Value, json};

use super::args::{IstioArgs, subset};
use super::credential;
use crate::clusters::Cluster;
use crate::compiled::{Compiled, Flags};
use crate::losses;
use crate::manifests::Manifests;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;
use crate::upstream_tls::UpstreamTls;

/// The subset of a Service whose pods are told something.
pub(super) const TOLD: &str = "proxy-ssl";

const NAME: &str = "limpet-pods-";

/// What pods are told; `None`: nothing.
fn told<'s>(served: &'s Served<'_>, cluster: &Cluster) -> Option<&'s UpstreamTls> {
    // Whoever is asked about requests is told nothing.
    let serves = cluster.authorizer.is_none();
    let in_tls = cluster.protocol.is_some_and(|protocol| protocol.tls);
    let all = &served.compiled().upstream_tls.by_cluster;
    (serves && in_tls).then(|| all.get(&cluster.service_port.key()))?
}

/// The subset of a Service that a cluster is, or a twin of it.
pub(super) fn subset_of(served: &Served<'_>, cluster: &Cluster) -> Option<String> {
    let told = || told(served, cluster).map(|_| TOLD.to_owned());
    match cluster.twin {
        Some(_) => subset(cluster),
        None => told(),
    }
}

/// Whether some Ingress has pods told what a cluster itself does not tell them.
pub(super) fn has_told_twin(served: &Served<'_>, cluster: &Cluster) -> bool {
    let is_silent = told(served, cluster).is_none();
    is_silent && cluster.speakers().any(|twin| told(served, &twin).is_some())
}

/// What istiod calls the cluster that routes of limpet lead to.
pub(super) fn cluster_name(
    served: &Served<'_>,
    args: &IstioArgs,
    cluster: &Cluster,
    number: u16,
) -> String {
    let subset = subset_of(served, cluster).unwrap_or_default();
    args.subset_name(&cluster.service_port, number, &subset)
}

/// `tls` of that subset.
pub(super) fn tls(served: &Served<'_>, cluster: &Cluster) -> Option<Value> {
    let told = told(served, cluster)?;
    let mut tls = Map::new();
    tls.insert("mode".to_owned(), json!("SIMPLE"));
    match told.verified() {
        Some((_, name)) => tls.insert("subjectAltNames".to_owned(), json!([name])),
        None => tls.insert("insecureSkipVerify".to_owned(), json!(true)),
    };
    if let Some(name) = told.sni() {
        tls.insert("sni".to_owned(), json!(name));
    }
    Some(Value::Object(tls))
}

/// What a DestinationRule cannot say, of each port apart: one that is refused takes no other's.
pub(super) fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    // By their names: the Ingresses may call one port by its number and by its name.
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (cluster, number) in &served.clusters {
        let port = &cluster.service_port;
        let name = format!("{NAME}{}.{}.{number}", port.namespace, port.service);
        for one in [(*cluster).clone()].into_iter().chain(cluster.speakers()) {
            let Some(patch) = patch(served, args, &one, *number) else {
                continue;
            };
            let patches = all.entry(name.clone()).or_default();
            if !patches.contains(&patch) {
                patches.push(patch);
            }
        }
    }
    let resource = |(name, patches): (String, Vec<Value>)| {
        let spec = json!({
            "workloadSelector": { "labels": args.labels() },
            "configPatches": patches,
        });
        let kind = Kind {
            api_version: "networking.istio.io/v1alpha3",
            name: "EnvoyFilter",
        };
        Resource::new(kind, &args.namespace, &name, spec).comment(
            "proxy-ssl-*: whose certificates are taken, as their Secret was when this was rendered.",
        )
    };
    all.into_iter().map(resource).collect()
}

/// What is merged into a cluster.
fn patch(served: &Served<'_>, args: &IstioArgs, cluster: &Cluster, number: u16) -> Option<Value> {
    let told = told(served, cluster)?;
    let credential = told.shown().and_then(|secret| {
        let name = credential::of_pods(served, &args.namespace, secret).ok()?;
        Some(format!("kubernetes://{name}"))
    });
    Some(json!({
        "applyTo": "CLUSTER",
        "match": {
            "context": args.context(),
            "cluster": { "name": cluster_name(served, args, cluster, number) },
        },
        "patch": { "operation": "MERGE", "value": {
            "transport_socket": told.transport_socket_by(credential.as_deref()),
        } },
    }))
}

fn name_of(resource: &Resource) -> Option<String> {
    let name = resource.value.pointer("/metadata/name")?.as_str()?;
    Some(name.to_owned())
}

/// Whether it is one of those.
pub(super) fn is_one(resource: &Resource) -> bool {
    name_of(resource).is_some_and(|name| name.starts_with(NAME))
}

/// Closes whoever shows pods a certificate that a gateway cannot be told of.
pub(super) fn close_unnamed(
    manifests: &mut Manifests,
    flags: &Flags,
    args: &IstioArgs,
) -> Result<(), ConfigError> {
    let (mut closed, mut notes) = (BTreeSet::new(), BTreeSet::new());
    let compiled = Compiled::new(manifests, flags)?;
    let served = Served::new(&compiled);
    for (cluster, _) in &served.clusters {
        let told = compiled
            .upstream_tls
            .by_cluster
            .get(&cluster.service_port.key());
        let secret = told.and_then(UpstreamTls::shown);
        let Some(Err(why)) =
            secret.map(|secret| credential::of_pods(&served, &args.namespace, secret))
        else {
            continue;
        };
        for id in &cluster.named_by {
            closed.insert(id.clone());
            notes.insert(format!("closed, answers 503: ingress {id}: {why}"));
        }
    }
    manifests.notes.extend(notes);
    losses::close(manifests, closed);
    Ok(())
}
