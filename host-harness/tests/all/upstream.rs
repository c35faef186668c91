//! An endpoint for the proxy's tests: answers with what it received.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Starts one on a thread of its own; it lives as long as the test's process.
///
/// It answers 200 with the raw request head, then the body, as its body. A request with
/// `upgrade` is switched to an echo of lines.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(|| serve(stream.unwrap()));
        }
    });
    address
}

fn serve(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(mut seen) = head(&mut reader) {
        let lower = String::from_utf8_lossy(&seen).to_lowercase();
        if lower.contains("\r\nupgrade:") {
            let switching = "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
            writer.write_all(switching.as_bytes()).unwrap();
            let _ = std::io::copy(&mut reader, &mut writer);
            return;
        }
        let length = lower.split("content-length: ").nth(1).map_or(0, |rest| {
            let digits = rest.split("\r\n").next().unwrap();
            digits.parse().unwrap()
        });
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        seen.extend(body);
        let head = format!(
            "HTTP/1.1 200 OK\r\nx-bytes: \u{e9}\r\ncontent-length: {}\r\n\r\n",
            seen.len()
        );
        let mut answer: Vec<u8> = head.chars().map(|letter| letter as u8).collect();
        answer.extend(seen);
        if writer.write_all(&answer).is_err() {
            return;
        }
    }
}

/// A head with its empty line; `None` at the end.
pub fn head(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        if reader.read_until(b'\n', &mut head).ok()? == 0 {
            return None;
        }
        if &head[before..] == b"\r\n" {
            return Some(head);
        }
    }
}
