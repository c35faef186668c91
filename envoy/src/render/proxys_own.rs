//! What no cluster of a platform leads to: the host that the proxy runs on, and what only its own pod
//! should reach.

use std::ops::RangeInclusive;

use crate::clusters::off_limits;

/// Ports that only the proxy's own pod should reach, its admin among them; a name in DNS may lead there.
/// Source: "Ports used by Istio", istio.io; the bootstrap of Envoy Gateway 1.9.
const PORTS: [RangeInclusive<u16>; 2] = [15_000..=15_099, 19_000..=19_003];

/// Why no cluster leads to a name in DNS; `None`: one may.
pub(super) fn refused(name: &str, port: u16) -> Option<&'static str> {
    let may_be_the_proxys = PORTS.iter().any(|own| own.contains(&port));
    let why = off_limits::name(name, false);
    why.or_else(|| may_be_the_proxys.then_some("on a port of the proxy's own"))
}
