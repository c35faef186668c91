//! One request, from its head to the head of its response.

use crate::discovery::Knowledge;

/// What a decision may ask about the world, each asked only where a location needs it.
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
}
