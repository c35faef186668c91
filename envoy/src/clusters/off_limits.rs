//! Where nothing that a tenant writes may lead: to the host that the proxy runs on, and what only it
//! can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::names;

/// Metadata services of clouds that are not at a link-local address: Alibaba Cloud's and Amazon's.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// What a refusal for loopback says: the one that `allow_loopback` lifts.
const LOOPBACK: [&str; 2] = [
    "a loopback address",
    "a name of the host that Envoy runs on",
];

/// Whether `allow_loopback` would lift the refusal `why`.
#[must_use]
pub fn is_of_loopback(why: &str) -> bool {
    LOOPBACK.contains(&why)
}

/// Why nothing is sent to `ip`; `None`: something may be. `allow_loopback`: for trying things out.
#[must_use]
pub fn address(ip: IpAddr, allow_loopback: bool) -> Option<&'static str> {
    let ip = plain(ip);
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    // All of 0.0.0.0/8 is "this host on this network", RFC 1122.
    let is_this_host = match ip {
        IpAddr::V4(ip) => ip.octets().first() == Some(&0),
        IpAddr::V6(ip) => ip.is_unspecified(),
    };
    if is_this_host {
        Some("an unspecified address")
    } else if ip.is_loopback() {
        let [address, _] = LOOPBACK;
        (!allow_loopback).then_some(address)
    } else if is_link_local {
        Some("a link-local address")
    } else if METADATA.contains(&ip) {
        Some("where a cloud tells its machines their secrets")
    } else if ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some("a multicast address")
    } else {
        None
    }
}

/// Why nothing is sent to what is called `name`.
///
/// Source: `getEndpointsFromSlices`, `internal/ingress/controller/endpointslices.go`, ingress-nginx
/// dbb11b92d, refuses `localhost` and loopback addresses; resolvers take more spellings.
#[must_use]
pub fn name(name: &str, allow_loopback: bool) -> Option<&'static str> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let ip = bare.parse().ok().or_else(|| numbers(&name));
    if let Some(ip) = ip {
        return address(ip, allow_loopback);
    }
    // As the files of hosts of Debian and Fedora have them.
    let (first, rest) = name.split_once('.').unwrap_or((&name, ""));
    let is_local = matches!(
        first,
        "localhost" | "localhost4" | "localhost6" | "ip6-localhost" | "ip6-loopback"
    );
    let is_bare = matches!(rest, "" | "localdomain" | "localdomain4" | "localdomain6");
    let is_this_host = is_local && is_bare || name.ends_with(".localhost");
    if is_this_host {
        let [_, name] = LOOPBACK;
        (!allow_loopback).then_some(name)
    } else if names::is_subdomain(&name) {
        None
    } else {
        Some("no name in DNS")
    }
}

/// An IPv4 address inside an IPv6 one: mapped, compatible, or behind NAT64.
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else {
        return ip;
    };
    let [.., high, low] = v6.segments();
    let inside = || {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => ip,
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => inside(),
        _ => ip,
    }
}

/// One to four numbers as `inet_aton` reads them: decimal, octal after `0`, hexadecimal after `0x`;
/// the last one fills what is left.
fn numbers(name: &str) -> Option<IpAddr> {
    let number = |text: &str| match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(""), _) => Some(0),
        (Some(hex), _) => u64::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    };
    let parts: Option<Vec<u64>> = name.split('.').map(number).collect();
    let parts = parts?;
    let (last, front) = parts.split_last()?;
    let bits = 32_u32.checked_sub(8_u32.checked_mul(front.len().try_into().ok()?)?)?;
    if bits == 0 || *last >= 1_u64 << bits || front.iter().any(|part| *part > 255) {
        return None;
    }
    let front = front.iter().fold(0, |all, part| (all << 8) | part);
    let all = u32::try_from((front << bits) | last).ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(all)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_envoy_runs_on_is_off_limits_in_every_spelling() {
        for spelling in [
            "localhost",
            "LocalHost.",
            "a.localhost",
            "ip6-loopback",
            "localhost.localdomain",
            "localhost4",
            "localhost6.localdomain6",
            "127.0.0.1",
            "127.9.9.9",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.01",
            "017700000001",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
        ] {
            assert!(name(spelling, false).is_some(), "{spelling}");
            assert_eq!(name(spelling, true), None, "{spelling}");
        }
        for spelling in [
            "0.0.0.0",
            "0",
            "0x0",
            "0.1.2.3",
            "::",
            "::ffff:0.0.0.0",
            "169.254.169.254",
            "100.100.100.200",
            "fd00:ec2::254",
            "0xa9fea9fe",
            "::ffff:169.254.1.1",
            "fe80::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "",
            ".",
            "a b",
            "a\n",
            "unix:/run/admin.sock",
            "localhost:9901",
        ] {
            assert!(name(spelling, true).is_some(), "{spelling}");
        }
        for spelling in [
            "api.example.net",
            "api.example.net.",
            "localhost.example.net",
            "10.0.0.1",
            "10.1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(name(spelling, false), None, "{spelling}");
        }
    }
}
