//! Bytes 0x80 to 0xff in a path, a cookie and a user agent go through, on both hosts.
//!
//! Over HTTP/2 on Envoy: its HTTP/1.1 parser answers such a target with 400 before any filter
//! (`tests/envoy_behaviour/http1.yaml`).

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::latin1;
use limpet_tests::pod::Pod;
use limpet_tests::rendered::Rendered;
use limpet_tests::target::{Asked, Harness, Target};
use limpet_tests::wait::PATIENCE;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

const HOST: &str = "sample.example.com";
const SERVICE: &str = "default/http-service:8080";

/// Every byte from 0x80 to 0xff.
fn high() -> Vec<u8> {
    (0x80..=0xff).collect()
}

fn manifests() -> Manifests {
    let text = include_str!("../../envoy/examples/sample-ingress.yaml");
    Manifests::parse("sample-ingress.yaml", text).unwrap()
}

fn endpoint(address: &str) -> EndpointsFlag {
    format!("{SERVICE}={address}").parse().unwrap()
}

#[test]
fn bytes_above_0x7f_go_through_in_the_harness() {
    let harness = Harness::start(&manifests(), &[endpoint("10.0.0.1:80")], false);
    let high = latin1(&high());
    let cookie = format!("a={high}");
    let answer = harness
        .ask(&Asked {
            headers: vec![
                ("cookie".to_owned(), cookie.clone()),
                ("user-agent".to_owned(), high.clone()),
            ],
            ..Asked::get("http", HOST, &format!("/app1/{high}"))
        })
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cookie"), Some(cookie));
    assert_eq!(answer.header("user-agent"), Some(high));
    assert_eq!(answer.target, Some(escaped()));
}

#[test]
fn bytes_above_0x7f_go_through_on_envoy_over_http_2() {
    let pod = Pod::start();
    let flag = endpoint(&pod.endpoint());
    let envoy = Rendered::share(&manifests(), &[flag], |_| {});
    let high = high();
    let path = [b"/app1/", &high[..]].concat();
    let cookie = [b"a=", &high[..]].concat();
    let fields: [(&str, &[u8]); 6] = [
        (":method", b"GET"),
        (":scheme", b"http"),
        (":authority", HOST.as_bytes()),
        (":path", &path),
        ("cookie", &cookie),
        ("user-agent", &high),
    ];
    let block = head_of_answer(envoy.http(), &fields).unwrap();
    assert_eq!(block.first(), Some(&STATUS_200), "{block:x?}");
    let seen = pod.last().unwrap();
    assert_eq!(seen.path, escaped());
    assert_eq!(seen.all("cookie"), [latin1(&cookie)]);
    assert_eq!(seen.all("user-agent"), [latin1(&high)]);
}

/// A rewritten path has them percent-encoded, as nginx does.
fn escaped() -> String {
    let high: String = high().iter().map(|byte| format!("%{byte:02X}")).collect();
    format!("/app1/{high}")
}

/// `:status: 200` as HPACK writes it.
const STATUS_200: u8 = 0x88;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Sends one request and gives the HPACK block of its answer's head. Written by hand, since
/// HTTP libraries refuse such requests.
fn head_of_answer(to: SocketAddr, fields: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0); // a literal with a new name, not indexed
        for text in [name.as_bytes(), value] {
            length(text.len(), &mut block);
            block.extend_from_slice(text);
        }
    }
    let end_of_headers_and_stream = 0x4 | 0x1;
    stream.write_all(&frame(HEADERS, end_of_headers_and_stream, 1, &block))?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, ..] = head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        match kind {
            HEADERS => return Ok(payload),
            RST_STREAM | GOAWAY => return Err(io::Error::other(format!("refused: {payload:x?}"))),
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A length in a prefix of seven bits (RFC 7541, 5.1), plain text.
fn length(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short) if short < 0x7f => out.push(short),
        _ => {
            out.push(0x7f);
            let mut rest = length - 0x7f;
            while rest >= 0x80 {
                out.push(u8::try_from(rest % 0x80).unwrap() | 0x80);
                rest /= 0x80;
            }
            out.push(u8::try_from(rest).unwrap());
        }
    }
}
