//! `proxy-connect-timeout` and `proxy-read-timeout`, which Ingresses say of their locations and
//! Envoy has per cluster.

use crate::clusters::Cluster;
use crate::compiled::Compiled;
use crate::manifests::Manifests;
use crate::taken::TakenIngress;

/// nginx's words for how long a connection may take to come about, and its default.
pub(crate) const CONNECT: Timeout = Timeout {
    name: "proxy-connect-timeout",
    default: 5,
};

/// For how long a pod may be silent.
pub(crate) const READ: Timeout = Timeout {
    name: "proxy-read-timeout",
    default: 60,
};

/// More than anybody waits, in seconds: a year.
const LONGEST: u64 = 31_536_000;

/// A setting of ingress-nginx's ConfigMap that is an annotation too, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeout {
    name: &'static str,
    default: u64,
}

impl Timeout {
    /// What holds where no Ingress says otherwise.
    pub(crate) fn of_all(self, manifests: &Manifests) -> u64 {
        let given = manifests.setting(self.name);
        // Nothing is no number but 0 to it, and `20s` is none.
        let read = |value: &str| match value {
            "" => Some(0),
            digits => digits.parse().ok(),
        };
        let given = given.and_then(read);
        given.unwrap_or(self.default).min(LONGEST)
    }

    /// What the Ingresses say that name `cluster`: where they differ the longest, for a request
    /// that is cut off costs more than one that waits.
    pub(crate) fn of(
        self,
        compiled: &Compiled<'_>,
        cluster: &Cluster,
        notes: &mut Vec<String>,
    ) -> u64 {
        let all = self.of_all(compiled.manifests);
        let naming = cluster.named_by.iter();
        let naming = naming.filter_map(|id| compiled.ingress(id));
        // A cluster of Envoy needs some time.
        let said = naming.map(|ingress| self.annotated(ingress).unwrap_or(all).max(1));
        let (Some(least), Some(most)) = (said.clone().min(), said.max()) else {
            return all.max(1);
        };
        if least != most {
            notes.push(format!(
                "{}: Ingresses name {} with {} of {least} and {most} seconds, and a cluster of \
                 Envoy has one: {most} is rendered",
                cluster.place,
                cluster.service_port.key(),
                self.name
            ));
        }
        most
    }

    /// What an Ingress says; `None`: nothing that ingress-nginx reads.
    pub(crate) fn annotated(self, ingress: &TakenIngress<'_>) -> Option<u64> {
        let value = ingress.annotation(self.name)?;
        Some(value.parse::<u64>().ok()?.min(LONGEST))
    }
}
