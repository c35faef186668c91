//! Lists of addresses and networks.
//!
//! Source: `ParseIPNets`, `internal/net/ipnet.go`, ingress-nginx dbb11b92d, and Go's
//! `net.ParseCIDR` and `IPNet.String`; `ngx_http_access_inet`, nginx 1.27.1.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// A list, shared by all who have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Arc<[Network]>);

/// Addresses with the same first bits. Those of IPv4 are mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: u128,
    mask: u128,
}

/// The bits that are the same in all addresses of IPv4.
const MAPPED: u128 = u128::MAX << 32;

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
        Some(Self(networks.into()))
    }

    /// Every address there is.
    #[must_use]
    pub fn everybody() -> Self {
        let base = Ipv6Addr::from([0, 0, 0, 0, 0, 0xffff, 0, 0]);
        let v4 = Network {
            base: base.to_bits(),
            mask: MAPPED,
        };
        Self(Arc::new([Network { base: 0, mask: 0 }, v4]))
    }

    /// Every address of IPv4.
    #[must_use]
    pub fn all_of_ipv4() -> Self {
        let all = Self::everybody();
        let v4 = all.0.iter().filter(|network| network.is_of_ipv4());
        Self(v4.copied().collect())
    }

    /// Whether an address is in one of them. What is mapped into IPv6 is an address of IPv4, which
    /// no network of IPv6 has.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = bits(address);
        let is_mapped = address >> 32 == 0xffff;
        self.0.iter().any(|network| {
            address & network.mask == network.base && network.is_of_ipv4() == is_mapped
        })
    }
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
