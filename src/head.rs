//! How long a request's head may be: `large-client-header-buffers`; and what it may have once.
//!
//! Source: `ngx_http_process_request_line`, `ngx_http_process_request_headers` and
//! `ngx_http_alloc_large_header_buffer` of nginx 1.27.1.

mod once;

use crate::edit::{Headers, first};
use crate::facts::Facts;
pub use once::has_two_of_one;

/// `client-header-buffer-size`: what the first lines share before a large buffer is taken.
const FIRST: usize = 1 << 10;

/// How many buffers, each of how many bytes. A line is never cut: it is in one buffer whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadBuffers {
    count: usize,
    size: usize,
}

impl Default for HeadBuffers {
    /// `4 8k`.
    fn default() -> Self {
        Self {
            count: 4,
            size: 8 << 10,
        }
    }
}

impl HeadBuffers {
    /// Reads `4 8k`; `None`: nginx would not start with it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (count, size) = (words.next()?.parse().ok()?, words.next()?);
        let end = size.find(|c: char| !c.is_ascii_digit());
        let (digits, unit) = size.split_at(end.unwrap_or(size.len()));
        let shift = match unit {
            "" => 0,
            "k" | "K" => 10,
            "m" | "M" => 20,
            _ => return None,
        };
        let size = digits.parse::<usize>().ok()?.checked_mul(1 << shift)?;
        let is_usable = count > 0 && size > 0 && words.next().is_none();
        is_usable.then_some(Self { count, size })
    }

    /// What a head that does not fit is answered.
    pub(crate) fn refusal(self, headers: &Headers, facts: &Facts) -> Option<u16> {
        let all = headers.iter().map(length).fold(0, usize::saturating_add);
        // Most heads are short.
        if all <= self.size {
            return None;
        }
        let protocol = (facts.property)(&["request", "protocol"]).unwrap_or_default();
        if protocol.starts_with(b"HTTP/1") {
            self.refusal_of_lines(headers)
        } else {
            self.refusal_of_fields(headers)
        }
    }

    fn refusal_of_lines(self, headers: &Headers) -> Option<u16> {
        let mut room = Room {
            buffers: self,
            taken: 0,
            left: FIRST,
        };
        let [method, target] = [":method", ":path"].map(|name| first(headers, name));
        let words = [method, target].map(|word| word.unwrap_or_default().len());
        let line = words.into_iter().fold(REQUEST_LINE, usize::saturating_add);
        if !room.takes(line) {
            return Some(414);
        }
        let mut came = headers.iter().filter(|(name, _)| is_a_field(name));
        let is_refused = came.any(|field| {
            let line = length(field);
            line > self.size || is_clients(field.0) && !room.takes(line)
        });
        is_refused.then_some(400)
    }

    /// In HTTP/2 every field has to fit, and all together what all the buffers hold. A cookie may have come
    /// in pieces, which Envoy has joined.
    fn refusal_of_fields(self, headers: &Headers) -> Option<u16> {
        let whole = |(name, value): &(&[u8], &[u8])| {
            let is_joined = *name == b"cookie";
            is_joined || name.len().max(value.len()) <= self.size
        };
        let came = headers.iter().filter(|(name, _)| is_clients(name));
        let all = came.map(length).fold(0, usize::saturating_add);
        let fits = all <= self.size.saturating_mul(self.count) && headers.iter().all(whole);
        (!fits).then_some(400)
    }
}

/// The two blanks, the version and the end of a request line.
const REQUEST_LINE: usize = "  HTTP/1.1\r\n".len();

/// The line of a field.
fn length((name, value): &(&[u8], &[u8])) -> usize {
    let text = name.len().saturating_add(value.len());
    text.saturating_add(": \r\n".len())
}

/// Whether it is a line of its own: the others are in the request line.
fn is_a_field(name: &[u8]) -> bool {
    !name.starts_with(b":") || name == b":authority"
}

/// Whether it takes a client's room: the proxy itself may have written these.
fn is_clients(name: &[u8]) -> bool {
    const WRITTEN: [&[u8]; 4] = [b"x-limpet-", b"x-envoy-", b"x-forwarded-", b"x-original-"];
    let is_written = WRITTEN.iter().any(|start| name.starts_with(start));
    !is_written && ![&b"x-real-ip"[..], b"x-scheme", b"x-request-id"].contains(&name)
}

/// What the buffers still hold.
struct Room {
    buffers: HeadBuffers,
    taken: usize,
    left: usize,
}

impl Room {
    /// Puts a line where there is room for it, or into the next buffer; `false`: there is none.
    fn takes(&mut self, line: usize) -> bool {
        if let Some(left) = self.left.checked_sub(line) {
            self.left = left;
            return true;
        }
        self.taken = self.taken.saturating_add(1);
        let left = self.buffers.size.checked_sub(line);
        self.left = left.unwrap_or_default();
        left.is_some() && self.taken <= self.buffers.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    fn refusal(
        buffers: &str,
        protocol: &str,
        target: usize,
        values: &[(&str, usize)],
    ) -> Option<u16> {
        let target = "x".repeat(target);
        let mut head = vec![(":method", "GET".to_owned()), (":path", target)];
        head.extend(values.iter().map(|(name, size)| (*name, "x".repeat(*size))));
        let property = |_: &[&str]| Some(protocol.as_bytes().to_vec());
        let facts = Facts {
            property: &property,
            ..Facts::NONE
        };
        let buffers = HeadBuffers::read(buffers).unwrap();
        buffers.refusal(&fields(&head), &facts)
    }

    #[test]
    fn a_line_has_to_fit_into_one_buffer() {
        const OLD: &str = "HTTP/1.1";
        for (target, value, status) in [
            (8177, 100, None),
            (8178, 100, Some(414)),
            (100, 8185, None),
            (100, 8186, Some(400)),
        ] {
            let seen = refusal("4 8k", OLD, target, &[("x-a", value)]);
            assert_eq!(seen, status, "{target} {value}");
        }
        assert_eq!(refusal("4 16k", OLD, 9000, &[("x-a", 9000)]), None);
    }

    #[test]
    fn all_lines_have_to_fit_into_all_buffers() {
        let four = [("x-a", 7000); 4];
        assert_eq!(refusal("4 8k", "HTTP/1.1", 10, &four), None);
        let five = [("x-a", 7000); 5];
        assert_eq!(refusal("4 8k", "HTTP/1.1", 10, &five), Some(400));
        assert_eq!(refusal("5 8k", "HTTP/1.1", 10, &five), None);
        // What the proxy has written takes no room, and has to be short all the same.
        let beside = [("x-a", 8000), ("x-real-ip", 100), ("x-forwarded-for", 100)];
        assert_eq!(refusal("1 8k", "HTTP/1.1", 10, &beside), None);
        // The name of the host is a line, the method and the target are the first.
        assert_eq!(
            refusal("4 8k", "HTTP/1.1", 10, &[(":authority", 8200)]),
            Some(400)
        );
        let long = [("x-forwarded-for", 8200)];
        assert_eq!(refusal("4 8k", "HTTP/1.1", 10, &long), Some(400));
    }

    #[test]
    fn a_cookie_of_http_2_may_have_come_in_pieces() {
        assert_eq!(refusal("4 8k", "HTTP/2", 10, &[("cookie", 20_000)]), None);
        assert_eq!(refusal("4 8k", "HTTP/2", 10, &[("x-a", 9000)]), Some(400));
        assert_eq!(
            refusal("4 8k", "HTTP/2", 10, &[("cookie", 40_000)]),
            Some(400)
        );
        assert_eq!(
            refusal("4 8k", "HTTP/1.1", 10, &[("cookie", 20_000)]),
            Some(400)
        );
    }

    #[test]
    fn what_nginx_does_not_read_is_nothing() {
        for text in ["", "4", "0 8k", "4 0", "4 8g", "4 8k 1", "x 8k", "4 k"] {
            assert_eq!(HeadBuffers::read(text), None, "{text}");
        }
        assert_eq!(HeadBuffers::read("4  8192"), Some(HeadBuffers::default()));
        let sizes = ["2 1048576", "2 1024k", "2 1024K", "2 1m", "2 1M"].map(HeadBuffers::read);
        assert!(sizes.iter().all(|size| size.is_some() && *size == sizes[0]));
    }
}
