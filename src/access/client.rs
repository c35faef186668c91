//! The client's address, as nginx takes it.
//!
//! Source: `ngx_http_realip_handler` and `ngx_http_get_forwarded_addr_internal`, nginx 1.27.1.

use super::Networks;
use crate::edit::{Headers, all, first};
use crate::facts::Facts;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Proxies in front that say who the client is: `real_ip_recursive on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RealIp {
    /// Where they say it, in lower case.
    pub header: String,
    /// Who is believed.
    pub trusted: Networks,
    /// Where the listener says who connects; `None`: the host knows.
    pub peer: Option<String>,
    /// `compute-full-forwarded-for`: the header to which whoever connects is added.
    pub full: Option<String>,
    /// `use-proxy-protocol`.
    pub proxied: Option<Proxied>,
}

/// Whom the PROXY protocol names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxied {
    /// Where the listener says it.
    pub name: String,
    /// It may be one of those that are believed, who say the client in [`RealIp::header`].
    pub is_a_proxy: bool,
}

impl RealIp {
    /// The PROXY protocol says that the client connected to port 443: `rewrite` of
    /// `rootfs/etc/nginx/lua/lua_ingress.lua`, ingress-nginx dbb11b92d.
    pub(crate) fn says_https(&self, facts: &Facts) -> bool {
        let place = || (facts.property)(&["destination", "address"]);
        self.proxied.is_some() && place().is_some_and(|place| place.ends_with(b":443"))
    }

    /// Whom the PROXY protocol names.
    pub(super) fn proxied(&self, headers: &Headers) -> Option<IpAddr> {
        let address = first(headers, &self.proxied.as_ref()?.name)?;
        std::str::from_utf8(address).ok()?.parse().ok()
    }
}

/// The address of the client; `None`: the host knows none. `real_ip`: `None` where whoever connects
/// is the client.
pub(crate) fn address(
    headers: &Headers,
    facts: &Facts,
    real_ip: Option<&RealIp>,
) -> Option<IpAddr> {
    let peer = peer(headers, facts, real_ip)?;
    Some(match real_ip {
        Some(real_ip) => told(headers, peer, real_ip),
        None => peer,
    })
}

/// The address that the connection came from. Where Envoy believes a proxy in front, its own
/// `source.address` is what that one says.
pub(crate) fn peer(headers: &Headers, facts: &Facts, real_ip: Option<&RealIp>) -> Option<IpAddr> {
    let header = real_ip.and_then(|real_ip| real_ip.peer.as_deref());
    match header.and_then(|name| first(headers, name)) {
        Some(address) => std::str::from_utf8(address).ok()?.parse().ok(),
        None => socket(&(facts.property)(&["source", "address"])?),
    }
}

/// Whom the last proxy that is believed names.
fn told(headers: &Headers, peer: IpAddr, real_ip: &RealIp) -> IpAddr {
    if let (Some(how), Some(proxied)) = (&real_ip.proxied, real_ip.proxied(headers)) {
        let is_believed = |address| real_ip.trusted.contains(address);
        if !(how.is_a_proxy && is_believed(proxied)) {
            return Some(proxied).filter(|_| is_believed(peer)).unwrap_or(peer);
        }
    }
    let fields: Vec<&[u8]> = all(headers, &real_ip.header).collect();
    let mut client = peer;
    for field in fields.into_iter().rev() {
        let mut rest = Some(field);
        while let Some(field) = rest {
            let (before, text) = split_last(field);
            let Some(address) = forwarded(text).filter(|_| real_ip.trusted.contains(client)) else {
                return client;
            };
            client = address;
            rest = before;
        }
    }
    client
}

/// The last text of a list, and what stands before it. A separator in front of all is a part of the
/// first text.
fn split_last(field: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b',');
    let end = field.iter().rposition(|byte| !is_separator(byte));
    let field = end.map_or(field, |end| field.get(..=end).unwrap_or(field));
    match field.iter().rposition(is_separator) {
        Some(at) if at > 0 => (
            field.get(..at),
            field
                .get(at..)
                .map_or(field, |text| text.get(1..).unwrap_or(text)),
        ),
        _ => (None, field),
    }
}

/// An address with or without a port.
fn forwarded(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let with_port = || {
        let (text, port) = text.rsplit_once(':')?;
        port.parse::<u16>().ok()?;
        dotted(text)
    };
    let v6 = text.parse().ok().map(IpAddr::V6);
    v6.or_else(|| dotted(text))
        .or_else(with_port)
        .or_else(|| socket(text.as_bytes()))
}

/// Four numbers, which may begin with zeros (`ngx_inet_addr`).
fn dotted(text: &str) -> Option<IpAddr> {
    let mut parts = text.split('.').map(|part| {
        let is_number = !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
        part.parse().ok().filter(|_| is_number)
    });
    let mut next = || parts.next().flatten();
    let address = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    parts.next().is_none().then_some(IpAddr::V4(address))
}

/// `ip:port`, an IPv6 address in brackets.
fn socket(text: &[u8]) -> Option<IpAddr> {
    let address: SocketAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    fn client(peer: Option<&str>, forwarded: &[&str], trusted: Option<&str>) -> Option<String> {
        let headers: Vec<_> = forwarded
            .iter()
            .map(|value| ("x-forwarded-for", *value))
            .collect();
        let facts = Facts {
            property: &|path| {
                assert_eq!(path, ["source", "address"]);
                peer.map(|peer| peer.as_bytes().to_vec())
            },
            ..Facts::NONE
        };
        let real_ip = trusted.map(|trusted| RealIp {
            header: "x-forwarded-for".to_owned(),
            trusted: Networks::read(trusted.split(',')).unwrap(),
            peer: None,
            full: None,
            proxied: None,
        });
        let found = address(&fields(&headers), &facts, real_ip.as_ref());
        found.map(|address| address.to_string())
    }

    #[test]
    fn whoever_connects_is_the_client_where_nobody_is_believed() {
        let lie = ["10.0.0.1"];
        assert_eq!(
            client(Some("1.2.3.4:5"), &lie, None).as_deref(),
            Some("1.2.3.4")
        );
        assert_eq!(client(Some("[::1]:5"), &lie, None).as_deref(), Some("::1"));
        assert_eq!(client(Some("envoy://internal"), &lie, None), None);
        assert_eq!(client(None, &lie, None), None);
    }

    #[test]
    fn the_last_proxy_that_is_believed_names_the_client() {
        let all = "0.0.0.0/0";
        for (forwarded, trusted, found) in [
            (&[][..], all, "127.0.0.1"),
            (&["1.1.1.1"], all, "1.1.1.1"),
            (&["1.1.1.1, 2.2.2.2"], all, "1.1.1.1"),
            (&["1.1.1.1,2.2.2.2"], all, "1.1.1.1"),
            (&["1.1.1.1", "2.2.2.2"], all, "1.1.1.1"),
            (&["1.1.1.1, 2.2.2.2"], "127.0.0.0/8", "2.2.2.2"),
            (&["1.1.1.1, 2.2.2.2"], "127.0.0.0/8,2.0.0.0/8", "1.1.1.1"),
            (&["1.1.1.1"], "10.0.0.0/8", "127.0.0.1"),
            (&["garbage, 1.1.1.1"], all, "1.1.1.1"),
            (&["1.1.1.1, garbage"], all, "127.0.0.1"),
            (&["2001:db8::1"], all, "2001:db8::1"),
            (&["1.1.1.1, 2001:db8::1"], all, "2001:db8::1"),
            (&["[2001:db8::1]"], all, "127.0.0.1"),
            (&["1.1.1.1,"], all, "1.1.1.1"),
            (&[",1.1.1.1"], all, "127.0.0.1"),
            (&[",1.1.1.1, 2.2.2.2"], all, "2.2.2.2"),
            (&[","], all, "127.0.0.1"),
            (&["1.1.1.1", ""], all, "127.0.0.1"),
            (&["::ffff:1.2.3.4"], all, "::ffff:1.2.3.4"),
            (&["9.9.9.9, ::ffff:1.2.3.4"], all, "9.9.9.9"),
            (&["[2001:db8::1]:80"], all, "2001:db8::1"),
            (&["1.1.1.1:80"], all, "1.1.1.1"),
            (&["01.1.1.1"], all, "1.1.1.1"),
            (&["256.1.1.1"], all, "127.0.0.1"),
            (&["1.1.1"], all, "127.0.0.1"),
            (&["unknown"], all, "127.0.0.1"),
            (&[""], all, "127.0.0.1"),
            (&["1.1.1.1 , "], all, "1.1.1.1"),
            (&["1.1.1.1:x"], all, "127.0.0.1"),
        ] {
            let is = client(Some("127.0.0.1:9"), forwarded, Some(trusted));
            assert_eq!(is.as_deref(), Some(found), "{forwarded:?} {trusted}");
        }
    }

    #[test]
    fn the_proxy_protocol_names_the_client_or_a_proxy_that_is_believed() {
        for (proxied, forwarded, trusted, is_a_proxy, found) in [
            ("1.1.1.1", &["2.2.2.2"][..], "0.0.0.0/0", false, "1.1.1.1"),
            ("1.1.1.1", &[], "10.0.0.0/8", false, "127.0.0.1"),
            ("1.1.1.1", &["2.2.2.2"], "0.0.0.0/0", true, "2.2.2.2"),
            ("1.1.1.1", &[], "0.0.0.0/0", true, "127.0.0.1"),
            ("1.1.1.1", &["2.2.2.2"], "127.0.0.0/8", true, "1.1.1.1"),
            ("unknown", &[], "0.0.0.0/0", false, "127.0.0.1"),
        ] {
            let headers: Vec<_> = forwarded
                .iter()
                .map(|value| ("x-forwarded-for", *value))
                .chain([("x-limpet-proxied", proxied)])
                .collect();
            let real_ip = RealIp {
                header: "x-forwarded-for".to_owned(),
                trusted: Networks::read(trusted.split(',')).unwrap(),
                peer: None,
                full: None,
                proxied: Some(Proxied {
                    name: "x-limpet-proxied".to_owned(),
                    is_a_proxy,
                }),
            };
            let peer = "127.0.0.1".parse().unwrap();
            let is = told(&fields(&headers), peer, &real_ip);
            assert_eq!(is.to_string(), found, "{proxied} {forwarded:?} {trusted}");
        }
    }

    #[test]
    fn an_address_has_four_numbers_and_nothing_else() {
        for (text, is_one) in [
            ("1.2.3.4", true),
            ("001.02.3.4", true),
            ("1.2.3.4:80", true),
            ("+1.2.3.4", false),
            ("1.2.3.+4", false),
            ("1..3.4", false),
            ("1.2.3", false),
            ("1.2.3.4.5", false),
            ("1.2.3.256", false),
            ("1.2.3.4:x", false),
            ("1.2.3.4:", false),
            ("", false),
        ] {
            assert_eq!(forwarded(text.as_bytes()).is_some(), is_one, "{text}");
        }
    }
}
