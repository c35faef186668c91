//! One request and its response.

use super::{Attempted, Step, Summary};
use std::task::{Context, Poll};

/// One request on its way through an engine. Dropping it ends the stream: the module gets
/// `proxy_on_log`, `proxy_on_done` and `proxy_on_delete`.
pub struct Exchange {
    summary: Summary,
}

impl Exchange {
    pub(super) fn unfinished() -> Self {
        Self {
            summary: Summary::default(),
        }
    }

    /// Tells what came of the last [`Step::Attempt`].
    #[must_use]
    pub fn respond(&mut self, attempted: Attempted) -> Step {
        let _ = attempted;
        Step::Paused
    }

    /// Goes on after [`Step::Paused`]: [`Step::Paused`] again if the module still holds it.
    #[must_use]
    pub fn resume(&mut self) -> Step {
        Step::Paused
    }

    /// Ready once [`Exchange::resume`] gets further; wakes the task of `cx` then.
    pub fn poll_resumed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }

    /// What has become of it so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// What the module stored with `proxy_set_property` under `name`, which access logs
    /// call `wasm.<name>`.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<Vec<u8>> {
        let _ = name;
        None
    }
}
