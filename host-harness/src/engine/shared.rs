//! What an engine and its exchanges share.

use super::config::EngineConfig;
use super::filter::Filter;
use crate::environment::Environment;
use std::cell::RefCell;

/// What an engine and its exchanges share.
pub(super) struct Shared {
    pub(super) config: EngineConfig,
    pub(super) environment: Environment,
    pub(super) filter: RefCell<Filter>,
}
