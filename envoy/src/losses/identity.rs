//! Headers that say who a client is: whoever lost what wrote them must not believe them.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Finding;
use crate::inert;

/// What ingress-nginx writes of a client's certificate.
///
/// Source: the `ssl-client-*` lines of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx
/// dbb11b92d.
const CERTIFICATE: &str = "ssl-client-*";

/// The request headers that ingress-nginx wrote itself and that a client could now send, as
/// `strip_headers` calls them.
pub(super) fn headers(losses: &[Finding]) -> Vec<String> {
    let mut losses = losses.iter();
    let is_lost = losses.any(|loss| loss.field.starts_with("auth-tls-"));
    is_lost
        .then(|| CERTIFICATE.to_owned())
        .into_iter()
        .collect()
}

/// A line for a ConfigMap of headers that is not among the manifests: clients may send these now.
pub(super) fn unknown(losses: &[Finding]) -> Option<String> {
    let mut losses = losses.iter();
    let loss = losses.find(|loss| loss.field == "proxy-set-headers")?;
    Some(format!(
        "NOT taken off clients' requests, the ConfigMap {} is not among the manifests: what headers \
         proxy-set-headers wrote; give it with -f, or name them in strip_headers (--config)",
        inert::line(loss.value.as_deref().unwrap_or_default())
    ))
}

/// One line for each of those whose headers they are.
pub(super) fn lines(headers: &BTreeSet<String>) -> Vec<String> {
    let mut of: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for header in headers {
        let (ingress, name) = match header.rsplit_once('/') {
            Some((ingress, name)) => (Some(ingress), name),
            None => (None, header.as_str()),
        };
        of.entry(ingress).or_default().push(name);
    }
    let line = |(ingress, names): (Option<&str>, Vec<&str>)| {
        let names = names.join(", ");
        match ingress {
            Some(ingress) => format!("taken off every request to ingress {ingress}: {names}"),
            None => format!("taken off every client's request: {names}"),
        }
    };
    of.into_iter().map(line).collect()
}
