//! What a decision may ask about the world. The core has no clock, no randomness and no host of
//! its own: they come in as closures.

use crate::zone::{Demand, Verdict};

/// Each is asked only where a location needs it.
pub struct Facts<'f> {
    /// Seconds since 1970, UTC.
    pub now: &'f dyn Fn() -> u64,
    /// Random bits, new at every call.
    pub random: &'f dyn Fn() -> u64,
    /// A property of the stream by Envoy's path, such as `["source", "address"]`, in
    /// Envoy's encoding; `None` where the host has none.
    pub property: &'f dyn Fn(&[&str]) -> Option<Vec<u8>>,
    /// How far the endpoint table may be trusted for this request; asked only where its
    /// cookie names nobody in the table.
    pub knowledge: &'f dyn Fn() -> Knowledge,
    /// Counts the request by `limit-rps` and its like, and says what became of it. Asked once a
    /// request, however often that is decided.
    pub count: &'f dyn Fn(&Demand) -> Verdict,
}

impl Facts<'static> {
    /// Those of no request: it is 1970, nothing is random, there is no stream, the endpoints are
    /// those that are known, and whatever is counted is within its limits.
    pub const NONE: Self = Self {
        now: &|| 0,
        random: &|| 0,
        property: &|_| None,
        knowledge: &|| Knowledge::Current,
        count: &|_| Verdict::Within,
    };
}

/// How far one request may trust the endpoint table, at the moment it is decided.
///
/// The rule behind it: a session cookie is dead only by a table whose poll began after the
/// request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// The table is newer than the request (or static): a cookie that it does not know is dead.
    Current,
    /// The table is older than the request, or there is none yet, and a newer one can be had
    /// soon: a request whose cookie it does not know waits.
    Coming,
    /// A newer one cannot be had in time: a cookie that the table does not know is neither
    /// used nor replaced.
    Unavailable,
}
