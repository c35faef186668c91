//! The module in the harness, asked as `limpet explain` asks.

use super::table::Table;
use super::target::{Asked, Seen, Target};
use limpet_cli::explain::{Explainer, Request, Settings};
use limpet_tests::vectors::Observed;
use serde_json::json;

pub(super) struct Module(Explainer);

pub(super) fn start(table: &Table) -> Module {
    let settings = Settings {
        endpoints: table.endpoints(),
        now: Some(1_732_345_678),
        ..Settings::default()
    };
    let explainer = Explainer::with_module(limpet_tests::module(), &table.manifests, &settings);
    Module(explainer.unwrap_or_else(|why| panic!("{}: {why:#}", table.file)))
}

impl Target for Module {
    fn ask(&self, request: &Asked) -> Result<Seen, String> {
        let line = json!({
            "method": request.method, "scheme": request.scheme, "authority": request.host,
            "path": request.target, "headers": request.headers,
        });
        let request: Request = serde_json::from_value(line).unwrap();
        let answer = serde_json::to_value(self.0.answer(&request)).unwrap();
        let state = answer["affinity"]["state"].as_str().map(str::to_owned);
        Ok(Seen {
            answer: Observed::from_explain(&answer),
            state,
        })
    }
}
