//! `stateful_session` with header session state, not strict.
//!
//! Source: Envoy 1.40, `extensions/http/stateful_session/header`; observed: a value that is
//! not base64 of `ip:port` is ignored.

use crate::headers::Headers;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::SocketAddr;

/// The endpoint that `header` of a request head asks for.
pub(super) fn asked(head: &Headers, header: &str) -> Option<SocketAddr> {
    let address = STANDARD.decode(head.first(header)?).ok()?;
    std::str::from_utf8(&address).ok()?.parse().ok()
}

/// Says in `header` of a response head that `served` was it, if it was not `asked`.
pub(super) fn tell(
    head: &mut Headers,
    header: &str,
    asked: Option<SocketAddr>,
    served: SocketAddr,
) {
    if asked != Some(served) {
        head.set(header, STANDARD.encode(served.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_base64_of_an_address_asks_for_an_endpoint() {
        let v6: SocketAddr = "[::1]:80".parse().unwrap();
        for (value, want) in [
            (STANDARD.encode("[::1]:80"), Some(v6)),
            ("[::1]:80".to_owned(), None),
            (STANDARD.encode("localhost:80"), None),
            (String::new(), None),
        ] {
            let head = [("x-pick", value.clone())].into_iter().collect();
            assert_eq!(asked(&head, "x-pick"), want, "{value:?}");
        }
    }
}
