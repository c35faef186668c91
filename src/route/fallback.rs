//! What ingress-nginx tells a custom default backend about the request it takes over.
//!
//! Source: the `custom-default-backend-` headers of `nginx.tmpl`, ingress-nginx dbb11b92d.

use super::Location;
use crate::edit::{self, Edit, Headers};

/// The request headers of a location's fallback. nginx leaves an empty header out, and the
/// downstream's with it.
pub(crate) fn edits(location: &Location, headers: &Headers) -> Vec<Edit> {
    let names = location.names();
    let accept = edit::first(headers, "accept").unwrap_or_default();
    let fields: [(&'static str, &[u8]); 6] = [
        ("x-code", b"503"),
        ("x-format", accept),
        ("x-namespace", names.namespace.as_bytes()),
        ("x-ingress-name", names.ingress.as_bytes()),
        ("x-service-name", names.service.as_bytes()),
        ("x-service-port", names.port.as_bytes()),
    ];
    let edits = fields.into_iter().filter_map(|(name, value)| {
        if !value.is_empty() {
            Some(Edit::Set(name.into(), value.to_vec()))
        } else {
            edit::first(headers, name).map(|_| Edit::Remove(name.into()))
        }
    });
    edits.collect()
}
