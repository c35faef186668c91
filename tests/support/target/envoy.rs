//! A real Envoy, asked over the network.

use super::{Asked, Observed, Target};
use crate::http::{self, Request, bytes};
use std::net::SocketAddr;

/// Where it listens.
#[derive(Debug, Clone, Copy)]
pub struct Envoy {
    /// For what is asked over http.
    pub http: SocketAddr,
    /// For what is asked over https, the TLS ended before it; `None`: that cannot be asked.
    pub https: Option<SocketAddr>,
}

impl Target for Envoy {
    fn ask(&self, request: &Asked) -> Result<Observed, String> {
        let to = if request.scheme == "https" {
            self.https.ok_or("the listener has no certificate")?
        } else {
            self.http
        };
        let host = request.host.iter().map(|host| ("Host", host));
        let fields = request.headers.iter().map(|(n, v)| (n.as_str(), v));
        let sent = Request {
            method: bytes(&request.method),
            target: bytes(&request.target),
            version: bytes(&request.version),
            headers: host
                .chain(fields)
                .map(|(name, value)| (bytes(name), bytes(value)))
                .collect(),
            body: Vec::new(),
        };
        let answer = http::send(to, &sent).map_err(|why| why.to_string())?;
        let leaked = answer.headers.iter();
        let leaked: Vec<_> = leaked.filter(|(n, _)| n.starts_with("x-limpet-")).collect();
        assert!(leaked.is_empty(), "{request:?}: {leaked:?}");
        Ok(Observed::from_response(&answer))
    }
}
