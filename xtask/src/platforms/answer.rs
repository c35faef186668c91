//! What a platform says to one rendering.

use super::cluster::Applied;
use serde_json::{Map, Value};

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) applied: Applied,
    /// By object, of those that have one.
    pub(super) status: Map<String, Value>,
    /// The configuration that an Envoy got.
    pub(super) envoy: Value,
}

impl From<Applied> for Answer {
    fn from(applied: Applied) -> Self {
        Self {
            applied,
            status: Map::new(),
            envoy: Value::Null,
        }
    }
}
