//! What a request costs in memory taken and given back: counted, and held.

use limpet::edit;
use limpet::endpoints::ring::{POINTS, Ring};
use limpet::endpoints::ring_build::RingBuild;
use limpet::endpoints::{ClusterTable, Endpoint, EndpointTable, Health};
use limpet::facts::Facts;
use limpet::policy::{self, Policy};
use limpet::stream::{ResponseHead, Step, Stream};
use limpet::{config, pairs};
use limpet_tests::target::FACTS;
use serde_json::json;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

/// The system's allocator, which counts for each thread.
struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    /// Bytes taken and not given back.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count() {
    TAKEN.with(|taken| taken.set(taken.get() + 1));
}

fn hold(more: usize, less: usize) {
    HELD.with(|held| held.set(held.get() + more as isize - less as isize));
}

#[allow(
    unsafe_code,
    reason = "an allocator is unsafe by its nature: this one only counts"
)]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        hold(0, layout.size());
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        hold(size, layout.size());
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The first Ingress of all, a rewrite and sessions by a digest; one without annotations; one
/// with a certificate, which redirects.
fn policy() -> Policy {
    let path = |path: &&str| {
        let service = json!({ "name": "http-service", "port": { "number": 8080 } });
        json!({ "path": path, "pathType": "Prefix", "backend": { "service": service } })
    };
    let ingress = |host: &str, paths: &[&str], annotations, tls| {
        let paths: Vec<_> = paths.iter().map(path).collect();
        json!({
            "kind": "Ingress",
            "metadata": { "name": host, "annotations": annotations },
            "spec": { "tls": tls, "rules": [{ "host": host, "http": { "paths": paths } }] },
        })
    };
    let sticky = json!({
        "nginx.ingress.kubernetes.io/rewrite-target": "/$1",
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/session-cookie-name": "route",
        "nginx.ingress.kubernetes.io/session-cookie-hash": "sha1",
        "nginx.ingress.kubernetes.io/session-cookie-path": "/",
    });
    let tls = json!([{ "hosts": ["secure.test"] }]);
    let config = json!({ "ingresses": [
        ingress("sticky.test", &["/(app1/.*)", "/(app2/.*)"], sticky, json!(null)),
        ingress("plain.test", &["/", "/docs"], json!({}), json!(null)),
        ingress("secure.test", &["/"], json!({}), tls),
    ]});
    let (config, _) = config::read(config.to_string().as_bytes()).unwrap();
    policy::compile(&config).0
}

fn endpoints(policy: &Policy) -> EndpointTable {
    let endpoint = |last| Endpoint {
        address: format!("10.0.0.{last}:80").into(),
        health: Health::Healthy,
    };
    let mut table = EndpointTable::default();
    for cluster in &policy.clusters {
        let pods = (1..4).map(endpoint).collect();
        table.insert(
            cluster.envoy_name.clone(),
            ClusterTable::build(cluster.index(), pods),
        );
    }
    table
}

/// A head as a browser sends it and a host hands it over.
fn head(authority: &str, path: &str, cookie: Option<&str>) -> Vec<u8> {
    let mut fields = vec![
        (":authority", authority),
        (":path", path),
        (":method", "GET"),
        (":scheme", "http"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("accept", "text/html,application/xhtml+xml"),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "2f1e2b6c-58cd-4f7e-8a2c-8d3a1e2c7f10"),
    ];
    fields.extend(cookie.map(|cookie| ("cookie", cookie)));
    pairs::encode(fields.iter().map(|(name, value)| (*name, value.as_bytes())))
}

/// One request and its response, as the shell takes them through. Says what the response's head
/// gets, if there is a response.
fn exchange(
    policy: &Policy,
    endpoints: &EndpointTable,
    head: &[u8],
    elsewhere: Option<&str>,
) -> Option<usize> {
    let facts = Facts {
        property: &|_| Some(b"via_upstream".to_vec()),
        ..FACTS
    };
    let mut stream = Stream::default();
    let request = pairs::decode(head);
    match stream.on_request(policy, endpoints, &request, &facts).step {
        Step::Forward(edits) => drop(black_box(edits)),
        Step::Reply(reply) => {
            black_box(reply);
            return None;
        }
        Step::Wait | Step::Ask(_) => panic!("nothing here waits"),
    }
    let served = elsewhere.unwrap_or_default().as_bytes();
    let answered = [(&b"x-limpet-endpoint"[..], served)];
    let answered = if served.is_empty() {
        &[]
    } else {
        &answered[..]
    };
    let response = ResponseHead {
        header: &|name| edit::first(answered, name).map(<[u8]>::to_vec),
        headers: &|| answered,
        elsewhere: None,
    };
    let decided = stream.on_response(policy, endpoints, &response, &facts);
    Some(black_box(decided.edits).len())
}

#[test]
fn a_request_takes_little_memory() {
    let policy = policy();
    let endpoints = endpoints(&policy);
    // SHA-1 of 10.0.0.2:80; 10.0.0.3:80 in Base64.
    let cookie = "theme=dark; route=378e2e195663c4b07574685922263dfec1c06e71; lang=en";
    let third = Some("MTAuMC4wLjM6ODA=");
    // The response of a pinned request has no header of the session filter's, and gets none.
    for (name, host, path, cookie, served, edits, most) in [
        (
            "pinned",
            "sticky.test",
            "/app1/x?q=1",
            Some(cookie),
            None,
            Some(0),
            5,
        ),
        (
            "new",
            "sticky.test",
            "/app1/x?q=1",
            None,
            third,
            Some(2),
            10,
        ),
        ("plain", "plain.test", "/docs/x", None, None, Some(0), 3),
        ("nobody's", "other.test", "/x", None, None, Some(1), 2),
        ("redirected", "secure.test", "/x", None, None, None, 4),
    ] {
        let head = head(host, path, cookie);
        // The first of a kind fills the caches of regular expressions.
        let _ = exchange(&policy, &endpoints, &head, served);
        let before = TAKEN.get();
        let done = exchange(&policy, &endpoints, &head, served);
        let taken = TAKEN.get() - before;
        println!("{name}: {taken} allocations");
        assert_eq!(done, edits, "{name}");
        assert!(
            taken <= most,
            "{name}: {taken} allocations, at most {most} were expected"
        );
    }
}

/// The ring of so many endpoints: a new one, or what becomes of one by adding and removing.
fn ring(endpoints: u32, previous: Option<Arc<Ring>>) -> Ring {
    let node = |owner: u32| (format!("10.0.{}.{}:80", owner / 250, owner % 250), owner);
    let added = match &previous {
        None => (0..endpoints).map(node).collect(),
        Some(_) => vec![node(endpoints)],
    };
    // The first one goes, the others move up.
    let renumbered = match &previous {
        None => Vec::new(),
        Some(_) => (0..endpoints).map(|owner| owner.checked_sub(1)).collect(),
    };
    RingBuild::start(previous.unwrap_or_default(), renumbered, added).finish()
}

#[test]
fn a_ring_takes_eight_bytes_a_point() {
    for endpoints in [1, 3, 500, 5_000] {
        let before = HELD.get();
        let new = ring(endpoints, None);
        let held = HELD.get() - before;
        let points = endpoints as usize * POINTS;
        assert_eq!(new.len(), points);
        assert!(
            held as usize <= 8 * points,
            "{held} bytes for {points} points"
        );

        let new = Arc::new(new);
        let before = HELD.get();
        let changed = ring(endpoints, Some(Arc::clone(&new)));
        let held = HELD.get() - before;
        assert_eq!(changed.len(), points);
        assert!(held as usize <= 8 * points, "{held} bytes after a change");
    }
}
