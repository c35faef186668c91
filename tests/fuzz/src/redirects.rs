//! Where browsers go by redirects, as a URL parser of theirs says.

use super::exchange::facts;
use super::policies::one_path;
use limpet::edit::{self, Field};
use limpet::endpoints::EndpointTable;
use limpet::policy::Policy;
use limpet::route::{self, Disposition};
use serde_json::json;
use url::Url;

const HOST: &str = "shop.test";

/// Lines: how it redirects (the first letter) and the text that says where to, the target of a request,
/// its Referer, which stands for every header that a link decides.
pub fn redirects(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (text, target, referer) = (line(), line(), line());
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let Some((kind, text)) = text.split_at_checked(1) else {
        return;
    };
    let annotation = match kind {
        "p" => "permanent-redirect",
        "t" => "temporal-redirect",
        "a" => "app-root",
        _ => "rewrite-target",
    };
    let annotations = json!({ annotation: text, "use-regex": "true" });
    let Some(policy) = one_path("/(a|b/([^/]*)/)?(.*)", &annotations) else {
        return;
    };
    for scheme in ["http", "https"] {
        let Some(location) = location(&policy, scheme, target, referer) else {
            continue;
        };
        // What the text says where a link says nothing.
        let meant =
            self::location(&policy, scheme, b"/", b"").and_then(|to| destination(&to, scheme));
        let Some(to) = destination(&location, scheme) else {
            continue;
        };
        let location = String::from_utf8_lossy(&location);
        let is_web = matches!(to.scheme(), "http" | "https");
        let is_meant = meant
            .as_ref()
            .is_some_and(|meant| meant.scheme() == to.scheme());
        assert!(is_web || is_meant, "{text:?} leads to {to}: {location}");
        let (Some(host), true) = (to.host_str(), is_web) else {
            continue;
        };
        let meant = meant.as_ref().and_then(Url::host_str);
        // nginx decodes a text: it may write the domain otherwise.
        let is_in_it = meant.is_some_and(|meant| meant == host || meant.ends_with(domain(host)));
        assert!(
            host == HOST || is_in_it || is_named(host, text),
            "{text:?} leads to {to}: {location}"
        );
    }
}

/// Whether `text` names the domain of `host`.
fn is_named(host: &str, text: &str) -> bool {
    text.to_lowercase().contains(domain(host))
}

/// Its last two labels, with the dot before them.
fn domain(host: &str) -> &str {
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    dots.nth(1).map_or(host, |at| &host[at..])
}

fn destination(location: &[u8], scheme: &str) -> Option<Url> {
    let asked = Url::parse(&format!("{scheme}://{HOST}/")).unwrap();
    let location = String::from_utf8_lossy(location);
    // A header's value has no white space at its ends.
    asked.join(location.trim_matches([' ', '\t'])).ok()
}

fn location(policy: &Policy, scheme: &str, target: &[u8], referer: &[u8]) -> Option<Vec<u8>> {
    let head: [Field; 6] = [
        (b":method", b"GET"),
        (b":scheme", scheme.as_bytes()),
        (b":authority", HOST.as_bytes()),
        (b":path", target),
        (b"referer", referer),
        (b"cookie", referer),
    ];
    let facts = facts(b"via_upstream", &|| 7);
    let disposition = route::dispose(policy, &EndpointTable::default(), &head, &facts);
    let Disposition::Reply { reply, .. } = disposition else {
        return None;
    };
    let fields = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), &**value));
    let fields: Vec<Field> = fields.collect();
    edit::first(&fields, "location").map(<[u8]>::to_vec)
}
