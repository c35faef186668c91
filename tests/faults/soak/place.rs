//! What is where: hosts by their numbers.

use crate::faults::{DIGEST, PERSISTENT, cluster};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Kinds of sessions of the pods that come and go: the hosts with the first numbers.
pub(super) const KINDS: [&[(&str, &str)]; 2] = [PERSISTENT, DIGEST];
/// The host of WebSockets, and that of calls: their pods stay.
pub(super) const SOCKETS: usize = 2;
pub(super) const CALLS: usize = 3;

/// The fields that steer a request through a plain Envoy; limpet writes over them.
pub(super) fn steer(kind: usize, home: Option<&str>) -> Vec<(&'static str, String)> {
    let cluster = ("x-limpet-cluster", cluster(kind));
    let endpoint = home.map(|home| ("x-limpet-endpoint", STANDARD.encode(home)));
    [cluster].into_iter().chain(endpoint).collect()
}
