//! Lists of addresses and networks.
//!
//! Source: `ParseIPNets`, `internal/net/ipnet.go`, ingress-nginx dbb11b92d, and Go's
//! `net.ParseCIDR` and `IPNet.String`; `ngx_http_access_inet`, nginx 1.27.1.

use crate::sorted::sorted_by;
use std::net::IpAddr;
use std::sync::Arc;

/// A list, shared by all who have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Arc<Ranges>);

/// The addresses that are listed, from the first to the last of each range, in order and apart: a client may
/// say thousands of addresses to a list of thousands of networks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ranges {
    /// Mapped into IPv6.
    v4: Vec<(u128, u128)>,
    v6: Vec<(u128, u128)>,
}

/// Addresses with the same first bits. Those of IPv4 are mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: u128,
    mask: u128,
}

/// The bits that are the same in all addresses of IPv4.
const MAPPED: u128 = u128::MAX << 32;

/// All of IPv6, and all of IPv4.
const EVERYBODY: [Network; 2] = [
    Network { base: 0, mask: 0 },
    Network {
        base: 0xffff << 32,
        mask: MAPPED,
    },
];

impl Networks {
    /// Whether both are one in memory.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Reads texts such as `10.0.0.0/8` and `::1`. `None`: one is none.
    pub fn read<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Self> {
        let networks = texts.map(|text| network(text.trim()));
        let networks: Vec<Network> = networks.collect::<Option<_>>()?;
        Some(Self::of(&networks))
    }

    /// Every address there is.
    #[must_use]
    pub fn everybody() -> Self {
        Self::of(&EVERYBODY)
    }

    /// Every address of IPv4.
    #[must_use]
    pub fn all_of_ipv4() -> Self {
        let [_, v4] = EVERYBODY;
        Self::of(&[v4])
    }

    fn of(networks: &[Network]) -> Self {
        Self(Arc::new(Ranges {
            v4: ranges(networks, true),
            v6: ranges(networks, false),
        }))
    }

    /// Whether an address is in one of them. What is mapped into IPv6 is an address of IPv4, which
    /// no network of IPv6 has.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = bits(address);
        let is_mapped = address >> 32 == 0xffff;
        let ranges = if is_mapped { &self.0.v4 } else { &self.0.v6 };
        let begun = ranges.partition_point(|(first, _)| *first <= address);
        let last_begun = begun.checked_sub(1).and_then(|at| ranges.get(at));
        last_begun.is_some_and(|(_, last)| address <= *last)
    }
}

/// The networks in order, those that overlap made one.
fn ranges(networks: &[Network], of_ipv4: bool) -> Vec<(u128, u128)> {
    let range = |at: &usize| {
        networks
            .get(*at)
            .map(|one| (one.base, one.base | !one.mask))
    };
    let of_these = |at: &usize| {
        networks
            .get(*at)
            .is_some_and(|one| one.is_of_ipv4() == of_ipv4)
    };
    let places = (0..networks.len()).filter(of_these).collect();
    let places = sorted_by(places, |one, two| range(one).cmp(&range(two)));
    let mut ranges: Vec<(u128, u128)> = Vec::new();
    for (first, last) in places.iter().filter_map(range) {
        match ranges.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => ranges.push((first, last)),
        }
    }
    ranges
}

impl Network {
    fn is_of_ipv4(self) -> bool {
        self.mask >= MAPPED && self.base >> 32 == 0xffff
    }
}

fn network(text: &str) -> Option<Network> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let width: u32 = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        Some(length) if length.bytes().all(|digit| digit.is_ascii_digit()) => {
            length.parse().ok()?
        }
        Some(_) => return None,
        None => width,
    };
    let mask = u128::MAX.checked_shl(width.checked_sub(length)?);
    let mask = mask.unwrap_or_default();
    Some(Network {
        base: bits(address) & mask,
        mask,
    })
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Networks> {
        Networks::read(text.split(','))
    }

    #[test]
    fn an_address_is_in_a_network_as_nginx_and_go_have_it() {
        for (list, address, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("1.1.1.1, 10.0.0.1/32", "10.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("0.0.0.0/0", "::ffff:203.0.113.1", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("::ffff:0:0/95", "10.0.0.1", false),
            ("::ffff:0:0/95", "::fffe:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
            ("10.0.0.0/08", "10.9.9.9", true),
        ] {
            let networks = read(list).unwrap();
            assert_eq!(
                networks.contains(address.parse().unwrap()),
                is_in,
                "{list} {address}"
            );
        }
        // Of those that overlap none hides another.
        let many =
            read("10.0.0.0/8, 10.1.0.0/16, 9.0.0.0/8, 10.9.0.1, 12.0.0.0/32, ::1, ::/96").unwrap();
        for (address, is_in) in [
            ("8.255.255.255", false),
            ("9.0.0.0", true),
            ("10.200.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("12.0.0.0", true),
            ("12.0.0.1", false),
            ("::", true),
            ("::ffff:ffff", true),
            ("::1:0:0", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(many.contains(address), is_in, "{address}");
        }
        let everybody = Networks::everybody();
        let v4 = Networks::all_of_ipv4();
        for (address, is_v4) in [("10.0.0.1", true), ("::1", false), ("::ffff:1.2.3.4", true)] {
            assert!(everybody.contains(address.parse().unwrap()), "{address}");
            assert_eq!(v4.contains(address.parse().unwrap()), is_v4, "{address}");
        }
    }

    #[test]
    fn what_is_no_network_spoils_the_list() {
        for list in [
            "",
            "10.0.0.1,",
            "bogus",
            "10.0.0.1, x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "010.0.0.1",
            "10.0.0",
            "fe80::1%eth0",
            "all",
            "10.0.0.0/8/8",
            "/8",
            "10.0.0.0/99999999999",
        ] {
            assert_eq!(read(list), None, "{list}");
        }
    }
}
