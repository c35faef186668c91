//! The form "explain": a request through the module, with the pods as they are now.

use std::path::PathBuf;
use std::sync::Arc;

use limpet_envoy::manifests::Manifests;
use serde_json::{Value, json};

use super::fleet::Fleet;
use super::ledger::shortened;
use crate::explain::{self, ByteString, Explainer, Request, Settings};

/// What `explain` reads.
pub(crate) struct Lens {
    pub(crate) manifests: Arc<Manifests>,
    pub(crate) strict: bool,
    pub(crate) wasm: PathBuf,
}

/// A request that nobody sends.
#[derive(Debug, Default)]
pub(super) struct Question {
    pub(super) is_https: bool,
    pub(super) host: String,
    pub(super) path: String,
    /// The Cookie header; empty: none.
    pub(super) cookie: String,
}

impl Lens {
    /// The rows and steps of the answer.
    pub(super) fn answer(&self, fleet: &Fleet, question: &Question) -> anyhow::Result<Value> {
        let flags = fleet.flags().into_iter();
        let endpoints = flags.map(|flag| flag.parse().map_err(anyhow::Error::msg));
        let settings = Settings {
            endpoints: endpoints.collect::<anyhow::Result<_>>()?,
            strict: self.strict,
            wasm: Some(self.wasm.clone()),
            now: None,
        };
        anyhow::ensure!(question.path.starts_with('/'), "a path begins with a slash");
        let mut request = Request {
            scheme: question.is_https.then(|| "https".into()),
            authority: Some(question.host.as_str().into()),
            path: question.path.as_str().into(),
            ..Request::default()
        };
        if !question.cookie.is_empty() {
            let field = ("cookie".into(), question.cookie.as_str().into());
            request.headers.push(field);
        }
        let mut answer = Explainer::new(&self.manifests, &settings)?.answer(&request);
        for cookie in &mut answer.response.set_cookie {
            *cookie = without_value(cookie);
        }
        Ok(json!({
            "outcome": answer.outcome,
            "rows": explain::rows(&answer),
            "why": answer.why,
        }))
    }
}

/// The same with too little of the value to use it.
fn without_value(set_cookie: &ByteString) -> ByteString {
    let text = set_cookie.to_string();
    let (pair, attributes) = text.split_once(';').unwrap_or((&text, ""));
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let text = format!("{name}={};{attributes}", shortened(value));
    text.as_str().into()
}
