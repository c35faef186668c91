//! Stream properties with Envoy's names and encodings: numbers are 8 bytes, little endian
//! and signed; truth values one byte; times and durations nanoseconds; texts as they are.
//!
//! Source: Envoy 1.40, `source/extensions/filters/common/expr/context.h`, and observation.

use super::{Phase, Stream};
use crate::connection::Direction;
use crate::headers::Headers;

impl Stream {
    /// The property at `path`, whose parts are separated by zero bytes.
    pub(crate) fn property(&self, path: &[u8]) -> Option<Vec<u8>> {
        if let Some(value) = self.filter_state.get(path) {
            return Some(value.clone());
        }
        let (root, rest) = match path.iter().position(|byte| *byte == 0) {
            Some(end) => (path.get(..end)?, path.get(end.checked_add(1)?..)?),
            None => (path, &[][..]),
        };
        match root {
            b"request" => self.request_property(rest),
            b"response" => self.response_property(rest),
            b"source" => address_property(rest, self.connection.source),
            b"destination" => address_property(rest, self.connection.destination),
            b"connection" => self.connection_property(rest),
            b"upstream" => self.upstream_property(rest),
            b"xds" => self.xds_property(rest),
            b"filter_state" => self.filter_state.get(rest.strip_prefix(b"wasm.")?).cloned(),
            _ => None,
        }
    }

    fn request_property(&self, name: &[u8]) -> Option<Vec<u8>> {
        let head = self.readable_request()?;
        let field = |field| head.first(field).map(<[u8]>::to_vec);
        let path = || head.first(":path").unwrap_or_default();
        let question = || path().iter().position(|byte| *byte == b'?');
        match name {
            b"path" => field(":path"),
            b"url_path" => Some(path().get(..question().unwrap_or(path().len()))?.to_vec()),
            b"query" => Some(match question() {
                Some(end) => path().get(end.checked_add(1)?..)?.to_vec(),
                None => Vec::new(),
            }),
            b"host" => field(":authority"),
            b"scheme" => field(":scheme"),
            b"method" => field(":method"),
            b"referer" => field("referer"),
            b"useragent" => field("user-agent"),
            b"id" => field("x-request-id"),
            b"protocol" => Some(self.connection.protocol.clone().into_bytes()),
            b"time" => Some(self.started.to_le_bytes().to_vec()),
            _ => joined(head, header_name(name)?),
        }
    }

    fn response_property(&self, name: &[u8]) -> Option<Vec<u8>> {
        let head = self.readable_response()?;
        match name {
            b"code" => Some(number(i64::from(head.status()?))),
            b"code_details" => Some(self.summary.details.clone()?.into_bytes()),
            b"flags" => Some(self.summary.flags.to_le_bytes().to_vec()),
            _ => joined(head, header_name(name)?),
        }
    }

    fn connection_property(&self, name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"mtls" => Some(vec![0]),
            b"tls_version" => Some(self.connection.tls_version.clone()?.into_bytes()),
            _ => None,
        }
    }

    fn upstream_property(&self, name: &[u8]) -> Option<Vec<u8>> {
        if matches!(self.phase, Phase::Request) {
            return None;
        }
        let summary = &self.summary;
        match name {
            b"request_attempt_count" => Some(number(i64::from(summary.attempts))),
            b"transport_failure_reason" => Some(summary.transport_failure.clone()?.into_bytes()),
            _ => address_property(name, summary.endpoint?),
        }
    }

    fn xds_property(&self, name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"cluster_name" => Some(self.summary.cluster.clone()?.into_bytes()),
            b"route_name" => Some(self.summary.route.clone()?.into_bytes()),
            b"listener_direction" => Some(number(match self.connection.direction {
                Direction::Unspecified => 0,
                Direction::Inbound => 1,
                Direction::Outbound => 2,
            })),
            _ => None,
        }
    }
}

/// Every value of `name`, a comma between them; `None`: there is none.
fn joined(head: &Headers, name: &str) -> Option<Vec<u8>> {
    let values: Vec<_> = head.all(name).collect();
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

fn address_property(name: &[u8], address: std::net::SocketAddr) -> Option<Vec<u8>> {
    match name {
        b"address" => Some(address.to_string().into_bytes()),
        b"port" => Some(number(i64::from(address.port()))),
        _ => None,
    }
}

/// The name in `headers` NUL name.
fn header_name(path: &[u8]) -> Option<&str> {
    std::str::from_utf8(path.strip_prefix(b"headers\0")?).ok()
}

pub(crate) fn number(number: i64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}
