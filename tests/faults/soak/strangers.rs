//! Clients that vanish, do not read, break off and reset.

use super::place::{SOCKETS, steer};
use crate::attacks::edge::{END_STREAM_AND_HEADERS, PREFACE, frame, head};
use crate::faults::protocols::upgrade;
use crate::faults::{HOST, host};
use limpet_tests::http::Request;
use limpet_tests::wait;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(50);
/// So many that do not read are there at a time.
const SLOW: usize = 16;
/// What each of them has asked for.
const UNREAD: usize = 256 * 1024;

/// How often who came.
#[derive(Debug, Default)]
pub(super) struct Figures {
    half_heads: usize,
    unread_answers: usize,
    aborted_uploads: usize,
    slow_readers: usize,
    reset_streams: usize,
    /// What they could not send, for Envoy had closed.
    refused: usize,
}

/// One after the other, until it is over; sockets, which nobody reads, through `apart`.
pub(super) fn come(to: SocketAddr, apart: SocketAddr, over: &AtomicBool) -> Figures {
    let mut figures = Figures::default();
    let mut slow = VecDeque::new();
    for number in 0.. {
        let due = Instant::now() + EVERY;
        if over.load(Ordering::SeqCst) {
            break;
        }
        let sent = match number % 5 {
            0 => {
                figures.half_heads += 1;
                says(to, b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-").map(drop)
            }
            1 => {
                figures.unread_answers += 1;
                says(to, &steered(Request::get(HOST, "/"), 0).write()).map(drop)
            }
            2 => {
                figures.aborted_uploads += 1;
                let request = Request::get(HOST, "/").method("POST");
                let request = request.header("Content-Length", "1000000");
                let mut bytes = steered(request, 0).write();
                bytes.resize(bytes.len() + 64 * 1024, b'x');
                says(to, &bytes).map(drop)
            }
            3 => {
                figures.slow_readers += 1;
                open_slow(apart).map(|one| slow.push_back(one))
            }
            _ => {
                figures.reset_streams += 10;
                says(to, &resets()).map(drop)
            }
        };
        figures.refused += usize::from(sent.is_err());
        if slow.len() > SLOW {
            slow.pop_front();
        }
        for one in &mut slow {
            let _ = one.read(&mut [0; 512]); // a little of it; none is no wonder
        }
        wait::until("the next stranger", || Instant::now() >= due);
    }
    figures
}

fn steered(request: Request, kind: usize) -> Request {
    let fields = steer(kind, None).into_iter();
    fields.fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

fn says(to: SocketAddr, bytes: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(bytes)?;
    Ok(stream)
}

/// A socket whose echo is read slowly.
fn open_slow(to: SocketAddr) -> io::Result<TcpStream> {
    let request = steered(upgrade(&host(SOCKETS), None), SOCKETS);
    let mut stream = says(to, &request.write())?;
    stream.set_nonblocking(true)?;
    let sent = stream.write(&vec![b'x'; UNREAD])?;
    assert!(sent > 0);
    Ok(stream)
}

/// Ten streams of HTTP/2, each reset at once.
fn resets() -> Vec<u8> {
    let fields = steer(0, None);
    let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut bytes = PREFACE.to_vec();
    for stream in (1..20).step_by(2) {
        bytes.extend(frame(1, END_STREAM_AND_HEADERS, stream, &head(&fields)));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    bytes
}
