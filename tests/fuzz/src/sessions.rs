//! Session cookies as they are written, beside as they are read.

use super::exchange::{Chance, Served, serve};
use super::policies::{self, ENDPOINTS, one_path};
use limpet::edit::{self, Field};
use limpet::endpoints::{EndpointTable, crc32};
use limpet::policy::Policy;

/// Lines: the path of a request, then annotations about the cookie, each with its value.
pub fn sessions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.lines();
    let path = lines.next().unwrap_or_default();
    let mut annotations = serde_json::Map::new();
    annotations.insert("affinity".to_owned(), "cookie".into());
    let more = lines.filter_map(|line| line.split_once(' '));
    annotations.extend(more.map(|(name, value)| (name.to_owned(), value.into())));
    let Some(policy) = one_path("/", &annotations.into()) else {
        return;
    };
    let head = [
        (":method", "GET"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "shop.test"),
        ("user-agent", "Mozilla/5.0"),
    ];
    let endpoints = policies::endpoints(&policy);
    check(&policy, &endpoints, &edit::fields(&head), data);
}

/// A client that comes back with the cookie that it got comes back to the endpoint that gave it, and
/// keeps the cookie; `head` is its request without cookies, and `data` decides what is left to chance.
pub(crate) fn check(policy: &Policy, endpoints: &EndpointTable, head: &[Field], data: &[u8]) {
    let drawn = crc32::checksum(data);
    let chance = Chance {
        endpoint: ENDPOINTS[drawn as usize % ENDPOINTS.len()],
        random: u64::from(drawn).wrapping_mul(0x9E37_79B9_7F4A_7C15),
    };
    let Some(first) = serve(policy, endpoints, head, chance) else {
        return;
    };
    let written = ours(&first);
    let [cookie] = &written[..] else {
        assert!(written.is_empty(), "{written:?}");
        return;
    };
    let mut clusters = policy.clusters.iter();
    let asked = clusters.find(|cluster| cluster.envoy_name.as_bytes() == first.cluster);
    let affinity = asked.and_then(|cluster| cluster.affinity.as_ref());
    let Some(affinity) = affinity else {
        // Of such a name the header has an escaped one.
        let mut names = policy.clusters.iter().map(|one| &one.envoy_name);
        let is_escaped = names.any(|name| name.contains(char::is_control));
        assert!(is_escaped, "{first:?} is of no cluster with sessions");
        return;
    };
    let name = affinity.cookie_name();
    if !is_token(name) {
        return;
    }
    let value = value(cookie, name);
    for sent in [
        format!("{name}={value}; limpet-fuzz=1"),
        format!("limpet-fuzz=1; {name}={value}"),
    ] {
        let cookie: Field = (b"cookie", sent.as_bytes());
        let head: Vec<Field> = head.iter().copied().chain([cookie]).collect();
        let again = serve(policy, endpoints, &head, chance);
        let again = again.unwrap_or_else(|| panic!("{sent}: answered otherwise than {first:?}"));
        assert_eq!(again.cluster, first.cluster, "{sent}");
        assert_eq!(again.pin.as_deref(), Some(chance.endpoint), "{sent}");
        let kept = ours(&again);
        assert!(kept.is_empty() || affinity.refreshes(), "{sent}: {kept:?}");
    }
}

/// The session cookies of an answer; the endpoint's own is not among them.
fn ours(served: &Served) -> Vec<&Vec<u8>> {
    let all = served.cookies.iter();
    all.filter(|cookie| !cookie.starts_with(b"own=")).collect()
}

/// A name that browsers keep as it stands.
fn is_token(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// The value of a cookie as a browser keeps it.
fn value<'c>(cookie: &'c [u8], name: &str) -> &'c str {
    let text = std::str::from_utf8(cookie).expect("cookies are text");
    let value = text
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='));
    let value = value
        .expect("its name")
        .split(';')
        .next()
        .unwrap_or_default();
    let is_value = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    assert!(!value.is_empty() && value.bytes().all(is_value), "{text}");
    value
}
