//! A real Envoy with what `limpet render envoy` writes.

use super::table::Table;
use super::target::{Asked, Seen, Target};
use limpet_tests::http::{self, Request, bytes};
use limpet_tests::rendered::Rendered;
use limpet_tests::vectors::Observed;

pub(super) struct Envoy {
    _process: Rendered,
    listener: std::net::SocketAddr,
}

pub(super) fn start(table: &Table) -> Envoy {
    start_shaped(table, |_| {})
}

/// As [`start`], with a bootstrap that `shape` has changed.
pub(super) fn start_shaped(table: &Table, shape: fn(&mut serde_json::Value)) -> Envoy {
    let process = Rendered::share(&table.manifests, &table.endpoints(), shape);
    let listener = process.http();
    Envoy {
        _process: process,
        listener,
    }
}

impl Target for Envoy {
    const ENVOY: bool = true;

    fn ask(&self, request: &Asked) -> Result<Seen, String> {
        if request.scheme != "http" {
            return Err("the rendered listener has no certificate".into());
        }
        let mut sent = Request::get(&request.host, bytes(&request.target)).method(&request.method);
        for (name, value) in &request.headers {
            sent = sent.header(name, bytes(value));
        }
        let answer = http::send(self.listener, &sent).map_err(|why| why.to_string())?;
        let leaked: Vec<_> = answer
            .headers
            .iter()
            .filter(|(n, _)| n.starts_with("x-limpet-"))
            .collect();
        assert!(leaked.is_empty(), "{request:?}: {leaked:?}");
        Ok(Seen {
            answer: Observed::from_response(&answer),
            state: None,
        })
    }
}
