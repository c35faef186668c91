//! Connections to endpoints, kept alive between requests.

use super::outgoing::Outgoing;
use super::request_body::RequestBody;
use super::target::RawTarget;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// One connection; busy until the response body has been read.
pub(super) struct Connection {
    endpoint: SocketAddr,
    sender: SendRequest<RequestBody>,
    target: RawTarget,
}

/// A request, and its target where hyper has a stand-in for it.
pub(super) struct Request {
    pub(super) http: http::Request<RequestBody>,
    pub(super) target: Option<Vec<u8>>,
}

/// Why there is no response.
pub(super) enum SendError {
    /// No connection came about, so the request is still whole; the words are the system's.
    Connect(String, Box<Request>),
    /// It broke before the response head.
    Reset,
}

/// The idle connections of a worker, by endpoint.
pub(super) struct Pool {
    idle: RefCell<HashMap<SocketAddr, Vec<(Connection, Instant)>>>,
    connect_timeout: Duration,
    idle_timeout: Duration,
}

type Answered = (http::Response<Incoming>, Connection);

impl Pool {
    pub(super) fn new(connect_timeout: Duration, idle_timeout: Duration) -> Self {
        Self {
            idle: RefCell::default(),
            connect_timeout,
            idle_timeout,
        }
    }

    /// Sends `request` to `endpoint`.
    ///
    /// A kept connection may be closed by the other side at any moment: a request of which
    /// nothing was written goes to another one.
    pub(super) async fn send(
        &self,
        endpoint: SocketAddr,
        mut request: Request,
    ) -> Result<Answered, SendError> {
        while let Some(connection) = self.take(endpoint).await {
            match exchange(connection, request).await {
                Ok(answered) => return Ok(answered),
                Err(Some(unsent)) => request = *unsent,
                Err(None) => return Err(SendError::Reset),
            }
        }
        match self.connect(endpoint).await {
            Ok(connection) => {
                let answered = exchange(connection, request).await;
                answered.map_err(|_| SendError::Reset)
            }
            Err(words) => Err(SendError::Connect(words, Box::new(request))),
        }
    }

    /// Takes back a connection whose response body has been read.
    pub(super) fn put(&self, connection: Connection) {
        if !connection.sender.is_closed() {
            let mut idle = self.idle.borrow_mut();
            let kept = idle.entry(connection.endpoint).or_default();
            kept.push((connection, Instant::now()));
        }
    }

    /// Closes connections that were idle for too long; runs for as long as the worker.
    pub(super) async fn sweep(self: Rc<Self>) {
        loop {
            tokio::time::sleep(self.idle_timeout / 4).await;
            let mut idle = self.idle.borrow_mut();
            for kept in idle.values_mut() {
                kept.retain(|(connection, since)| {
                    !connection.sender.is_closed() && since.elapsed() < self.idle_timeout
                });
            }
            idle.retain(|_, kept| !kept.is_empty());
        }
    }

    async fn take(&self, endpoint: SocketAddr) -> Option<Connection> {
        loop {
            let (mut connection, _) = self.idle.borrow_mut().get_mut(&endpoint)?.pop()?;
            if connection.sender.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    /// The error is the system's words.
    async fn connect(&self, endpoint: SocketAddr) -> Result<Connection, String> {
        let connecting = tokio::time::timeout(self.connect_timeout, TcpStream::connect(endpoint));
        let stream = match connecting.await {
            Ok(connected) => connected.map_err(|error| words(&error))?,
            Err(_) => return Err("Connection timed out".to_owned()),
        };
        let _ = stream.set_nodelay(true); // slower without, not wrong
        let target = RawTarget::default();
        let io = TokioIo::new(Outgoing::new(stream, target.clone()));
        let mut http = http1::Builder::new();
        let handshake = http.max_headers(256).handshake(io).await;
        let (sender, connection) = handshake.map_err(|error| error.to_string())?;
        tokio::task::spawn_local(async move {
            let _ = connection.with_upgrades().await; // the sender tells
        });
        Ok(Connection {
            endpoint,
            sender,
            target,
        })
    }
}

/// The error has the request in it if nothing of it was sent.
async fn exchange(
    mut connection: Connection,
    request: Request,
) -> Result<Answered, Option<Box<Request>>> {
    connection.target.set(request.target);
    match connection.sender.try_send_request(request.http).await {
        Ok(response) => Ok((response, connection)),
        Err(mut error) => Err(error.take_message().map(|http| {
            let target = connection.target.take();
            Box::new(Request { http, target })
        })),
    }
}

/// The system's words for `error`, as Envoy prints them: `Connection refused`.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
