//! What programs of this machine answer over HTTP.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// This machine.
pub(super) const HERE: &str = "127.0.0.1";

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// Names and values, beside those of the connection and of the body's length; `Host` is `localhost`
    /// where it is not among them.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a str,
}

/// What comes back.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// Sends it on a connection of its own.
///
/// # Errors
/// Nobody is there, or what comes is no answer.
pub(super) fn send(to: (&str, u16), request: Request<'_>) -> Result<Response> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let Request {
        method,
        path,
        headers,
        body,
    } = request;
    // Envoy's admin speaks no 1.0.
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parsed(&String::from_utf8(answer)?).with_context(|| format!("no answer to {method} {path}"))
}

/// The body of a 200 answer; nothing: another answer, or none.
pub(super) fn get(port: u16, path: &str) -> Option<String> {
    let request = Request {
        method: "GET",
        path,
        headers: &[],
        body: "",
    };
    let answer = send((HERE, port), request).ok()?;
    (answer.status == 200).then_some(answer.body)
}

/// An answer as it came.
pub(super) fn parsed(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if is_chunked {
        whole(body)?
    } else {
        body.to_owned()
    };
    Some(Response {
        status,
        head: head.to_owned(),
        body,
    })
}

/// Without the lengths of the pieces that it came in.
fn whole(mut pieces: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (length, rest) = pieces.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.push_str(rest.get(..length)?);
        pieces = rest.get(length..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_pieces_is_put_together() {
        let whole = parsed(
            "HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nb\r\n0123456789\n\r\n0\r\n\r\n",
        );
        let whole = whole.unwrap();
        assert_eq!(
            (whole.status, whole.body.as_str()),
            (404, "abc0123456789\n")
        );
        assert_eq!(parsed("HTTP/1.1 200 OK\r\n\r\nx").unwrap().body, "x");
    }
}
