//! Who may see the page, and who may press its buttons.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use host_harness::Random;
use host_harness::environment::OsRandom;
use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, ORIGIN};

/// Holds the secret of [`Guard::token`].
pub(super) const TOKEN: HeaderName = HeaderName::from_static("limpet-page-token");

/// Says for the request at hand whether it is this machine's user.
#[derive(Debug)]
pub(super) struct Guard {
    token: String,
    /// Of the manifests: whoever can make them lead here owns them.
    hosts: BTreeSet<String>,
}

impl Guard {
    /// A new secret.
    pub(super) fn new(hosts: BTreeSet<String>) -> Self {
        let mut bytes = [0; 16];
        OsRandom.fill(&mut bytes);
        let token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { token, hosts }
    }

    /// What the page is given and has to send with each button.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether the page is asked for under a name of this machine: a stranger's name that leads
    /// here is somebody else's site, whose scripts would be of the page's origin.
    pub(super) fn knows_host(&self, headers: &HeaderMap) -> bool {
        let Some(host) = text(headers, &HOST) else {
            return false;
        };
        let name = name(host);
        is_loopback(name)
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.contains(&name.to_ascii_lowercase())
    }

    /// Whether the page itself sends this: the same origin, and the secret.
    pub(super) fn is_the_page(&self, headers: &HeaderMap) -> bool {
        let origin = text(headers, &ORIGIN).zip(text(headers, &HOST));
        let same_origin = origin.is_some_and(|(origin, host)| origin == format!("http://{host}"));
        let site = headers.get("sec-fetch-site");
        let same_site = site.is_none_or(|site| site == "same-origin");
        same_origin && same_site && text(headers, &TOKEN) == Some(&self.token)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The host without its port.
pub(super) fn name(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or(host);
    }
    host.split(':').next().unwrap_or(host)
}

/// Whether it is an address of this machine alone.
pub(super) fn is_loopback(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let v6 = bare.parse::<Ipv6Addr>().map(IpAddr::V6);
    let address = v6.or_else(|_| bare.parse::<IpAddr>());
    address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        let fields =
            pairs.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        fields.collect()
    }

    #[test]
    fn a_strangers_name_for_this_machine_shows_no_page() {
        let guard = Guard::new(["shop.example".to_owned()].into());
        for (host, known) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.1", true),
            ("[::1]:8080", true),
            ("localhost:8080", true),
            ("Shop.example:8080", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example:8080", false),
            ("localhost.evil.example", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(
                guard.knows_host(&headers(&[("host", host)])),
                known,
                "{host}"
            );
        }
        assert!(!guard.knows_host(&HeaderMap::new()));
    }

    #[test]
    fn buttons_are_the_pages_own() {
        let guard = Guard::new(BTreeSet::new());
        let token = guard.token().to_owned();
        let own = |origin: &str, site: &str, token: &str| {
            guard.is_the_page(&headers(&[
                ("host", "127.0.0.1:8080"),
                ("origin", origin),
                ("sec-fetch-site", site),
                ("limpet-page-token", token),
            ]))
        };
        let here = "http://127.0.0.1:8080";
        assert!(own(here, "same-origin", &token));
        assert!(!own("http://127.0.0.1:9090", "same-origin", &token));
        assert!(!own("null", "same-origin", &token));
        assert!(!own(here, "cross-site", &token));
        assert!(!own(here, "same-origin", "0000"));
        let without = headers(&[("host", "127.0.0.1:8080"), ("limpet-page-token", &token)]);
        assert!(!guard.is_the_page(&without), "no Origin");
        assert_eq!(token.len(), 32);
        assert_ne!(token, Guard::new(BTreeSet::new()).token());
    }
}
