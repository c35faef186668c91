//! The proxy over real sockets.

use crate::support::Fixture;
use crate::upstream;
use host_harness::proxy::{AccessRecord, Proxy, ProxyConfig};
use host_harness::{Cluster, Endpoint};
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A proxy in front of `endpoints`, with two workers, and what it has logged.
fn start(fixture: Fixture, endpoints: &[SocketAddr]) -> (Proxy, Arc<Mutex<Vec<AccessRecord>>>) {
    start_with(fixture, endpoints, |_| {})
}

/// The same with another configuration.
fn start_with(
    fixture: Fixture,
    endpoints: &[SocketAddr],
    change: impl FnOnce(&mut ProxyConfig),
) -> (Proxy, Arc<Mutex<Vec<AccessRecord>>>) {
    let endpoints = endpoints.iter().copied().map(Endpoint::healthy).collect();
    fixture
        .environment
        .clusters
        .set("a", Cluster::new(endpoints));
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = ProxyConfig::new(anywhere, fixture.config);
    config.workers = 2;
    config.admin = Some(anywhere);
    let records = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&records);
    config.access_log = Some(Arc::new(move |record: &AccessRecord| {
        log.lock().unwrap().push(record.clone());
    }));
    change(&mut config);
    (Proxy::start(config, &fixture.environment).unwrap(), records)
}

struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    /// The connection is closed, and nothing was said. Silence until the limit is no end.
    fn is_turned_away(&mut self) {
        let mut rest = Vec::new();
        let end = self
            .reader
            .read_to_end(&mut rest)
            .map_err(|error| error.kind());
        assert!(rest.is_empty(), "{rest:?}");
        assert!(
            matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)),
            "{end:?}"
        );
    }

    fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// The next response: head and body.
    fn receive(&mut self) -> (String, Vec<u8>) {
        let head = upstream::head(&mut self.reader).unwrap();
        let head: String = head.into_iter().map(char::from).collect();
        let length = head.split("content-length: ").nth(1).map_or(0, |rest| {
            rest.split("\r\n").next().unwrap().parse().unwrap()
        });
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).unwrap();
        (head, body)
    }

    fn ask(&mut self, bytes: &[u8]) -> (String, Vec<u8>) {
        self.send(bytes);
        self.receive()
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn requests_pass_the_filter_and_connections_are_kept() {
    let (proxy, records) = start(Fixture::guest("edit_request"), &[upstream::start()]);
    let mut client = Client::connect(proxy.local_addr());
    for number in 0..20 {
        let request = format!("GET /{number} HTTP/1.1\r\nHost: h\r\nX-Set: old\r\n\r\n");
        let (head, body) = client.ask(request.as_bytes());
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("\r\nx-seen: yes\r\n"), "{head}");
        assert!(head.contains("\r\nx-bytes: é\r\n"), "{head}");
        assert!(contains(&body, b"\r\nx-set: new\r\n"));
        assert!(contains(&body, b"host: h\r\n"));
    }
    drop(client);
    proxy.shutdown(Duration::from_secs(5));
    let records = records.lock().unwrap();
    assert_eq!(records.len(), 20);
    let last = &records[19];
    assert_eq!((last.path.as_str(), last.summary.status), ("/19", 200));
    assert_eq!(last.summary.cluster.as_deref(), Some("a"));
}

// As Envoy with `ipv4_compat`.
#[test]
fn whoever_comes_by_ipv4_to_a_socket_of_ipv6_is_of_ipv4() {
    let (proxy, records) = start_with(Fixture::plain(), &[upstream::start()], |config| {
        config.listen = "[::]:0".parse().unwrap();
    });
    let port = proxy.local_addr().port();
    for to in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let mut client = Client::connect(to.parse().unwrap());
        client.ask(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    proxy.shutdown(Duration::from_secs(5));
    let records = records.lock().unwrap();
    let clients: Vec<String> = records
        .iter()
        .map(|it| it.source.ip().to_string())
        .collect();
    assert_eq!(clients, ["127.0.0.1", "::1"]);
}

#[test]
fn targets_pass_byte_by_byte() {
    let (proxy, _) = start(Fixture::plain(), &[upstream::start()]);
    let mut client = Client::connect(proxy.local_addr());
    for target in [
        b"/\xFF\x80?\xC3\xA9".as_slice(),
        b"/a//b/../%2f;x<>`{}|\\^[]",
        b"/plain",
        "/é".as_bytes(),
    ] {
        let request = [
            b"GET ",
            target,
            b" HTTP/1.1\r\nHost: h\r\nX-Raw: \xFF\r\n\r\n",
        ]
        .concat();
        let (head, body) = client.ask(&request);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let line = [b"GET ", target, b" HTTP/1.1\r\n"].concat();
        assert!(body.starts_with(&line), "{}", body.escape_ascii());
        assert!(contains(&body, b"x-raw: \xFF\r\n"));
    }
    let (head, body) = client.ask(b"GET http://other/x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200") && contains(&body, b"host: other\r\n"));
    let (head, _) = client.ask(b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}

#[test]
fn a_request_without_a_host_is_refused() {
    let (proxy, _) = start(Fixture::plain(), &[upstream::start()]);
    for request in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        let (head, _) = Client::connect(proxy.local_addr()).ask(request.as_bytes());
        assert!(head.contains(" 400 "), "{head}");
    }
    let (head, _) = Client::connect(proxy.local_addr()).ask(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    assert!(head.contains(" 200 "), "{head}");
}

#[test]
fn bodies_pass_and_odd_targets_after_them() {
    let (proxy, _) = start(Fixture::plain(), &[upstream::start()]);
    let mut client = Client::connect(proxy.local_addr());
    for size in [1, 100_000] {
        let sent = vec![b'x'; size];
        let head = format!("POST /\u{e9} HTTP/1.1\r\nHost: h\r\ncontent-length: {size}\r\n\r\n");
        let (head, body) = client.ask(&[head.as_bytes(), &sent].concat());
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(body.ends_with(&sent));
        assert!(body.starts_with("POST /é ".as_bytes()));
    }
}

#[test]
fn an_upgrade_joins_both_sides() {
    let (proxy, _) = start(Fixture::guest("edit_request"), &[upstream::start()]);
    let mut client = Client::connect(proxy.local_addr());
    let upgrade = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    let (head, _) = client.ask(upgrade);
    assert!(
        head.starts_with("HTTP/1.1 101") && head.contains("x-seen: yes"),
        "{head}"
    );
    client.send(b"there and back");
    let mut back = [0; 14];
    client.reader.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"there and back");
}

#[test]
fn a_websocket_whose_client_takes_nothing_is_not_kept() {
    let (proxy, _) = start_with(Fixture::plain(), &[upstream::start()], |config| {
        config.idle_timeout = Duration::from_millis(300);
    });
    let mut client = Client::connect(proxy.local_addr());
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    let stream = client.reader.get_mut();
    let limit = Some(Duration::from_secs(20));
    stream.set_write_timeout(limit).unwrap();
    let piece = vec![b'a'; 1 << 20];
    let ended = (0..1000).find_map(|_| stream.write_all(&piece).err());
    let kind = ended.expect("all of it was taken").kind();
    assert!(
        matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{kind}"
    );
}

#[test]
fn no_other_upgrade_is_passed_on() {
    let (proxy, _) = start(Fixture::plain(), &[upstream::start()]);
    let ask = |what: &str| {
        let head =
            format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: {what}\r\n\r\n");
        Client::connect(proxy.local_addr()).ask(head.as_bytes()).0
    };
    assert!(ask("tls/1.0").starts_with("HTTP/1.1 403"));
    assert!(ask("h2c").starts_with("HTTP/1.1 200"), "not a wish");
}

#[test]
fn a_body_that_stops_ends_its_request() {
    let (proxy, _) = start_with(Fixture::plain(), &[upstream::start()], |config| {
        config.idle_timeout = Duration::from_millis(300);
    });
    let mut client = Client::connect(proxy.local_addr());
    let (head, _) = client.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
}

#[test]
fn a_client_that_reads_nothing_is_not_waited_for() {
    const LENGTH: usize = 16 << 20;
    let (proxy, records) = start_with(Fixture::plain(), &[upstream::start()], |config| {
        config.idle_timeout = Duration::from_millis(300);
    });
    let mut client = Client::connect(proxy.local_addr());
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n");
    client.send(head.as_bytes());
    client.send(&vec![b'a'; LENGTH]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while records.lock().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "it is still waited for");
        std::thread::yield_now();
    }
    let mut taken = Vec::new();
    let _ = client.reader.read_to_end(&mut taken); // what was under way
    assert!(taken.len() < LENGTH, "{}", taken.len());
}

#[test]
fn a_client_of_http_2_that_says_nothing_is_not_waited_for() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    // With SETTINGS_INITIAL_WINDOW_SIZE 0: it takes no byte of a body.
    const NO_WINDOW: &[u8] =
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    // `GET / http` of the host `h`, in HPACK's words; the second one never ends its head.
    let head = |flags: u8| {
        [
            &b"\0\0\x06\x01"[..],
            &[flags],
            b"\0\0\0\x01\x82\x86\x84\x41\x01h",
        ]
        .concat()
    };
    let (proxy, _) = start_with(Fixture::plain(), &[upstream::start()], |config| {
        (config.workers, config.connections_per_worker) = (1, 1);
        config.idle_timeout = Duration::from_millis(300);
    });
    for (preface, said) in [
        (PREFACE, Vec::new()),
        (PREFACE, head(0x5)),
        (PREFACE, head(0x1)),
        (NO_WINDOW, head(0x5)),
    ] {
        let mut silent = Client::connect(proxy.local_addr());
        let all = [preface, &said].concat();
        silent.reader.get_mut().write_all(&all).unwrap();
        let mut rest = Vec::new();
        silent.reader.read_to_end(&mut rest).unwrap();
        // `:status: 200`, in HPACK's words.
        let is_answered = rest.contains(&0x88);
        assert_eq!(is_answered, said == head(0x5), "{rest:x?}");
    }
}

#[test]
fn more_connections_than_a_worker_may_have_are_closed() {
    let (proxy, _) = start_with(Fixture::plain(), &[upstream::start()], |config| {
        (config.workers, config.connections_per_worker) = (1, 2);
    });
    let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut kept: Vec<_> = (0..2)
        .map(|_| Client::connect(proxy.local_addr()))
        .collect();
    for client in &mut kept {
        assert!(client.ask(get).0.starts_with("HTTP/1.1 200"));
    }
    let mut further = Client::connect(proxy.local_addr());
    let _ = further.reader.get_mut().write_all(get); // it may be closed already
    further.is_turned_away();
    assert!(kept[0].ask(get).0.starts_with("HTTP/1.1 200"));
}

#[test]
fn websockets_count_among_the_connections_that_a_worker_has() {
    let (proxy, _) = start_with(Fixture::plain(), &[upstream::start()], |config| {
        (config.workers, config.connections_per_worker) = (1, 2);
    });
    let upgrade = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(proxy.local_addr());
        client.send(upgrade);
        let mut head = [0; 12];
        client.reader.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
        kept.push(client);
    }
    Client::connect(proxy.local_addr()).is_turned_away();
}

#[test]
fn an_endpoint_that_refuses_is_503_and_its_neighbour_serves_on_a_retry() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let ask = |address| {
        let (head, _) = Client::connect(address).ask(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        head
    };
    let (proxy, records) = start(Fixture::plain(), &[gone]);
    let head = ask(proxy.local_addr());
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    proxy.shutdown(Duration::from_secs(5));
    let summary = records.lock().unwrap()[0].summary.clone();
    assert_eq!(summary.flags, 0x20);
    assert!(summary.details.unwrap().contains("Connection_refused"));

    let mut fixture = Fixture::plain();
    let retry = &mut fixture.config.routes[0].retry;
    retry.retries = 1;
    retry.on_connect_failure = true;
    retry.previous_hosts = true;
    let (proxy, _) = start(fixture, &[gone, upstream::start()]);
    for _ in 0..4 {
        assert!(ask(proxy.local_addr()).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn a_held_request_goes_on_when_timers_and_calls_say_so() {
    let (proxy, _) = start(Fixture::guest("wait"), &[upstream::start()]);
    let mut client = Client::connect(proxy.local_addr());
    // The guest lets go whichever request it holds when its one call is answered; a request
    // that comes later would wait for good, so either is a pass, silence within a tick not.
    client
        .reader
        .get_ref()
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let _ = upstream::head(&mut client.reader);
    let admin =
        Client::connect(proxy.admin_addr().unwrap()).ask(b"GET /ready HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(admin.1, b"LIVE\n");
}
