//! A bound on what one request can cost, whatever the patterns of a manifest and the text that a
//! client sends: a linear-time engine's work is a pattern's width times the text's length.

use std::cell::Cell;

/// Steps that the patterns of one request may take: some milliseconds in a VM. nginx has such a
/// bound too (`pcre_match_limit`), and answers 500 beyond it.
const OF_A_REQUEST: u64 = 1 << 17;
/// The same of a header's pattern, and of the patterns of one response.
const OF_A_HEADER: u64 = 1 << 15;

/// What may still be spent. Whoever asks for more than is left has spent it all.
#[derive(Debug)]
pub(crate) struct Work(Cell<Option<u64>>);

impl Work {
    /// For the host and the path of a request.
    pub(crate) fn of_a_request() -> Self {
        Self(Cell::new(Some(OF_A_REQUEST)))
    }

    /// For a header of it, or for the headers of a response.
    pub(crate) fn of_a_header() -> Self {
        Self(Cell::new(Some(OF_A_HEADER)))
    }

    /// Whether `width` places at once may be tried over `text`. The text's own length is a place
    /// too: an engine looks at each of its bytes.
    pub(super) fn takes(&self, width: u32, text: &[u8]) -> bool {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let steps = length.saturating_mul(u64::from(width).saturating_add(1));
        let left = self.0.get().and_then(|left| left.checked_sub(steps));
        self.0.set(left);
        left.is_some()
    }

    /// Whether `text` may be put into another one.
    pub(crate) fn copies(&self, text: &[u8]) -> bool {
        self.takes(0, text)
    }

    /// Something was not tried for want of work: what was found is not sure.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.get().is_none()
    }
}

/// The longest path that a pattern is tried on once and its groups are found in once more.
pub(super) fn longest(width: u32) -> u64 {
    let twice = u64::from(width).saturating_add(1).saturating_mul(2);
    OF_A_REQUEST.checked_div(twice).unwrap_or_default()
}
