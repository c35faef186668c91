//! Who asks while instructions are counted.

use crate::bench::in_envoy::Variant;
use crate::bench::sample::PATH;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;

/// One connection, kept.
pub(super) struct Client {
    connection: TcpStream,
    request: String,
}

impl Client {
    /// Connects, with the head that is sent each time.
    ///
    /// # Errors
    /// When nobody listens.
    pub(super) fn connect(variant: &Variant) -> Result<Self> {
        let (host, cookie) = (variant.host, &variant.cookie);
        Ok(Self {
            connection: TcpStream::connect(("127.0.0.1", variant.port))?,
            request: format!(
                "GET {PATH} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}; sid=abcdef0123456789\r\n\r\n"
            ),
        })
    }

    /// Asks one after the other.
    ///
    /// # Errors
    /// When an answer is not 200.
    pub(super) fn ask(&mut self, times: u32) -> Result<()> {
        for _ in 0..times {
            self.connection.write_all(self.request.as_bytes())?;
            let mut answer = Vec::new();
            while !is_whole(&answer) {
                let mut part = [0; 4096];
                let read = self.connection.read(&mut part)?;
                answer.extend(
                    part.get(..read)
                        .filter(|part| !part.is_empty())
                        .context("the connection was closed in the middle of an answer")?,
                );
            }
            if !answer.starts_with(b"HTTP/1.1 200") {
                bail!("not answered well: {}", String::from_utf8_lossy(&answer));
            }
        }
        Ok(())
    }
}

/// Whether head and body are there, the body's length being told.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}
