//! A recorded request, ready to be sent, and what servers were told to do with it.

use crate::http::{Connection, Request, Response, bytes};
use crate::pod::{Manner, Script};
use crate::recordings::{list, text};
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Who sends it.
///
/// # Panics
/// It is no address.
#[must_use]
pub fn client(request: &Value) -> IpAddr {
    request["client"].as_str().unwrap().parse().unwrap()
}

/// Sends it from there to `place`, and reads the answer.
///
/// # Errors
/// There is none.
///
/// # Panics
/// It is no recorded request.
pub fn send(request: &Value, from: IpAddr, place: SocketAddr) -> io::Result<Response> {
    let mut connection = Connection::open_from(from, place)?;
    if let Some(line) = text(&request["proxy_protocol"]) {
        connection.send_bytes(&bytes(&line))?;
    }
    // Whoever refuses a body does not read it.
    let sent = sent(request);
    drop(connection.send_bytes(&sent.write()));
    // Of an answer that breaks off its head is compared.
    let is_cut = request["expect"]["truncated"] == true;
    connection.read_response(is_cut || sent.method == b"HEAD")
}

/// The statuses that pods give in turn.
pub(super) fn turns(upstream: &Value) -> Arc<Mutex<VecDeque<u16>>> {
    let statuses = list(&upstream["status"]).iter();
    let statuses = statuses.map(|status| u16::try_from(status.as_u64().unwrap()).unwrap());
    Arc::new(Mutex::new(statuses.collect()))
}

pub(super) fn script(upstream: &Value, turns: Arc<Mutex<VecDeque<u16>>>) -> Script {
    let headers = list(&upstream["headers"]).iter();
    let pair = |field: &Value| (text(&field[0]).unwrap(), text(&field[1]).unwrap());
    Script {
        status: u16::try_from(upstream["status"].as_u64().unwrap_or(200)).unwrap(),
        turns,
        headers: headers.map(pair).collect(),
        manner: if upstream["refuse"] == true {
            Manner::Reset
        } else if upstream["close_after_headers"] == true {
            Manner::BreakOff
        } else {
            match upstream["delay_ms"].as_u64() {
                None | Some(0) => Manner::Answer,
                Some(delay) => Manner::After(Duration::from_millis(delay)),
            }
        },
        padding: 0,
    }
}

fn sent(request: &Value) -> Request {
    let host = text(&request["host"]).map(|host| ("Host".to_owned(), host));
    let headers = list(&request["headers"]).iter();
    let headers = headers.map(|field| (text(&field[0]).unwrap(), text(&field[1]).unwrap()));
    let (framing, body) = body(&request["body"]);
    let fields = host.into_iter().chain(headers).chain(framing);
    Request {
        method: bytes(&text(&request["method"]).unwrap()),
        target: bytes(&text(&request["target"]).unwrap()),
        version: format!("HTTP/{}", request["http_version"].as_str().unwrap()).into_bytes(),
        headers: fields
            .map(|(name, value)| (bytes(&name), bytes(&value)))
            .collect(),
        body,
    }
}

/// The field that says how long a body is, and the body.
fn body(body: &Value) -> (Option<(String, String)>, Vec<u8>) {
    let whole = match (text(body), body["size"].as_u64()) {
        (Some(text), _) => bytes(&text),
        (None, Some(size)) => vec![b'b'; usize::try_from(size).unwrap()],
        (None, None) => return (None, Vec::new()),
    };
    if body["chunked"] != true {
        let length = ("Content-Length".to_owned(), whole.len().to_string());
        return (Some(length), whole);
    }
    let mut chunks = Vec::new();
    for piece in whole.chunks(8192) {
        chunks.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunks.extend_from_slice(piece);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    let framing = ("Transfer-Encoding".to_owned(), "chunked".to_owned());
    (Some(framing), chunks)
}
