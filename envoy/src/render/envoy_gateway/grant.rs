//! What of other namespaces the Gateway may read and lead to: what the Ingresses name, and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::args::EnvoyGatewayArgs;
use crate::render::resource::{Kind, Resource};

/// What a ReferenceGrant names at most.
const MOST_GRANTED: usize = 16;

/// One kind of reference.
pub(super) struct Grant {
    /// What its resources are called.
    pub(super) name: &'static str,
    /// The kind of Gateway API that refers.
    pub(super) from: &'static str,
    /// The core kind that is referred to.
    pub(super) to: &'static str,
    pub(super) comment: &'static str,
}

impl Grant {
    /// For `objects`, by namespace and name; those beside the Gateway need none.
    pub(super) fn resources<'o>(
        &self,
        args: &EnvoyGatewayArgs,
        objects: impl Iterator<Item = (&'o str, &'o str)>,
    ) -> Vec<Resource> {
        let mut elsewhere: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (namespace, name) in objects.filter(|(namespace, _)| *namespace != args.namespace) {
            elsewhere.entry(namespace).or_default().insert(name);
        }
        let mut all = Vec::new();
        for (namespace, names) in elsewhere {
            let names: Vec<&str> = names.into_iter().collect();
            let parts = names.chunks(MOST_GRANTED).enumerate();
            all.extend(parts.map(|(n, names)| self.part(args, namespace, n, names)));
        }
        all
    }

    /// `n`: which of the grants of that namespace.
    fn part(&self, args: &EnvoyGatewayArgs, namespace: &str, n: usize, names: &[&str]) -> Resource {
        let Self { name, from, to, .. } = self;
        let name = match n {
            0 => (*name).to_owned(),
            _ => format!("{name}-{n}"),
        };
        let object = |name: &&str| json!({ "group": "", "kind": to, "name": name });
        let objects: Vec<Value> = names.iter().map(object).collect();
        let spec = json!({
            "from": [{
                "group": "gateway.networking.k8s.io",
                "kind": from,
                "namespace": args.namespace,
            }],
            "to": objects,
        });
        Resource::new(
            Kind {
                // Envoy Gateway knows v1 from 1.8 on.
                api_version: "gateway.networking.k8s.io/v1beta1",
                name: "ReferenceGrant",
            },
            namespace,
            &name,
            spec,
        )
        .comment(self.comment)
    }
}
