//! The page of `limpet run --page` as whoever sends bytes sees it; `tests/page.rs` has a browser.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

const SHOP: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../envoy/examples/sample-ingress.yaml"
);

/// `limpet run --page /limpet`, killed when dropped.
struct Running {
    limpet: Child,
    address: String,
}

impl Running {
    fn start(extra: &[&str]) -> Self {
        Self::start_with(&[&["--pods"], extra].concat())
    }

    /// With endpoints of the test's own.
    fn start_with(extra: &[&str]) -> Self {
        Self::start_for(SHOP, extra)
    }

    fn start_for(manifests: &str, extra: &[&str]) -> Self {
        let mut limpet = Command::new(env!("CARGO_BIN_EXE_limpet"))
            .args(["run", "-f", manifests, "--listen", "127.0.0.1:0"])
            .args(extra)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(limpet.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let address = said.find_map(|line| {
            let address = line.strip_prefix("listening on http://")?;
            Some(address.to_owned())
        });
        let pages = extra.contains(&"--page");
        if pages {
            let page = said.find(|line| line.starts_with("page on ")).unwrap();
            assert!(page.ends_with("/limpet"), "{page}");
        }
        std::thread::spawn(move || said.for_each(drop));
        Self {
            limpet,
            address: address.unwrap(),
        }
    }

    fn connect(&self, head: &str, body: &str) -> TcpStream {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let end = format!("connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        connection
            .write_all(format!("{head}\r\n{end}").as_bytes())
            .unwrap();
        connection
    }

    /// The whole answer, head and all.
    fn ask(&self, head: &str, body: &str) -> String {
        let mut answer = Vec::new();
        self.connect(head, body).read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.ask(
            &format!("GET {path} HTTP/1.1\r\nhost: {}", self.address),
            "",
        )
    }

    /// What a button sends, with these fields besides.
    fn post(&self, fields: &str, action: &str) -> String {
        let host = &self.address;
        self.ask(
            &format!("POST /limpet/do HTTP/1.1\r\nhost: {host}{fields}"),
            action,
        )
    }

    fn token(&self) -> String {
        let page = self.get("/limpet");
        let (_, rest) = page.split_once("data-token=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good.
        drop(self.limpet.kill());
        drop(self.limpet.wait());
    }
}

#[test]
fn the_page_is_strict_and_whole_and_there_only_where_it_is_asked_for() {
    let running = Running::start(&["--page", "/limpet/"]);
    for (path, kind) in [
        ("/limpet", "text/html"),
        ("/limpet/", "text/html"),
        ("/limpet/page.css", "text/css"),
        ("/limpet/page.js", "text/javascript"),
        ("/limpet/icon.svg", "image/svg+xml"),
        ("/limpet/places", "application/json"),
    ] {
        let answer = running.get(path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        assert!(answer.contains(&format!("content-type: {kind}")), "{path}");
        assert!(
            answer.contains("content-security-policy: default-src 'none';"),
            "{path}"
        );
        assert!(answer.contains("x-content-type-options: nosniff"), "{path}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let elsewhere = body.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !elsewhere.contains("://"),
            "{path} loads something from elsewhere"
        );
        let inline = |word: &str| word.starts_with("on") && word.contains("=\"");
        let inline = body.split_whitespace().any(inline) || body.contains(" style=\"");
        assert!(!inline, "{path} has something inline");
    }
    assert!(running.get("/limpet/other").starts_with("HTTP/1.1 404 "));
    let app = running.get("/app1/");
    assert!(
        app.contains("set-cookie: route=") && app.contains("app1-"),
        "{app}"
    );
    let elsewhere = running.get("/limpets");
    assert!(
        !elsewhere.contains("content-security-policy"),
        "{elsewhere}"
    );

    let without = Running::start(&[]);
    let answer = without.ask("GET /limpet HTTP/1.1\r\nhost: sample.example.com", "");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(!answer.contains("limpet"), "{answer}");
}

#[test]
fn a_host_that_sends_http_to_https_is_shown_as_if_by_https() {
    let certified = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/examples/certified.yaml"
    );
    let running = Running::start_for(certified, &["--pods", "--page", "/limpet"]);
    let here = running.get("/");
    assert!(here.starts_with("HTTP/1.1 200 "), "{here}");
    let (_, cookie) = here.split_once("set-cookie: SHOP=").expect(&here);
    let cookie = cookie.lines().next().unwrap();
    assert!(
        cookie.contains("; Secure") && !cookie.contains("Domain"),
        "{cookie}"
    );
    // Who asks for the host by its name is answered as Envoy would, whatever it claims.
    for claim in [
        "",
        "\r\nlimpet-page-scheme: https",
        "\r\nx-forwarded-proto: https",
    ] {
        let head = format!("GET / HTTP/1.1\r\nhost: shop.example.com{claim}");
        let there = running.ask(&head, "");
        assert!(there.starts_with("HTTP/1.1 308 "), "{claim}: {there}");
    }
    let as_page =
        "GET / HTTP/1.1\r\nhost: shop.example.com\r\nlimpet-page: 1\r\nlimpet-page-scheme: https";
    let there = running.ask(as_page, "");
    assert!(there.starts_with("HTTP/1.1 200 "), "{there}");
    assert!(there.contains("Domain=shop.example.com"), "{there}");
    assert!(running.get("/limpet/places").contains("\"https\":true"));
}

// A name of somebody else that leads to this machine would make their site the page's origin.
#[test]
fn under_a_strangers_name_there_is_no_page_and_nobody_else_presses_its_buttons() {
    let running = Running::start(&["--page", "/limpet"]);
    let stranger = running.ask("GET /limpet HTTP/1.1\r\nhost: evil.example", "");
    assert!(stranger.starts_with("HTTP/1.1 404 "), "{stranger}");

    let token = running.token();
    let stop = "{\"do\":\"stop\",\"pod\":0}";
    let own = format!("\r\norigin: http://{}", running.address);
    let with_token = format!("\r\nlimpet-page-token: {token}");
    for fields in [
        String::new(),
        own.clone(),
        with_token.clone(),
        format!("\r\norigin: http://evil.example{with_token}"),
        format!("{own}\r\nlimpet-page-token: {}", "0".repeat(32)),
        format!("{own}{with_token}\r\nsec-fetch-site: cross-site"),
    ] {
        let answer = running.post(&fields, stop);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{fields:?}: {answer}");
    }
    assert!(running.get("/limpet/do").starts_with("HTTP/1.1 405 "));

    let own = format!("{own}{with_token}");
    let stopped = running.post(&own, stop);
    assert!(stopped.starts_with("HTTP/1.1 200 "), "{stopped}");
    assert!(stopped.contains("http-app-1 stopped"), "{stopped}");
    let again = running.post(&own, stop);
    assert!(again.starts_with("HTTP/1.1 409 "), "{again}");
    for (action, status) in [
        ("{\"do\":\"stop\",\"pod\":99}", 409),
        ("{\"do\":\"add\",\"deployment\":\"none\"}", 409),
        ("{\"do\":\"dance\"}", 400),
        ("not json", 400),
    ] {
        let answer = running.post(&own, action);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{action}: {answer}"
        );
    }
    let long = "x".repeat(100 * 1024);
    assert!(running.post(&own, &long).starts_with("HTTP/1.1 413 "));

    // The one pod that is left answers all.
    for _ in 0..4 {
        assert!(running.get("/app1/").contains("app1-2"));
    }
}

#[test]
fn the_stream_tells_each_request_and_no_secret_of_it() {
    let running = Running::start(&["--page", "/limpet"]);
    let head = format!("GET /limpet/events HTTP/1.1\r\nhost: {}", running.address);
    let mut events = BufReader::new(running.connect(&head, ""))
        .lines()
        .map_while(Result::ok);
    events.find(|line| line == "event: state").unwrap();
    let answer = running.get("/app1/?token=secret");
    let (_, cookie) = answer.split_once("set-cookie: route=").unwrap();
    let value: String = cookie.chars().take(40).collect();
    events.find(|line| line == "event: request").unwrap();
    let told = events.next().unwrap();
    assert!(
        told.contains("\"path\":\"/app1/\"") && told.contains("a new session cookie names"),
        "{told}"
    );
    assert!(!told.contains(&value) && !told.contains("secret"), "{told}");
}

#[test]
fn a_request_is_explained_with_the_cookie_that_comes_along() {
    let running = Running::start(&["--page", "/limpet"]);
    let answer = running.get("/app1/");
    let (_, cookie) = answer.split_once("set-cookie: ").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let own = format!(
        "\r\norigin: http://{}\r\nlimpet-page-token: {}\r\ncookie: {cookie}",
        running.address,
        running.token()
    );
    let ask = |cookie: &str| {
        let action = format!(
            "{{\"do\":\"explain\",\"host\":\"sample.example.com\",\"path\":\"/app1/\",\"cookie\":{cookie}}}"
        );
        running.post(&own, &action)
    };
    let own_cookie = ask("null");
    assert!(
        own_cookie.contains("the session cookie names 127."),
        "{own_cookie}"
    );
    let none = ask("\"\"");
    assert!(none.contains("no usable session cookie"), "{none}");
    let (_, value) = none.split_once("route=").unwrap();
    assert!(value.contains("characters)"), "a whole cookie: {none}");
    let hostile = ask("\"route=a\\r\\nx: y\"");
    assert!(hostile.starts_with("HTTP/1.1 200 "), "{hostile}");
}

#[test]
fn bytes_pass_both_ways_after_a_switch_of_protocols() {
    let pod = TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = format!("default/http-service:8080={}", pod.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut connection, _) = pod.accept().unwrap();
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let lines = reader.by_ref().lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        assert!(
            head.iter()
                .any(|line| line.eq_ignore_ascii_case("upgrade: websocket")),
            "{head:?}"
        );
        let switched = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello ";
        connection.write_all(switched.as_bytes()).unwrap();
        let mut bytes = [0; 5];
        reader.read_exact(&mut bytes).unwrap();
        connection.write_all(&bytes).unwrap();
    });
    let running = Running::start_with(&["--page", "/limpet", "--endpoints", &flag]);
    let mut connection = TcpStream::connect(&running.address).unwrap();
    let asked = format!(
        "GET /app1/ HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        running.address
    );
    connection.write_all(asked.as_bytes()).unwrap();
    connection.write_all(b"world").unwrap();
    let limit = Some(std::time::Duration::from_secs(20));
    connection.set_read_timeout(limit).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\nhello world"),
        "{answer}"
    );
}

#[test]
fn the_page_is_served_to_this_machine_alone() {
    let out = Command::new(env!("CARGO_BIN_EXE_limpet"))
        .args(["run", "-f", SHOP, "--pods", "--page", "/limpet"])
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(
        said.contains("the page is for this machine alone"),
        "{said}"
    );
}
