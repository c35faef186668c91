//! What is fuzzed, each as a function of bytes: parsers of what strangers send, and what must
//! hold whatever they send. `tests/attacks/fuzz_seeds.rs` replays `seeds/` with the other tests.

mod policies;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet::discovery::answer::Reading;
use limpet::discovery::listing::Listing;
use limpet::discovery::membership;
use limpet::discovery::news::{Lease, News};
use limpet::edit::{self, Edit, Field, Reply};
use limpet::endpoints::EndpointTable;
use limpet::facts::{Facts, Knowledge};
use limpet::limits::Verdict;
use limpet::policy::{self, Policy};
use limpet::route::{self, Disposition};
use limpet::stream::{ResponseHead, Step, Stream};
use limpet::{config, pairs, session_cookie};
use policies::{ENDPOINTS, SITES, one_path};
use regex::bytes::RegexBuilder;

/// What takes any bytes, and panics where something does not hold.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: [(&str, Target); 7] = [
    ("configuration", configuration),
    ("cookies", cookies),
    ("head", head),
    ("request", request),
    ("pattern", pattern),
    ("discovery", discovery),
    ("rewrite", rewrite),
];

/// A plugin configuration: whatever it says, requests are answered.
pub fn configuration(data: &[u8]) {
    let Ok((config, _)) = config::read(data) else {
        return;
    };
    let (policy, _) = policy::compile(&config);
    let hosts = policy.virtual_hosts().take(8);
    let asked = hosts.map(|host| (host.name.clone(), host.locations.first()));
    let asked: Vec<_> = asked
        .map(|(host, location)| (host, location.map_or("/", |location| &location.path)))
        .collect();
    for (host, path) in asked {
        let fields = [(":method", "GET"), (":path", path), (":authority", &host)];
        exchange(&policy, &EndpointTable::default(), &edit::fields(&fields));
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
    for key in session_cookie::read::session_keys(&joined, "route") {
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
    let annotations = serde_json::json!({ "nginx.ingress.kubernetes.io/use-regex": "true" });
    let Some(policy) = one_path(pattern, &annotations) else {
        return;
    };
    let takes = takes(&policy, path);
    let is_common = |byte: u8| byte.is_ascii_alphanumeric() || b"/.*+?()|-_".contains(&byte);
    let is_possessive = ["*+", "++", "?+", "(?"];
    let has_location = policy.virtual_hosts().any(|host| {
        let mut locations = host.locations.iter();
        locations.any(|location| location.path == pattern && !location.is_implicit)
    });
    if !has_location
        || !pattern.bytes().all(is_common)
        || is_possessive.iter().any(|text| pattern.contains(text))
        || !is_plain_path(path)
    {
        return;
    }
    let plain = RegexBuilder::new(&format!("^{pattern}"))
        .unicode(false)
        .case_insensitive(true)
        .build();
    if let Ok(plain) = plain {
        assert_eq!(
            takes,
            plain.is_match(path.as_bytes()),
            "{pattern:?} {path:?}"
        );
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

/// A path that is compared as it came.
fn is_plain_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte);
    path.starts_with('/') && path.bytes().all(is_plain) && !path.contains("//")
}

fn takes(policy: &Policy, path: &str) -> bool {
    let head = [
        (":method", "GET"),
        (":path", path),
        (":authority", "shop.test"),
    ];
    let disposition = route::dispose(
        policy,
        &EndpointTable::default(),
        &edit::fields(&head),
        &facts(b"via_upstream"),
    );
    matches!(disposition, Disposition::Forward(_))
}

fn facts(details: &'static [u8]) -> Facts<'static> {
    let property: &dyn Fn(&[&str]) -> Option<Vec<u8>> = match details {
        b"via_upstream" => &|_| Some(b"via_upstream".to_vec()),
        _ => &|_| None,
    };
    Facts {
        now: &|| 1_700_000_000,
        random: &|| 7,
        property,
        knowledge: &|| Knowledge::Current,
    }
}

/// One request from head to head, answered by an endpoint where it goes to one.
fn exchange(policy: &Policy, endpoints: &EndpointTable, head: &[Field]) {
    for details in [&b"via_upstream"[..], b"local"] {
        let facts = facts(details);
        let mut stream = Stream::default();
        let mut asked = stream.on_request(policy, endpoints, head, &facts);
        if matches!(asked.step, Step::Count(_)) {
            stream.counted(Verdict::Within);
            asked = stream.on_request(policy, endpoints, head, &facts);
        }
        match asked.step {
            Step::Reply(reply) => check_reply(&reply),
            Step::Forward(edits) => edits.iter().for_each(|edit| check_edit(edit, endpoints)),
            Step::Wait | Step::Ask(_) | Step::Count(_) => panic!("everything is known"),
        }
        let served = STANDARD.encode(ENDPOINTS[0]);
        let answered: [Field; 2] = [
            (b"x-limpet-endpoint", served.as_bytes()),
            (b"set-cookie", b"own=1"),
        ];
        let response = ResponseHead {
            header: &|name| edit::first(&answered, name).map(<[u8]>::to_vec),
            headers: &|| &answered,
        };
        let answered = stream.on_response(policy, endpoints, &response, &facts);
        for edit in &answered.edits {
            check_edit(edit, endpoints);
        }
        for record in [asked.telemetry.record, answered.telemetry.record]
            .into_iter()
            .flatten()
        {
            let record = serde_json::from_str::<serde_json::Value>(&record);
            assert!(record.is_ok_and(|record| record.is_object()));
        }
    }
}

fn check_reply(reply: &Reply) {
    assert!((200..600).contains(&reply.status), "{reply:?}");
    for (_, value) in &reply.headers {
        assert!(is_field_value(value), "{reply:?}");
    }
}

/// No edit ends a field early; whoever is asked for is there.
fn check_edit(edit: &Edit, endpoints: &EndpointTable) {
    let (Edit::Set(name, value) | Edit::Add(name, value)) = edit else {
        return;
    };
    assert!(is_field_value(value), "{edit:?}");
    if name == "x-limpet-endpoint" {
        let asked = String::from_utf8(STANDARD.decode(&value[..]).unwrap()).unwrap();
        assert!(ENDPOINTS.contains(&asked.as_str()), "{asked}");
    }
    if name == "x-limpet-cluster" {
        // Its table is there or was never asked for; the name is one of the configuration's.
        let _ = endpoints.get(std::str::from_utf8(value).unwrap());
    }
}

fn is_field_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
