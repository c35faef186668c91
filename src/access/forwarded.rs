//! What pods are told of a client's address, where proxies in front say it.
//!
//! Source: the `proxy_set_header` lines and the map `$full_x_forwarded_for` of
//! `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx dbb11b92d.

use super::RealIp;
use super::client::{self, address};
use crate::edit::{Edit, FieldValue, Headers, Name, all, first};
use crate::facts::Facts;

/// The edits of a request's head. A header that would be empty is none.
pub(crate) fn edits<'p>(headers: &Headers, facts: &Facts, real_ip: &'p RealIp) -> Vec<Edit<'p>> {
    let (client, forwarded) = told(headers, facts, Some(real_ip));
    let mut edits = vec![
        write("x-forwarded-for", forwarded),
        write("x-real-ip", client),
    ];
    // Envoy hands on the first of several fields.
    if all(headers, &real_ip.header).nth(1).is_some() {
        let original = joined(all(headers, &real_ip.header).map(<[u8]>::to_vec));
        edits.push(write("x-original-forwarded-for", Some(original)));
    }
    let proxied = real_ip.proxied.as_ref().map(|proxied| &proxied.name);
    let own = real_ip.peer.iter().chain(proxied);
    let own = own.filter(|name| first(headers, name).is_some());
    edits.extend(own.map(|name| Edit::Remove(name.into())));
    if real_ip.says_https(facts) {
        let names = ["x-forwarded-proto", "x-forwarded-scheme", "x-scheme"];
        edits.extend(names.map(|name| write(name, Some(b"https".to_vec()))));
    }
    edits
}

/// X-Real-IP and X-Forwarded-For.
pub(crate) fn told(
    headers: &Headers,
    facts: &Facts,
    real_ip: Option<&RealIp>,
) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let client = address(headers, facts, real_ip);
    let client = client.map(|client| client.to_string().into_bytes());
    let full = real_ip.and_then(|real_ip| {
        let name = real_ip.full.as_deref()?;
        let peer = || client::peer(headers, facts, Some(real_ip));
        let peer = real_ip.proxied(headers).or_else(peer);
        let peer = peer.map(|peer| peer.to_string().into_bytes());
        let fields = all(headers, name).map(<[u8]>::to_vec).chain(peer);
        Some(joined(fields.filter(|text| !text.is_empty())))
    });
    let forwarded = full.or_else(|| client.clone());
    (client, forwarded)
}

fn joined(fields: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    fields.collect::<Vec<_>>().join(&b", "[..])
}

fn write<'p>(name: &'static str, value: Option<Vec<u8>>) -> Edit<'p> {
    let name = Name::Borrowed(name);
    match value.filter(|value| !value.is_empty()) {
        Some(value) => Edit::Set(name, FieldValue::received(value)),
        None => Edit::Remove(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Networks;
    use crate::edit::fields;

    fn told(sent: &[(&str, &str)], full: Option<&str>) -> Vec<String> {
        let facts = Facts {
            property: &|_| Some(b"10.9.9.9:1".to_vec()),
            ..Facts::NONE
        };
        let real_ip = RealIp {
            header: "x-client".to_owned(),
            trusted: Networks::read(["10.0.0.0/8"].into_iter()).unwrap(),
            peer: Some("x-peer".to_owned()),
            full: full.map(str::to_owned),
            proxied: None,
        };
        let edits = edits(&fields(sent), &facts, &real_ip);
        let text = |edit: Edit| match edit {
            Edit::Set(name, value) => {
                format!("{name}: {}", String::from_utf8(value.into_owned()).unwrap())
            }
            Edit::Remove(name) => format!("no {name}"),
            Edit::Add(..) => unreachable!("nothing is added"),
        };
        edits.into_iter().map(text).collect()
    }

    #[test]
    fn pods_are_told_whom_the_last_proxy_that_is_believed_names() {
        assert_eq!(
            told(&[("x-client", "1.1.1.1")], None),
            ["x-forwarded-for: 1.1.1.1", "x-real-ip: 1.1.1.1"]
        );
        assert_eq!(
            told(&[("x-peer", "9.9.9.9"), ("x-client", "1.1.1.1")], None),
            [
                "x-forwarded-for: 9.9.9.9",
                "x-real-ip: 9.9.9.9",
                "no x-peer"
            ]
        );
        assert_eq!(
            told(&[("x-client", "1.1.1.1"), ("x-client", "2.2.2.2")], None),
            [
                "x-forwarded-for: 2.2.2.2",
                "x-real-ip: 2.2.2.2",
                "x-original-forwarded-for: 1.1.1.1, 2.2.2.2"
            ]
        );
    }

    #[test]
    fn pods_are_told_of_https_where_the_proxy_protocol_names_port_443() {
        let written = |place: &'static [u8], proxied| {
            let facts = Facts {
                property: &|path| (path == ["destination", "address"]).then(|| place.to_vec()),
                ..Facts::NONE
            };
            let proxied = Some(super::super::Proxied {
                name: "x-proxied".to_owned(),
                is_a_proxy: false,
            })
            .filter(|_| proxied);
            let real_ip = RealIp {
                header: "x-client".to_owned(),
                trusted: Networks::default(),
                peer: None,
                full: None,
                proxied,
            };
            let edits = edits(&fields(&[("x-client", "1.1.1.1")]), &facts, &real_ip);
            let https = |name: &'static str| write(name, Some(b"https".to_vec()));
            ["x-forwarded-proto", "x-forwarded-scheme", "x-scheme"]
                .map(|name| edits.contains(&https(name)))
        };
        assert_eq!(written(b"2.2.2.2:443", true), [true; 3]);
        assert_eq!(written(b"2.2.2.2:80", true), [false; 3]);
        assert_eq!(written(b"2.2.2.2:443", false), [false; 3]);
    }

    #[test]
    fn the_full_list_grows_by_whoever_connects() {
        let full = Some("x-full");
        let real = "x-real-ip: 10.9.9.9";
        for (sent, list) in [
            (&[][..], "x-forwarded-for: 10.9.9.9"),
            (&[("x-full", "")], "x-forwarded-for: 10.9.9.9"),
            (
                &[("x-full", "garbage")],
                "x-forwarded-for: garbage, 10.9.9.9",
            ),
            (
                &[("x-full", "1.1.1.1"), ("x-full", "2.2.2.2")],
                "x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.9.9.9",
            ),
        ] {
            assert_eq!(told(sent, full), [list, real]);
        }
    }
}
