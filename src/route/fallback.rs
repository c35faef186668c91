//! What ingress-nginx tells a custom default backend about the request it takes over.
//!
//! Source: the `custom-default-backend-` headers of `nginx.tmpl`, ingress-nginx dbb11b92d.

use super::Location;
use crate::cluster::ClusterId;
use crate::edit::{self, Edit, FieldValue, Headers};
use crate::endpoints::EndpointTable;
use crate::policy::Policy;
use std::borrow::Cow;

/// The request headers of a location's fallback. nginx leaves an empty header out, and the
/// downstream's with it.
pub(crate) fn edits<'p>(location: &'p Location, headers: &Headers) -> Vec<Edit<'p>> {
    let names = location.names();
    let (namespace, ingress) = names.of_ingress();
    let accept = edit::first(headers, "accept").unwrap_or_default();
    let text = |text: &'p str| Cow::Borrowed(text.as_bytes());
    let fields = [
        ("x-code", text("503")),
        ("x-format", Cow::Owned(accept.to_vec())),
        ("x-namespace", text(namespace)),
        ("x-ingress-name", text(ingress)),
        ("x-service-name", text(names.service)),
        ("x-service-port", text(names.port)),
    ];
    let edits = fields.into_iter().filter_map(|(name, value)| {
        if !value.is_empty() {
            Some(Edit::Set(name.into(), FieldValue::new(value)))
        } else {
            edit::first(headers, name).map(|_| Edit::Remove(name.into()))
        }
    });
    edits.collect()
}

/// Whether a cluster is known to have no endpoint.
pub(super) fn is_empty(policy: &Policy, endpoints: &EndpointTable, cluster: ClusterId) -> bool {
    let cluster = policy.cluster(cluster);
    let table = cluster.and_then(|cluster| endpoints.get(&cluster.envoy_name));
    table.is_some_and(|table| table.endpoints().is_empty())
}
