//! The module in the harness, asked as `limpet explain` asks.

use super::{Asked, NOW, Observed, Target};
use crate::recordings::{list, strings, text};
use limpet_cli::explain::{Explainer, Request, Settings};
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// The module, compiled once for all tests of a process.
///
/// # Panics
/// There is none: says which command builds it.
#[must_use]
pub fn module() -> host_harness::Module {
    static MODULE: OnceLock<host_harness::Module> = OnceLock::new();
    let compile = || {
        let path = limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
        limpet_cli::module::load(&path).unwrap_or_else(|why| panic!("{why:#}"))
    };
    MODULE.get_or_init(compile).clone()
}

/// A VM configured with manifests.
pub struct Harness(Explainer);

impl Harness {
    /// Starts it; `strict`: annotations are validated.
    ///
    /// # Panics
    /// The module does not start.
    #[must_use]
    pub fn start(manifests: &Manifests, endpoints: &[EndpointsFlag], strict: bool) -> Self {
        let settings = Settings {
            endpoints: endpoints.to_vec(),
            strict,
            now: Some(NOW),
            ..Settings::default()
        };
        let explainer = Explainer::with_module(module(), manifests, &settings);
        Self(explainer.unwrap_or_else(|why| panic!("{why:#}")))
    }

    /// Asks with a line of `limpet explain --requests`.
    ///
    /// # Panics
    /// It is no such line.
    #[must_use]
    pub fn explain(&self, line: &Value) -> Value {
        let request: Request = serde_json::from_value(line.clone()).unwrap();
        serde_json::to_value(self.0.answer(&request)).unwrap()
    }
}

impl Target for Harness {
    fn ask(&self, request: &Asked) -> Result<Observed, String> {
        let endpoints = &request.endpoints;
        let refused = endpoints.refuse.iter();
        let answer = self.explain(&json!({
            "method": request.method, "scheme": request.scheme, "authority": request.host,
            "path": request.target, "http_version": request.version, "headers": request.headers,
            "served_by": endpoints.served_by, "upstream_status": endpoints.status,
            "upstream_headers": endpoints.headers,
            "attempts": refused.map(|e| json!({"endpoint": e, "status": "refused"})).collect::<Value>(),
        }));
        let (upstream, response) = (&answer["upstream"], &answer["response"]);
        let endpoint = text(&upstream["endpoint"]);
        let reached = |value: &Value| endpoint.as_ref().and_then(|_| text(value));
        let part = |value: &Value| text(value).unwrap();
        let fields = list(&upstream["headers"]).iter();
        let mut headers: Vec<_> = fields
            .map(|field| (part(&field[0]).to_ascii_lowercase(), part(&field[1])))
            .collect();
        headers.extend(reached(&upstream["authority"]).map(|host| ("host".to_owned(), host)));
        Ok(Observed {
            status: u16::try_from(response["status"].as_u64().unwrap_or(0)).unwrap(),
            method: reached(&upstream["method"]),
            target: reached(&upstream["path"]),
            location: text(&response["location"]),
            set_cookie: strings(&response["set_cookie"]),
            state: text(&answer["affinity"]["state"]),
            endpoint,
            headers,
            record: None,
        })
    }
}
