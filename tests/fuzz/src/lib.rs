//! What is fuzzed, each as a function of bytes: parsers of what strangers send, and what must
//! hold whatever they send. `tests/attacks/fuzz_seeds.rs` replays `seeds/` with the other tests.

mod exchange;
mod locations;
mod policies;
mod redirects;
mod rendered;
mod ring;
mod sessions;

use exchange::{exchange, facts};
use limpet::discovery::answer::Reading;
use limpet::discovery::listing::Listing;
use limpet::discovery::membership;
use limpet::discovery::news::{Lease, News};
use limpet::edit::{self, Field};
use limpet::endpoints::EndpointTable;
use limpet::policy;
use limpet::route::{self, Disposition};
use limpet::{config, pairs, session_cookie};
use policies::{SITES, one_path};
use regex::bytes::RegexBuilder;

pub use locations::locations;
pub use redirects::redirects;
pub use rendered::rendered;
pub use ring::ring;
pub use sessions::sessions;

/// What takes any bytes, and panics where something does not hold.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: [(&str, Target); 12] = [
    ("configuration", configuration),
    ("cookies", cookies),
    ("head", head),
    ("request", request),
    ("pattern", pattern),
    ("discovery", discovery),
    ("rewrite", rewrite),
    ("sessions", sessions),
    ("ring", ring),
    ("locations", locations),
    ("redirects", redirects),
    ("rendered", rendered),
];

/// A plugin configuration: whatever it says, requests are answered, and sessions are kept.
pub fn configuration(data: &[u8]) {
    let Ok((config, _)) = config::read(data) else {
        return;
    };
    let (policy, _) = policy::compile(&config);
    let endpoints = policies::endpoints(&policy);
    for host in policy.virtual_hosts().take(8) {
        let name = host.name.replacen('*', "one", 1);
        let path = host.locations.first();
        let path = path.map_or("/", |location| &location.path);
        let head = [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", path),
            (":authority", &name),
        ];
        exchange(&policy, &EndpointTable::default(), &edit::fields(&head));
        sessions::check(&policy, &endpoints, &edit::fields(&head), data);
    }
}

/// A line is a Cookie field. Whatever it holds, a session is at an endpoint of the cluster.
pub fn cookies(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n');
    let cookies = lines.map(|line| (&b"cookie"[..], line));
    let sent: [Field; 3] = [
        (b":method", b"GET"),
        (b":path", b"/"),
        (b":authority", b"shop.test"),
    ];
    let head: Vec<Field> = sent.into_iter().chain(cookies).collect();
    let joined = session_cookie::read::joined(&head);
    for key in session_cookie::read::session_keys(&joined, "route").iter() {
        assert!(!key.key.is_empty());
    }
    for site in SITES.iter() {
        exchange(&site.policy, &site.endpoints, &head);
    }
}

/// A header map as a host serialises it.
pub fn head(data: &[u8]) {
    let fields = pairs::decode(data);
    let length: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(length <= data.len());
    let texts: Option<Vec<(&str, &[u8])>> = fields
        .iter()
        .map(|(name, value)| Some((std::str::from_utf8(name).ok()?, *value)))
        .collect();
    if let Some(texts) = texts {
        assert_eq!(pairs::decode(&pairs::encode(texts.into_iter())), fields);
    }
    for site in SITES.iter() {
        exchange(&site.policy, &site.endpoints, &fields);
    }
}

/// Lines: the host, the path, then header fields.
pub fn request(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let host = lines.next().unwrap_or_default();
    let path = lines.next().unwrap_or_default();
    let more = lines.filter_map(|line| {
        let colon = line.iter().skip(1).position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon + 1);
        Some((name, value.strip_prefix(b":").unwrap_or_default()))
    });
    let sent: [Field; 4] = [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", host),
    ];
    let head: Vec<Field> = sent.into_iter().chain(more).collect();
    for site in SITES.iter() {
        exchange(&site.policy, &site.endpoints, &head);
    }
}

/// A path of a regex host, and behind a newline the path of a request. Where the two notations
/// mean the same, the location takes what the untranslated pattern matches.
pub fn pattern(data: &[u8]) {
    let Some((pattern, path)) = two_lines(data) else {
        return;
    };
    let annotations = serde_json::json!({ "use-regex": "true" });
    let is_common = |byte: u8| byte.is_ascii_alphanumeric() || b"/.*+?()|-_".contains(&byte);
    let is_possessive = ["*+", "++", "?+", "(?"];
    let matching = Matching::of(pattern, path, &annotations);
    if !pattern.bytes().all(is_common)
        || is_possessive.iter().any(|text| pattern.contains(text))
        || !is_plain_path(path)
    {
        return;
    }
    let plain = RegexBuilder::new(&format!("^{pattern}"))
        .unicode(false)
        .case_insensitive(true)
        .build();
    if let (Ok(plain), Some(matching)) = (plain, matching) {
        let takes = plain.is_match(path.as_bytes());
        assert_eq!(matching.takes, takes, "{pattern:?} {path:?}");
        assert_eq!(matching.rewritten, None, "nobody asked for it");
    }
}

/// What a path of a regex host does to a request.
pub struct Matching {
    /// It takes it.
    pub takes: bool,
    /// The path that the endpoint gets, where it is another one.
    pub rewritten: Option<Vec<u8>>,
}

impl Matching {
    /// `None`: there is no such location, or it costs too much, or the root that every host has may stand
    /// before it, for it is no longer.
    pub fn of(pattern: &str, path: &str, annotations: &serde_json::Value) -> Option<Self> {
        if pattern.len() < 2 && pattern != "/" {
            return None;
        }
        let policy = one_path(pattern, annotations)?;
        let has_location = policy.virtual_hosts().any(|host| {
            let mut locations = host.locations.iter();
            locations.any(|location| location.path == pattern && !location.is_implicit)
        });
        let head = [
            (":method", "GET"),
            (":path", path),
            (":authority", "shop.test"),
        ];
        let disposition = route::dispose(
            &policy,
            &EndpointTable::default(),
            &edit::fields(&head),
            &facts(b"via_upstream", &|| 7),
        );
        match disposition {
            _ if !has_location => None,
            Disposition::Forward(forward) => Some(Self {
                takes: true,
                rewritten: forward.path,
            }),
            Disposition::NotFound { .. } => Some(Self {
                takes: false,
                rewritten: None,
            }),
            _ => None,
        }
    }
}

/// What Envoy's admin answers, and what VMs share.
pub fn discovery(data: &[u8]) {
    let asked = ["a", "b", "default/web:80"].map(str::to_owned);
    if let Ok(mut reading) = Reading::start(data.to_vec()) {
        while let Ok(false) = reading.step(3) {}
        if let Ok(true) = reading.step(1) {
            for endpoint in reading.finish(&asked).values().flatten() {
                let address = endpoint.address.parse::<std::net::SocketAddr>();
                assert!(address.is_ok(), "{endpoint:?}");
            }
        }
    }
    let _ = membership::marks(&asked, data);
    let _ = (Lease::decode(data), News::decode(data));
    if let Some(listing) = Listing::decode(data) {
        let (written, _) = listing.encode();
        let again = Listing::decode(&written).expect("what is written can be read");
        assert_eq!(again.endpoints(), listing.endpoints());
    }
}

/// Lines: `rewrite-target`, the path of the Ingress, the path of a request.
pub fn rewrite(data: &[u8]) {
    let Some((target, rest)) = two_lines(data) else {
        return;
    };
    let Some((pattern, path)) = rest.split_once('\n') else {
        return;
    };
    let annotations = serde_json::json!({ "nginx.ingress.kubernetes.io/rewrite-target": target });
    if let Some(policy) = one_path(pattern, &annotations) {
        let head = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "shop.test"),
            ("cookie", "a=b; c=\"d\""),
        ];
        exchange(&policy, &EndpointTable::default(), &edit::fields(&head));
    }
}

fn two_lines(data: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(data).ok()?.split_once('\n')
}

/// Whether a path is compared as it came.
pub fn is_plain_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    let is_cleaned = path.contains("//") || path.contains("/.");
    path.starts_with('/') && path.bytes().all(is_plain) && !is_cleaned
}
