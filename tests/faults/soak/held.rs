//! Connections that stay: WebSockets and gRPC calls, each with a session.

use super::place::{CALLS, SOCKETS, steer};
use crate::faults::host;
use crate::faults::protocols::upgrade;
use limpet_tests::grpc::Call;
use limpet_tests::http::Connection;
use limpet_tests::wait;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// So many of each.
pub(super) const EACH: usize = 64;
/// How often each says something.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Figures {
    said: usize,
    /// Ended by others than their clients.
    pub(super) broken: usize,
    /// Opened again, at another pod than before.
    pub(super) moved: usize,
}

/// How one of them talks.
enum Line {
    Socket(Connection),
    Call(Call),
}

struct One {
    kind: usize,
    line: Option<Line>,
    home: Option<String>,
    cookie: Option<String>,
}

impl One {
    /// Opens it, in its session if it has one.
    fn open(&mut self, to: SocketAddr, has_module: bool, figures: &mut Figures) {
        let home = self.home.as_deref().filter(|_| !has_module);
        let fields = steer(self.kind, home);
        let opened = match self.kind {
            SOCKETS => {
                let request = upgrade(&host(self.kind), self.cookie.as_deref());
                let request = fields.iter().fold(request, |request, (name, value)| {
                    request.header(name, value)
                });
                Connection::open(to).ok().and_then(|mut connection| {
                    let answer = connection.send(&request).ok()?;
                    let (pod, cookie) = (answer.header("x-pod")?, answer.header("set-cookie"));
                    Some((Line::Socket(connection), pod, cookie))
                })
            }
            _ => {
                let cookie = self.cookie.as_deref().map(|cookie| ("cookie", cookie));
                let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
                let fields: Vec<_> = fields.chain(cookie).collect();
                Call::try_start(to, &host(self.kind), &fields).and_then(|call| {
                    let (pod, cookie) = (call.field("x-pod")?, call.field("set-cookie"));
                    Some((Line::Call(call), pod, cookie))
                })
            }
        };
        let Some((line, pod, cookie)) = opened else {
            return;
        };
        let is_moved = self.home.as_ref().is_some_and(|home| *home != pod);
        figures.moved += usize::from(is_moved);
        self.line = Some(line);
        self.home = Some(pod);
        if let Some(cookie) = cookie {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
    }

    /// Whether it still answers.
    fn says(&mut self) -> bool {
        match &mut self.line {
            None => false,
            Some(Line::Call(call)) => call.try_say(b"ping").as_deref() == Some(b"ping"),
            Some(Line::Socket(socket)) => {
                let back = socket
                    .send_bytes(b"ping")
                    .and_then(|()| socket.read_bytes(4));
                back.is_ok_and(|back| back == b"ping")
            }
        }
    }
}

/// All of them.
pub(super) struct Held {
    to: SocketAddr,
    has_module: bool,
    all: Vec<One>,
    figures: Figures,
}

impl Held {
    pub(super) fn open(to: SocketAddr, has_module: bool) -> Self {
        let one = |number| One {
            kind: if number < EACH { SOCKETS } else { CALLS },
            line: None,
            home: None,
            cookie: None,
        };
        let mut held = Self {
            to,
            has_module,
            all: (0..2 * EACH).map(one).collect(),
            figures: Figures::default(),
        };
        for one in &mut held.all {
            one.open(to, has_module, &mut held.figures);
            assert!(one.line.is_some(), "cannot be opened");
        }
        held
    }

    /// Lets them talk until it is over, and opens those again that are ended.
    pub(super) fn hold(mut self, over: &AtomicBool) -> Figures {
        while !over.load(Ordering::SeqCst) {
            let due = Instant::now() + EVERY;
            for one in &mut self.all {
                self.figures.said += 1;
                if one.says() {
                    continue;
                }
                self.figures.broken += usize::from(one.line.take().is_some());
                one.open(self.to, self.has_module, &mut self.figures);
            }
            wait::until("they talk again", || Instant::now() >= due);
        }
        self.figures
    }
}
