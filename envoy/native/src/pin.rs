//! Pins a request to an endpoint, in place of the filter `stateful_session` with its state in a
//! header: what the core writes there goes to Envoy's balancer at once, and what that filter
//! would say of the answer is said by who served it.

use crate::abi::{Attribute, Filter};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The endpoint that a request was pinned to.
#[derive(Debug, Default)]
pub(crate) struct Pin {
    /// `None`: none.
    endpoint: Option<Vec<u8>>,
}

impl Pin {
    /// Pins to the endpoint of a header's value; `false`: Envoy refuses it. As that filter does,
    /// one that is gone or unhealthy falls back to the balancer.
    pub(crate) fn set(&mut self, filter: &mut Filter, value: &[u8]) -> bool {
        let endpoint = BASE64.decode(value).unwrap_or_default();
        let done = filter.set_upstream_override_host(&endpoint);
        self.endpoint = Some(endpoint);
        done
    }

    /// The endpoint that served, if it is another one.
    pub(crate) fn elsewhere(&self, filter: &Filter) -> Option<String> {
        let served = filter.attribute(Attribute::UpstreamAddress)?;
        let is_elsewhere = self.endpoint.as_ref() != Some(&served);
        String::from_utf8(served).ok().filter(|_| is_elsewhere)
    }
}
