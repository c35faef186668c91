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
/// `strip_headers` calls them. What one Ingress alone had written is taken off its requests alone:
/// `Authorization` may be what others live by.
pub(super) fn headers(losses: &[Finding]) -> Vec<String> {
    let of = |loss: &Finding| {
        let value = loss.value.as_deref().unwrap_or_default();
        match (loss.field.as_str(), &loss.ingress) {
            ("auth-response-headers", Some(ingress)) => {
                let names = listed(value);
                names.map(|name| format!("{ingress}/{name}")).collect()
            }
            ("global-auth-response-headers", _) => listed(value).collect(),
            (name, _) if name.starts_with("auth-tls-") => vec![CERTIFICATE.to_owned()],
            _ => Vec::new(),
        }
    };
    losses.iter().flat_map(of).collect()
}

fn listed(value: &str) -> impl Iterator<Item = String> + '_ {
    let names = value.split(',').map(str::trim);
    names
        .filter(|name| is_header(name))
        .map(str::to_ascii_lowercase)
}

/// Whether it may be the name of a header; ingress-nginx takes no other one.
///
/// Source: `ValidHeader`, `internal/ingress/annotations/authreq/main.go`, ingress-nginx dbb11b92d.
fn is_header(name: &str) -> bool {
    let is_of_one = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(is_of_one)
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
