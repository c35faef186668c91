//! What is asked for, and how long a server may take to start.

use std::time::Duration;

pub(super) const HOST: &str = "sample.example.com";
pub(super) const PATH: &str = "/app1/";
/// From start to the first connection, and from there to the first session: where instructions are counted, Envoy is some
/// fifty times slower.
pub(super) const START: Duration = Duration::from_secs(60);

/// `name=value` of the first Set-Cookie in an answer's head.
pub(super) fn session_cookie(head: &str) -> Option<String> {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("set-cookie").then_some(value)
    })?;
    Some(value.split(';').next()?.trim().to_owned())
}
