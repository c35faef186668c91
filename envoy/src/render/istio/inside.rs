//! Names by which Services are called inside the cluster, and whose Services those are.
//!
//! Source: <https://github.com/kubernetes/dns/blob/master/docs/specification.md>; the search domains of a pod,
//! `NAMESPACE.svc.DOMAIN`, `svc.DOMAIN` and `DOMAIN`.

use std::collections::BTreeSet;

use crate::manifests::Manifests;
use crate::names;

/// What a cluster's domain is where nobody says otherwise.
pub(super) const CLUSTER_DOMAIN: &str = "cluster.local";

/// The namespaces that every cluster has.
const OF_EVERY_CLUSTER: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// What is known of the cluster.
#[derive(Debug)]
pub(super) struct Inside<'m> {
    manifests: &'m Manifests,
    /// What follows the namespace in a name.
    domains: Vec<String>,
    namespaces: BTreeSet<&'m str>,
    /// The namespace of the workloads, where it is known.
    workloads: Option<&'m str>,
}

/// Whose calls a host takes.
#[derive(Debug, PartialEq, Eq)]
enum Whose<'h> {
    /// Those to Services of that namespace.
    Of(&'h str),
    /// The same, as far as the manifests tell a namespace from a domain.
    Perhaps(&'h str),
    Many,
    Address,
}

impl<'m> Inside<'m> {
    /// `workloads`: the namespace of the workloads, where it is known.
    pub(super) fn new(
        manifests: &'m Manifests,
        cluster_domain: &str,
        workloads: Option<&'m str>,
    ) -> Self {
        let domains = ["svc", "pod"].into_iter().flat_map(|kind| {
            [
                format!("{kind}.{cluster_domain}").to_ascii_lowercase(),
                kind.to_owned(),
            ]
        });
        // Of several clusters, whatever each is called.
        let domains = domains.chain(["svc.clusterset.local".to_owned()]);
        let all = manifests.ingresses.iter().chain(&manifests.old_ingresses);
        let all = all
            .chain(manifests.services.iter())
            .chain(&manifests.endpoint_slices)
            .chain(manifests.tls_secrets.iter())
            .chain(manifests.secrets.iter());
        let namespaces = all.map(|one| one.namespace());
        Self {
            manifests,
            domains: domains.collect(),
            namespaces: namespaces
                .chain(OF_EVERY_CLUSTER)
                .chain(workloads)
                .collect(),
            workloads,
        }
    }

    /// How calls inside the cluster that are none to Services of the namespace `own` may be under the name `host`, in
    /// words; `None`: they are not.
    pub(super) fn of_others(&self, host: &str, own: &str) -> Option<String> {
        let host = host.to_ascii_lowercase();
        if !names::is_host(&host) {
            return Some("is no name, and may mean Services of other namespaces".to_owned());
        }
        let verb = if host.starts_with('*') {
            "covers names of Services"
        } else {
            "is the name of a Service"
        };
        match self.whose(&host)? {
            Whose::Of(namespace) | Whose::Perhaps(namespace) if namespace == own => None,
            Whose::Of(namespace) => Some(format!("{verb} of namespace {namespace}")),
            Whose::Perhaps(namespace) => Some(format!(
                "{verb} of namespace {namespace}, for there is such a namespace (a domain of that name is not told from it)"
            )),
            Whose::Many => Some(format!("{verb} of other namespaces")),
            Whose::Address => Some("is an address, which may be a Service's".to_owned()),
        }
    }

    /// Whether a name is that of a Service of the namespace.
    pub(super) fn is_of(&self, host: &str, namespace: &str) -> bool {
        let host = host.to_ascii_lowercase();
        match self.whose(&host) {
            Some(Whose::Of(of) | Whose::Perhaps(of)) => of == namespace,
            _ => false,
        }
    }

    /// `host`: in lower case.
    fn whose<'h>(&'h self, host: &'h str) -> Option<Whose<'h>> {
        let (is_wildcard, name) = match host.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, host),
        };
        for domain in &self.domains {
            let above = domain.strip_suffix(name);
            let is_above = above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            if is_above && is_wildcard {
                return Some(Whose::Many);
            }
            let inside = name.strip_suffix(domain.as_str());
            if let Some(inside) = inside.and_then(|inside| inside.strip_suffix('.')) {
                return Some(Whose::Of(last_of(inside)));
            }
        }
        let last = last_of(name);
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Whose::Address);
        }
        let known = || Some(Whose::Perhaps(last)).filter(|_| self.namespaces.contains(last));
        let labels: Vec<&str> = name.rsplit('.').collect();
        match (labels.as_slice(), is_wildcard) {
            ([_], false) => self.workloads.map(Whose::Of),
            ([_], true) | ([_, _], false) => known(),
            // Of a pod of a headless Service.
            ([_, service, ..], _) => {
                let id = format!("{last}/{service}");
                self.manifests.service(&id).and_then(|_| known())
            }
            ([], _) => None,
        }
    }
}

/// Its last label.
fn last_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}
