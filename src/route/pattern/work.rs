//! A bound on what one request can cost, whatever the patterns of a manifest and the text that a
//! client sends: a linear-time engine's work is a pattern's width times the text's length.

use std::cell::Cell;

/// Steps that the patterns of one request may take: some two milliseconds in a VM. nginx has such a
/// bound too (`pcre_match_limit`), and answers 500 beyond it.
const OF_A_REQUEST: u64 = 1 << 18;
/// The same of the aliases that are regular expressions: what they cannot be asked for is a name of nobody.
const OF_A_NAME: u64 = 1 << 17;
/// The same of a header's pattern, and of the patterns of one response.
const OF_A_HEADER: u64 = 1 << 15;

/// What may still be spent. Whoever asks for more than is left has spent it all.
#[derive(Debug)]
pub(crate) struct Work {
    left: Cell<Option<u64>>,
    /// For once more.
    reserve: Cell<Option<u64>>,
}

impl Work {
    /// For the path of a request.
    pub(crate) fn of_a_request() -> Self {
        Self {
            left: Cell::new(Some(OF_A_REQUEST)),
            reserve: Cell::new(Some(OF_A_REQUEST)),
        }
    }

    /// For its host.
    pub(crate) fn of_a_name() -> Self {
        Self {
            left: Cell::new(Some(OF_A_NAME)),
            reserve: Cell::new(Some(OF_A_NAME)),
        }
    }

    /// For a header of it, or for the headers of a response.
    pub(crate) fn of_a_header() -> Self {
        Self {
            left: Cell::new(Some(OF_A_HEADER)),
            reserve: Cell::new(None),
        }
    }

    /// Whether `width` places at once may be tried over `text`.
    pub(super) fn takes(&self, width: u32, text: &[u8]) -> bool {
        let left = self.left.get();
        self.left
            .set(left.and_then(|left| left.checked_sub(steps(width, text))));
        self.left.get().is_some()
    }

    /// Whether `text` may be put into another one.
    pub(crate) fn copies(&self, text: &[u8]) -> bool {
        self.takes(0, text)
    }

    /// Something was not tried for want of work: what was found is not sure.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.get().is_none()
    }

    /// Whether there is as much left.
    pub(crate) fn has(&self, steps: u64) -> bool {
        self.left.get().is_some_and(|left| steps <= left)
    }

    /// Something cannot be tried.
    pub(crate) fn spend(&self) {
        self.left.set(None);
    }

    /// All of it once more, for those whose patterns did not spend it: at most once. `false`: it was done.
    pub(crate) fn renew(&self) -> bool {
        let reserve = self.reserve.take();
        if reserve.is_some() {
            self.left.set(reserve);
        }
        reserve.is_some()
    }
}

/// What it takes to try so many places at once over a text. Its own length is a place too: an engine
/// looks at each of its bytes.
pub(super) fn steps(width: u32, text: &[u8]) -> u64 {
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    length.saturating_mul(u64::from(width).saturating_add(1))
}

/// The longest path that a pattern is tried on once and its groups are found in once more.
pub(super) fn longest(width: u32) -> u64 {
    let twice = u64::from(width).saturating_add(1).saturating_mul(2);
    OF_A_REQUEST.checked_div(twice).unwrap_or_default()
}
