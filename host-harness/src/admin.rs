//! The answers of Envoy's admin interface: `/clusters`, `/stats`, `/ready`.
//!
//! Shapes as Envoy 1.40 prints them; only figures that this host keeps are there.

mod clusters;
mod prometheus;
mod query;
mod stats;

use crate::environment::Environment;
use crate::headers::Headers;
use crate::http_call::CallResponse;
use query::Query;

const HELP: &str = "invalid path. admin commands are:
  /clusters: upstream cluster status (?format=json, ?filter=regex)
  /ready: print server state, return 200 if LIVE, otherwise return 503
  /stats: print server stats (?filter=regex, ?format=json|prometheus)
  /stats/prometheus: print server stats in prometheus format
";

/// Answers `path_and_query`, such as `/clusters?format=json&filter=^a$`.
#[must_use]
pub fn answer(environment: &Environment, path_and_query: &str) -> CallResponse {
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    let query = match Query::parse(query) {
        Ok(query) => query,
        Err(error) => return reply(400, TEXT, format!("Invalid re2 regex\n{error}\n")),
    };
    match (path, query.format.as_deref()) {
        ("/clusters", Some("json")) => reply(200, JSON, clusters::json(environment, &query)),
        ("/clusters", _) => reply(200, TEXT, clusters::text(environment, &query)),
        ("/stats", Some("json")) => reply(200, JSON, stats::json(environment, &query)),
        ("/stats/prometheus", _) | ("/stats", Some("prometheus")) => {
            reply(200, TEXT, prometheus::text(environment, &query))
        }
        ("/stats", _) => reply(200, TEXT, stats::text(environment, &query)),
        ("/ready", _) => reply(200, TEXT, "LIVE\n".to_owned()),
        _ => reply(404, TEXT, HELP.to_owned()),
    }
}

const TEXT: &str = "text/plain; charset=UTF-8";
const JSON: &str = "application/json";

fn reply(status: u16, content_type: &str, body: String) -> CallResponse {
    let mut head = Headers::with_status(status);
    head.add("content-type", content_type);
    head.add("cache-control", "no-cache, max-age=0");
    head.add("x-content-type-options", "nosniff");
    CallResponse {
        head,
        body: body.into_bytes(),
        trailers: Headers::new(),
    }
}
