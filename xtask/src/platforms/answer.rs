//! What a platform says to one rendering.

use super::cluster::Applied;
use super::processes::Process;
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

/// A control plane and its Envoy.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) applied: Applied,
    #[expect(dead_code, reason = "they end when they are dropped")]
    pub(super) processes: [Process; 2],
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
