//! WebSocket, HTTP/2, gRPC, TLS.

use super::{HOST, PERSISTENT, Shop, front, host};
use limpet_envoy::manifests::Manifests;
use limpet_tests::browser::Browser;
use limpet_tests::crowd::{Crowd, Moves};
use limpet_tests::grpc::{Call, GrpcPod};
use limpet_tests::http::{Connection, Request, Response, send};
use limpet_tests::pod::{Manner, Script};
use limpet_tests::rendered::{Rendered, Setup, edit_plugin};
use limpet_tests::tls;
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Asks `host` for a WebSocket.
pub(super) fn upgrade(host: &str, cookie: Option<&str>) -> Request {
    let request = Request::get(host, "/socket")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    match cookie {
        Some(cookie) => request.header("Cookie", cookie),
        None => request,
    }
}

/// Opens a socket, sends four bytes through it and gets them back.
fn talk(to: SocketAddr, request: &Request) -> Response {
    let mut connection = Connection::open(to).unwrap();
    let answer = connection.send(request).unwrap();
    assert_eq!(answer.status, 101);
    connection.send_bytes(b"ping").unwrap();
    assert_eq!(connection.read_bytes(4).unwrap(), b"ping");
    answer
}

#[test]
fn a_web_socket_lands_where_the_polling_requests_did() {
    let shop = Shop::new(4, PERSISTENT);
    let envoy = shop.share();
    for _ in 0..5 {
        let mut browser = Browser::new(envoy.http(), HOST);
        let home = browser.get("/socket?poll=1").unwrap().endpoint();
        assert_eq!(browser.get("/socket?poll=2").unwrap().endpoint(), home);
        let cookie = format!("INGRESSCOOKIE={}", browser.cookie("INGRESSCOOKIE").unwrap());
        let answer = talk(envoy.http(), &upgrade(HOST, Some(&cookie)));
        assert_eq!(answer.header("x-pod"), home);
        assert!(answer.all("set-cookie").is_empty());
    }
}

#[test]
fn the_101_of_a_first_request_starts_a_session() {
    let shop = Shop::new(4, PERSISTENT);
    let envoy = shop.share();
    let answer = talk(envoy.http(), &upgrade(HOST, None));
    let cookie = answer
        .header("set-cookie")
        .expect("a session cookie on the 101");
    let pair = cookie.split(';').next().unwrap();
    let again = talk(envoy.http(), &upgrade(HOST, Some(pair)));
    assert_eq!(again.header("x-pod"), answer.header("x-pod"));
}

// Envoy's own limits are 100 fields, and 80 KiB.
#[test]
fn an_answer_with_a_head_that_large_buffers_held_is_passed_on_with_its_session() {
    let mut shop = Shop::new(1, PERSISTENT);
    let field = |n: usize| (format!("x-field-{n}"), "v".repeat(1_000));
    for pod in &mut shop.pods {
        pod.behave(Script {
            headers: (0..200).map(field).collect(),
            ..Script::default()
        });
    }
    let envoy = shop.share();
    let answer = send(envoy.http(), &Request::get(HOST, "/")).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.all("x-field-199"), ["v".repeat(1_000)]);
    assert_eq!(answer.all("set-cookie").len(), 1);
}

fn requests_over_http_2(envoy: &Rendered) -> u64 {
    let prefix = envoy.name("ingress_http");
    let count = format!("http.{prefix}.downstream_rq_http2_total");
    envoy.envoy.stat(&count)
}

#[test]
fn sessions_are_kept_over_http_2() {
    const CLIENTS: usize = 20;
    let shop = Shop::new(4, PERSISTENT);
    let envoy = shop.share();
    let front = front::http2_to(envoy.http(), false);
    let mut crowd = Crowd::new(CLIENTS, front.listener("front"), HOST, "/");
    let first = crowd.reload();
    assert_eq!((first.cookies, first.lost), (CLIENTS, 0));
    let stayed = Moves {
        stayed: CLIENTS,
        ..Moves::default()
    };
    for _ in 0..3 {
        assert_eq!(crowd.reload(), stayed);
    }
    let http2 = requests_over_http_2(&envoy);
    assert!(http2 >= crowd.requests as u64, "{http2} over HTTP/2");
    // The same cookies over HTTP/1.1.
    crowd.move_to(envoy.http());
    assert_eq!(crowd.reload(), stayed);
}

/// Ends a call: the trailers came through.
fn ends_well(call: Call) {
    let trailers = call.end().expect("trailers");
    assert_eq!(trailers.get("grpc-status").unwrap(), "0");
}

#[test]
fn grpc_calls_keep_their_session_their_messages_and_their_trailers() {
    const CALLS: u64 = 8;
    let mut annotations = PERSISTENT.to_vec();
    annotations.push(("backend-protocol", "GRPC"));
    let shop = Shop::new(0, &annotations);
    let pods: Vec<_> = (0..4).map(|_| GrpcPod::start()).collect();
    let addresses: Vec<_> = pods.iter().map(GrpcPod::endpoint).collect();
    let flag = format!("default/web:80={}", addresses.join(","));
    let envoy = Rendered::share(&shop.manifests, &[flag.parse().unwrap()], |_| {});
    let at = envoy.http();

    let mut first = Call::start(at, HOST, &[]);
    let home = first.field("x-pod").expect("a pod");
    let cookie = first.field("set-cookie").expect("a session cookie");
    let cookie = cookie.split(';').next().map(|pair| ("cookie", pair));
    assert_eq!(first.say(b"unary"), b"unary");
    ends_well(first);
    for number in 1..CALLS {
        let mut call = Call::start(at, HOST, cookie.as_slice());
        assert_eq!(call.field("x-pod").as_ref(), Some(&home), "call {number}");
        assert_eq!(call.field("set-cookie"), None);
        assert_eq!(call.field("x-limpet-endpoint"), None);
        // Each is back before the next one is said.
        for message in ["one", "two", "three"] {
            assert_eq!(call.say(message.as_bytes()), message.as_bytes());
        }
        ends_well(call);
    }
    assert_eq!(requests_over_http_2(&envoy), CALLS);
    // In the names of statistics Envoy writes a colon as an underscore.
    let cluster = envoy.name(super::CLUSTER).replace(':', "_");
    let upstream = envoy
        .envoy
        .stat(&format!("cluster.{cluster}.upstream_cx_http2_total"));
    assert!(upstream > 0, "to the pods over HTTP/2");

    // Of no pod: told in the head, as gRPC wants it, and no session begins or ends by it.
    envoy.set_endpoints(super::CLUSTER, &[]);
    for cookie in [None, cookie] {
        let call = Call::start(at, HOST, cookie.as_slice());
        assert_eq!(call.field("grpc-status").as_deref(), Some("14"));
        assert_eq!(call.field("set-cookie"), None);
        assert_eq!(call.field("x-limpet-endpoint"), None);
    }
}

#[test]
fn a_refused_grpc_call_is_no_success() {
    let denied = [PERSISTENT, &[("denylist-source-range", "127.0.0.0/8")]].concat();
    let small = [PERSISTENT, &[("proxy-body-size", "10")]].concat();
    let shop = Shop::several(1, &[&denied, &small]);
    let envoy = shop.share();
    for (kind, fields, status) in [(0, &[][..], "7"), (1, &[("content-length", "1000")], "2")] {
        let call = Call::start(envoy.http(), &host(kind), fields);
        assert_eq!(call.field("grpc-status").as_deref(), Some(status), "{kind}");
        assert_eq!(
            call.field("content-type").as_deref(),
            Some("application/grpc")
        );
        assert_eq!(call.head.status, 200);
        assert_eq!(call.field("x-pod"), None);
    }
}

#[test]
fn a_read_timeout_of_an_ingress_holds_for_its_pods_alone() {
    let patient = [PERSISTENT, &[("proxy-read-timeout", "3600")]].concat();
    let hasty = [PERSISTENT, &[("proxy-read-timeout", "1")]].concat();
    let shop = Shop::several(1, &[&patient, &hasty]);
    let script = |manner| Script {
        manner,
        ..Script::default()
    };
    shop.pods[0].behave(script(Manner::Hold));
    let envoy = shop.share();
    // Not tried again: a POST has reached a pod by then.
    let post = |host: &str| {
        let request = Request::get(host, "/").method("POST");
        request.header("Content-Length", "0")
    };
    let mut waiting = Connection::open(envoy.http()).unwrap();
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| waiting.send(&post(HOST)).unwrap());
        let start = Instant::now();
        let cut = send(envoy.http(), &post(&host(1))).unwrap();
        assert_eq!((cut.status, cut.all("set-cookie").len()), (504, 0));
        // A timer of Envoy counts from when its loop last woke.
        assert!(start.elapsed() >= Duration::from_millis(900));
        let before = shop.pods[0].requests();
        let get = Request::get(&host(1), "/");
        assert_eq!(send(envoy.http(), &get).unwrap().status, 504);
        assert_eq!(shop.pods[0].requests() - before, 3, "tries");
        assert!(
            start.elapsed() >= Duration::from_millis(3_600),
            "a second each"
        );
        shop.pods[0].behave(script(Manner::Answer));
        let answered = patient.join().unwrap();
        assert_eq!(
            (answered.status, answered.all("set-cookie").len()),
            (200, 1)
        );
    });
}

#[test]
fn a_way_that_no_route_knows_answers_503_and_reaches_no_pod() {
    let shop = Shop::new(1, &[("proxy-read-timeout", "7")]);
    let setup = Setup {
        edit: |value| {
            edit_plugin(value, |config| {
                let all = config["policies"].as_object_mut().unwrap();
                for way in all.values_mut() {
                    assert_eq!(*way, "read=7s");
                    *way = "read=8s".into();
                }
            });
        },
        ..Setup::default()
    };
    let envoy = shop.open(1, &setup);
    let answer = send(envoy.http(), &Request::get(HOST, "/")).unwrap();
    assert_eq!((answer.status, shop.pods[0].requests()), (503, 0));
}

/// The shop with a certificate, and plain http answered too.
fn shop_with_tls() -> Shop {
    let mut annotations = PERSISTENT.to_vec();
    annotations.push(("ssl-redirect", "false"));
    let mut shop = Shop::new(3, &annotations);
    let mut ingress = shop.manifests.ingresses[0].value.clone();
    ingress["spec"]["tls"] = json!([{ "hosts": [HOST], "secretName": tls::SECRET }]);
    let text = format!("{ingress}\n---\n{}\n", tls::secret());
    shop.manifests = Manifests::parse("shop.yaml", &text).unwrap();
    shop
}

#[test]
fn a_session_that_starts_over_tls_has_a_secure_cookie_and_one_that_does_not_has_none() {
    let shop = shop_with_tls();
    let setup = Setup {
        workers: 2,
        edit: |value| {
            // One of the two listeners' plugins.
            let mut is_first = true;
            edit_plugin(value, |config| {
                if std::mem::take(&mut is_first) {
                    config["report"] = "summary".into();
                }
            });
        },
        ..Setup::default()
    };
    let envoy = shop.open(3, &setup);
    let front = front::http2_to(envoy.https(), true);
    for (proxy, secure) in [(front.listener("front"), Some("")), (envoy.http(), None)] {
        let mut browser = Browser::new(proxy, HOST);
        let home = browser.get("/").unwrap().endpoint();
        assert!(home.is_some());
        assert_eq!(browser.jar.cookies.len(), 1);
        assert_eq!(browser.jar.cookies[0].attribute("secure"), secure);
        for _ in 0..5 {
            assert_eq!(browser.get("/").unwrap().endpoint(), home);
        }
        assert_eq!(browser.jar.received, 1);
    }
    let log = envoy.envoy.log();
    let told: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once(" configuration "))
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(_, line)| line.split(':').next())
        .collect();
    assert_eq!(
        told.len(),
        2,
        "one line for each listener's configuration: {told:?}"
    );
    assert_ne!(told[0], told[1]);
}
