//! What strangers do to an edge, to a real Envoy with what `limpet render envoy` writes: slow
//! heads, silent bodies, too many connections, floods of headers, streams opened and reset. Others are served
//! meanwhile.

use crate::faults::{HOST, PERSISTENT, Shop};
use limpet_tests::browser::Browser;
use limpet_tests::http::{self, Connection, Request};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::wait;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const MANAGER: &str = "/filter_chains/0/filters/0/typed_config";

/// All limits so small that a test reaches them; what is rendered has them, see the tests of
/// `render::envoy`, but for the stream's idle time, which is Envoy's own: five minutes.
fn tight(value: &mut Value) {
    let limit =
        "/overload_manager/resource_monitors/0/typed_config/max_active_downstream_connections";
    if let Some(connections) = value.pointer_mut(limit) {
        assert_eq!(*connections, 50_000);
        *connections = 20.into();
    }
    for manager in managers(value) {
        assert_eq!(manager["request_headers_timeout"], "60s");
        manager["request_headers_timeout"] = "0.5s".into();
        assert!(manager["stream_idle_timeout"].is_null());
        manager["stream_idle_timeout"] = "2s".into();
    }
}

/// The connection managers of the listeners, in the file of which they are.
fn managers(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    let listeners = value
        .pointer_mut("/resources")
        .and_then(Value::as_array_mut);
    let listeners = listeners.into_iter().flatten();
    listeners.filter_map(|listener| listener.pointer_mut(MANAGER))
}

fn edge(shop: &Shop) -> Rendered {
    let setup = Setup {
        edit: tight,
        ..Setup::default()
    };
    shop.open(2, &setup)
}

fn served(envoy: &Rendered) {
    let answer = http::send(envoy.http(), &Request::get(HOST, "/")).unwrap();
    assert_eq!(answer.status, 200);
}

/// A connection, and how it ends.
struct Stranger(TcpStream);

impl Stranger {
    fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).unwrap();
        Self(stream)
    }

    /// What comes until Envoy closes; an error is a reset.
    fn end(mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let _ = self.0.read_to_end(&mut all);
        all
    }
}

#[test]
fn a_head_that_comes_too_slowly_is_not_waited_for() {
    let shop = Shop::new(2, PERSISTENT);
    let envoy = edge(&shop);
    let slow: Vec<_> = (0..10)
        .map(|_| {
            let mut slow = Stranger::open(envoy.http());
            slow.0
                .write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-")
                .unwrap();
            slow
        })
        .collect();
    served(&envoy);
    let began = Instant::now();
    for slow in slow {
        let said = String::from_utf8_lossy(&slow.end()).into_owned();
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 408"),
            "{said}"
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    served(&envoy);
}

#[test]
fn a_body_that_stays_silent_is_not_waited_for() {
    let shop = Shop::new(2, PERSISTENT);
    let envoy = edge(&shop);
    let head = b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1000\r\n\r\nfirst";
    let silent: Vec<_> = (0..10)
        .map(|_| {
            let mut silent = Stranger::open(envoy.http());
            silent.0.write_all(head).unwrap();
            silent
        })
        .collect();
    served(&envoy);
    let began = Instant::now();
    for silent in silent {
        let said = String::from_utf8_lossy(&silent.end()).into_owned();
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    }
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    served(&envoy);
}

#[test]
fn connections_beyond_the_limit_are_closed_and_the_others_go_on() {
    let shop = Shop::new(2, PERSISTENT);
    let envoy = edge(&shop);
    let mut browser = Connection::open(envoy.http()).unwrap();
    assert_eq!(browser.send(&Request::get(HOST, "/")).unwrap().status, 200);
    let idle: Vec<_> = (0..100).map(|_| Stranger::open(envoy.http())).collect();
    let refused = || idle.iter().filter(|one| is_closed(&one.0)).count() >= 80;
    wait::until("Envoy closes those beyond the limit", refused);
    for _ in 0..10 {
        assert_eq!(browser.send(&Request::get(HOST, "/")).unwrap().status, 200);
    }
    drop(idle);
    wait::until("new ones are taken again", || {
        http::send(envoy.http(), &Request::get(HOST, "/")).is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn ten_thousand_idle_connections_cost_others_nothing_and_are_ended() {
    const IDLE: u64 = 10_000;
    // Envoy inherits it.
    let files = rlimit::increase_nofile_limit(2 * IDLE).unwrap();
    assert!(files > IDLE + 1000, "ulimit -Hn: {files} files are too few");
    let setup = Setup {
        edit: |value| {
            for manager in managers(value) {
                let idle = &mut manager["common_http_protocol_options"]["idle_timeout"];
                assert_eq!(*idle, "75s");
                *idle = "5s".into();
            }
        },
        ..Setup::default()
    };
    let shop = Shop::new(2, PERSISTENT);
    let envoy = shop.open(2, &setup);
    let open = || envoy.envoy.stat("http.ingress_http.downstream_cx_active");
    let strangers: Vec<_> = (0..IDLE).map(|_| Stranger::open(envoy.http())).collect();
    wait::until("Envoy has them all, or has ended the first", || {
        envoy.envoy.stat("http.ingress_http.downstream_cx_total") >= IDLE
    });
    let at_once = open();
    println!("{at_once} at once");
    assert!(at_once > IDLE / 2, "{at_once}");
    for _ in 0..10 {
        served(&envoy);
    }
    wait::until("they are ended", || open() == 0);
    assert!(strangers.iter().all(|one| is_closed(&one.0)));
    served(&envoy);
}

/// Whether the other side has closed, without waiting.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    match peeked {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[test]
fn many_headers_are_served_and_a_flood_is_refused() {
    let shop = Shop::new(2, PERSISTENT);
    let envoy = shop.share();
    let with = |fields: usize, size: usize| {
        let value = "v".repeat(size);
        let request = Request::get(HOST, "/");
        let request = (0..fields).fold(request, |request, n| {
            request.header(format!("x-{n}"), &value)
        });
        http::send(envoy.http(), &request)
    };
    // nginx counts bytes, not fields.
    assert_eq!(with(300, 10).unwrap().status, 200);
    // Envoy may close before all of it is sent; no pod sees anything of it.
    let seen = || shop.pods.iter().map(Pod::requests).sum::<u64>();
    let before = seen();
    let flood = with(40, 4000);
    assert!(
        flood.as_ref().map_or(true, |answer| answer.status == 431),
        "{flood:?}"
    );
    assert_eq!(seen(), before);
    served(&envoy);
}

/// Frames of HTTP/2, by hand.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// `GET / http` of [`HOST`], and the further fields.
pub(crate) fn head(further: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).ok().filter(|&length| length < 127);
        [&[length.unwrap()], text.as_bytes()].concat()
    };
    // Of the static table: `:method: GET`, `:scheme: http`, `:path: /`, then `:authority`.
    let mut block = [&[0x82, 0x86, 0x84, 0x01], &text(HOST)[..]].concat();
    for (name, value) in further {
        block.push(0);
        block.extend([text(name), text(value)].concat());
    }
    block
}

/// What a client of HTTP/2 begins with.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The flags of a head that is a whole request.
pub(crate) const END_STREAM_AND_HEADERS: u8 = 5;

#[test]
fn a_cookie_in_a_hundred_and_fifty_crumbs_sticks() {
    let shop = Shop::new(4, PERSISTENT);
    let envoy = shop.share();
    let mut browser = Browser::new(envoy.http(), HOST);
    let home = browser.get("/").unwrap().endpoint().unwrap();
    let session = format!("INGRESSCOOKIE={}", browser.cookie("INGRESSCOOKIE").unwrap());
    let crumbs: Vec<String> = (0..150).map(|n| format!("c{n}=1")).collect();
    let cookies = crumbs.iter().chain([&session]);
    let cookies: Vec<_> = cookies.map(|crumb| ("cookie", crumb.as_str())).collect();
    for _ in 0..4 {
        let mut client = Stranger::open(envoy.http());
        client.0.write_all(PREFACE).unwrap();
        client
            .0
            .write_all(&frame(1, END_STREAM_AND_HEADERS, 1, &head(&cookies)))
            .unwrap();
        // The echo of a pod is text, and says which cookies came.
        let mut seen = Vec::new();
        let whole = wait::for_some(Duration::from_secs(20), || {
            let mut more = [0; 16 * 1024];
            let read = client.0.read(&mut more).ok().filter(|&read| read > 0);
            seen.extend_from_slice(&more[..read.unwrap_or(0)]);
            let text = String::from_utf8_lossy(&seen).into_owned();
            text.contains("c149=1").then_some(text)
        });
        assert!(whole.unwrap().contains(&home));
    }
}

#[test]
fn streams_that_are_opened_and_reset_end_their_connection_alone() {
    let shop = Shop::new(2, PERSISTENT);
    let envoy = edge(&shop);
    let mut browser = Connection::open(envoy.http()).unwrap();
    let mut attacker = Stranger::open(envoy.http());
    attacker.0.write_all(PREFACE).unwrap();
    let count = "http.ingress_http.downstream_rq_too_many_premature_resets";
    let mut stream = 1;
    let began = Instant::now();
    while envoy.envoy.find_stat(count).unwrap_or(0) == 0 {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{stream} streams"
        );
        let mut burst = Vec::new();
        for _ in 0..100 {
            burst.extend(frame(1, END_STREAM_AND_HEADERS, stream, &head(&[])));
            burst.extend(frame(3, 0, stream, &8u32.to_be_bytes()));
            stream += 2;
        }
        let _ = attacker.0.write_all(&burst); // Envoy may have closed
        assert_eq!(browser.send(&Request::get(HOST, "/")).unwrap().status, 200);
    }
    println!("ended after {} streams", stream / 2);
    assert_eq!(browser.send(&Request::get(HOST, "/")).unwrap().status, 200);
}
