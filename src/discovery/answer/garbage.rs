//! What is no answer.

use std::net::SocketAddr;

/// Why an answer is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Garbage(
    /// What was expected.
    pub &'static str,
);

/// Whether `address` is an `ip:port`, IPv6 in brackets.
pub(super) fn is_address(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok()
}
