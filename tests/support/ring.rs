//! ingress-nginx's ring, written down a second time and plainly, to predict by.
//!
//! Source: lua-resty-balancer v0.05 `chash.lua`: 160 points per node, each the CRC-32 of
//! the node's name and the point before (little-endian, 0 at first); a key belongs to the first
//! point at or after its own CRC-32, else to the first of all.

/// The sorted points with their endpoints.
#[derive(Debug)]
pub struct Ring {
    points: Vec<(u32, String)>,
}

impl Ring {
    /// The ring of these endpoints.
    #[must_use]
    pub fn new(endpoints: &[String]) -> Self {
        let mut points = Vec::new();
        for endpoint in endpoints {
            let mut last = [0; 4];
            for _ in 0..160 {
                let mut bytes = endpoint.clone().into_bytes();
                bytes.extend(last);
                let hash = crc32(&bytes);
                points.push((hash, endpoint.clone()));
                last = hash.to_le_bytes();
            }
        }
        points.sort();
        Self { points }
    }

    /// The points, in order, with their endpoints.
    #[must_use]
    pub fn points(&self) -> &[(u32, String)] {
        &self.points
    }

    /// The point that a key belongs to, with its endpoint.
    #[must_use]
    pub fn point(&self, key: &str) -> Option<&(u32, String)> {
        let hash = crc32(key.as_bytes());
        let at = self.points.partition_point(|(point, _)| *point < hash);
        self.points.get(at).or(self.points.first())
    }

    /// The endpoint that a key belongs to.
    #[must_use]
    pub fn endpoint(&self, key: &str) -> Option<&str> {
        self.point(key).map(|(_, endpoint)| endpoint.as_str())
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recordings::{list, read, strings};

    #[test]
    fn it_is_the_recorded_ring() {
        for recorded in list(&read("affinity.json")["A1_chash"]) {
            let ring = Ring::new(&strings(&recorded["nodes"]));
            let keys = list(&recorded["keys"])
                .iter()
                .filter(|row| row["key"].is_string());
            for row in keys {
                assert_eq!(
                    ring.endpoint(row["key"].as_str().unwrap()),
                    row["endpoint"].as_str()
                );
            }
        }
    }
}
