//! A bound on what one request can cost, whatever the patterns of a manifest and the text that a
//! client sends: a linear-time engine's work is a pattern's width times the text's length.

use std::cell::Cell;

/// Steps that one search through patterns may take: a millisecond in a VM. nginx has such a bound too
/// (`pcre_match_limit`), and answers 500 beyond it.
const OF_A_SEARCH: u64 = 1 << 17;
/// The same of a search that is made again, for each namespace by itself, where it is too much.
const OF_A_GLANCE: u64 = 1 << 14;
/// The same of the groups and texts of a request, once its location is found.
const OF_A_REQUEST: u64 = 1 << 17;
/// The same of a header's pattern, and of the patterns of one response.
const OF_A_HEADER: u64 = 1 << 15;
/// What making one place of an engine costs, in steps.
const OF_A_STATE: u64 = 40;

/// What may still be spent. Whoever asks for more than is left has spent it all.
#[derive(Debug)]
pub(crate) struct Work(Cell<Option<u64>>);

impl Work {
    /// For the location of a path, or the host of a name.
    pub(crate) fn of_a_search() -> Self {
        Self(Cell::new(Some(OF_A_SEARCH)))
    }

    /// For the same, before each namespace's patterns are searched by themselves.
    pub(crate) fn of_a_glance() -> Self {
        Self(Cell::new(Some(OF_A_GLANCE)))
    }

    /// For what is made of a request of a location.
    pub(crate) fn of_a_request() -> Self {
        Self(Cell::new(Some(OF_A_REQUEST)))
    }

    /// For a header of it, or for the headers of a response.
    pub(crate) fn of_a_header() -> Self {
        Self(Cell::new(Some(OF_A_HEADER)))
    }

    /// Whether `width` places at once may be tried over `text`. The text's own length is a place too: an engine
    /// looks at each of its bytes.
    pub(super) fn takes(&self, width: u32, text: &[u8]) -> bool {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.takes_steps(length.saturating_mul(u64::from(width).saturating_add(1)))
    }

    /// Whether `text` may be put into another one.
    pub(crate) fn copies(&self, text: &[u8]) -> bool {
        self.takes(0, text)
    }

    /// Whether so many bytes may be looked at.
    pub(crate) fn reads(&self, bytes: usize) -> bool {
        self.takes_steps(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// Whether an engine with so many places may be made, which costs many times what one step does.
    pub(super) fn compiles(&self, states: u32) -> bool {
        self.takes_steps(u64::from(states).saturating_mul(OF_A_STATE))
    }

    fn takes_steps(&self, steps: u64) -> bool {
        let left = self.0.get().and_then(|left| left.checked_sub(steps));
        self.0.set(left);
        left.is_some()
    }

    /// Something was not tried for want of work: what was found is not sure.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.get().is_none()
    }

    /// Something cannot be tried.
    pub(crate) fn spend(&self) {
        self.0.set(None);
    }
}

/// The longest path that a pattern is tried on, and whose groups are found.
pub(super) fn longest(width: u32) -> u64 {
    let places = u64::from(width).saturating_add(1);
    OF_A_SEARCH
        .min(OF_A_REQUEST)
        .checked_div(places)
        .unwrap_or_default()
}
