//! The answers of Envoy's admin interface: `/clusters`, `/stats`, `/ready`.

use crate::engine::CallResponse;
use crate::environment::Environment;

/// Answers `path_and_query`, such as `/clusters?format=json&filter=^a$`.
#[must_use]
pub fn answer(environment: &Environment, path_and_query: &str) -> CallResponse {
    let _ = (environment, path_and_query);
    CallResponse::default()
}
