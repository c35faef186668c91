//! The consistent-hash ring beside a plain one, and the keys that are made for it.

use limpet::endpoints::ring::POINTS;
use limpet::endpoints::{ClusterTable, Endpoint, Health, Index, Nodes, ring_key};

/// Every bit of a CRC-32 by itself, as its standard has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |state, byte| {
        (0..8).fold(state ^ u32::from(*byte), |state, _| {
            let carry = state & 1 != 0;
            (state >> 1) ^ if carry { 0xEDB8_8320 } else { 0 }
        })
    })
}

/// The points of one node: each is the checksum of its name and the point before.
fn points(node: &str) -> Vec<u32> {
    let mut points = Vec::new();
    let mut before = 0_u32;
    for _ in 0..POINTS {
        before = crc32(&[node.as_bytes(), &before.to_le_bytes()].concat());
        points.push(before);
    }
    points
}

/// The owner of the first point at or after `hash`, else of the first of all; of equal ones the lower.
fn owner(points: &[(u32, u32)], hash: u32) -> Option<u32> {
    let after = points.iter().filter(|(point, _)| *point >= hash).min();
    after.or(points.iter().min()).map(|(_, owner)| *owner)
}

/// How many endpoints, then the last two bytes and the port of each, then keys in lines.
pub fn ring(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let (addresses, keys) = rest.split_at(rest.len().min(usize::from(count % 8) * 3));
    let endpoint = |bytes: &[u8]| Endpoint {
        address: format!("10.0.{}.{}:{}", bytes[0], bytes[1], bytes[2]).into(),
        health: Health::Healthy,
    };
    let index = Index {
        digests: &[],
        nodes: Nodes::Endpoints,
    };
    let endpoints = addresses.chunks_exact(3).map(endpoint).collect();
    let table = ClusterTable::build(index, endpoints);
    let mut plain = Vec::new();
    for (position, endpoint) in (0..).zip(table.endpoints()) {
        plain.extend(
            points(&endpoint.address)
                .into_iter()
                .map(|point| (point, position)),
        );
    }
    let ring = table.ring();
    assert_eq!(ring.len(), plain.len());
    for key in keys.split(|byte| *byte == b'\n') {
        assert_eq!(ring.find(key), owner(&plain, crc32(key)), "{key:?}");
    }
    let random = u64::from(crc32(data)) << 32 | u64::from(crc32(keys));
    let mut hashes = 0;
    for (position, endpoint) in (0..).zip(table.endpoints()) {
        for (nth, arc) in ring.arcs(&endpoint.address, position).enumerate() {
            hashes += arc.length;
            // Both ends of some, and a place between.
            if arc.length == 0 || nth % 16 != data.len() % 16 {
                continue;
            }
            for step in [0, random % arc.length, arc.length - 1] {
                let hash = arc.after.wrapping_add(1).wrapping_add(step as u32);
                let key = ring_key::key(random >> 30, hash, random.rotate_left(nth as u32));
                assert_eq!(crc32(key.as_bytes()), hash, "{key}");
                assert_eq!(ring.find(key.as_bytes()), Some(position), "{key}");
                assert_eq!(owner(&plain, hash), Some(position), "{key}");
            }
        }
    }
    let all = if plain.is_empty() { 0 } else { 1 << 32 };
    assert_eq!(hashes, all, "every hash belongs to one endpoint");
}
