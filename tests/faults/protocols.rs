//! WebSocket.

use super::{HOST, PERSISTENT, Shop};
use limpet_tests::browser::Browser;
use limpet_tests::http::{Connection, Request, Response};
use limpet_tests::rendered::Setup;
use std::net::SocketAddr;

fn upgrade(cookie: Option<&str>) -> Request {
    let request = Request::get(HOST, "/socket")
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
    let envoy = shop.open(4, &Setup::default());
    for _ in 0..5 {
        let mut browser = Browser::new(envoy.http(), HOST);
        let home = browser.get("/socket?poll=1").unwrap().endpoint();
        assert_eq!(browser.get("/socket?poll=2").unwrap().endpoint(), home);
        let cookie = format!("INGRESSCOOKIE={}", browser.cookie("INGRESSCOOKIE").unwrap());
        let answer = talk(envoy.http(), &upgrade(Some(&cookie)));
        assert_eq!(answer.header("x-pod"), home);
        assert!(answer.all("set-cookie").is_empty());
    }
}

#[test]
fn the_101_of_a_first_request_starts_a_session() {
    let shop = Shop::new(4, PERSISTENT);
    let envoy = shop.open(4, &Setup::default());
    let answer = talk(envoy.http(), &upgrade(None));
    let cookie = answer
        .header("set-cookie")
        .expect("a session cookie on the 101");
    let pair = cookie.split(';').next().unwrap();
    let again = talk(envoy.http(), &upgrade(Some(pair)));
    assert_eq!(again.header("x-pod"), answer.header("x-pod"));
}
