//! How long a request's body may be: `proxy-body-size`.
//!
//! Source: `isValidByteSize` of `internal/ingress/controller/template/template.go`, ingress-nginx
//! dbb11b92d; `ngx_parse_offset` and `ngx_http_core_find_config_phase` of nginx 1.27.1.

use crate::edit::{Headers, first};

/// nginx's own bound, where a value is none: 1 MiB.
pub const DEFAULT: u64 = 1 << 20;

/// The bytes that a value such as `8m` stands for; 0: no bound. `None`: it is no size to nginx.
#[must_use]
pub fn read(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    if digits.is_empty() {
        return None;
    }
    // More than there is room for is more than anybody sends.
    let count = digits.parse().unwrap_or(u64::MAX);
    Some(count.saturating_mul(1 << shift))
}

/// Whether a head says that its body is longer than `bound`.
pub(crate) fn is_too_long(bound: u64, headers: &Headers) -> bool {
    bound > 0 && length(headers).is_some_and(|length| length > bound)
}

/// How many bytes may come where no head says how many will; `None`: nobody counts them. After an
/// upgrade they are no body.
pub(crate) fn allowance(bound: u64, headers: &Headers) -> Option<u64> {
    let is_open = bound > 0 && length(headers).is_none() && first(headers, "upgrade").is_none();
    is_open.then_some(bound)
}

fn length(headers: &Headers) -> Option<u64> {
    let length = first(headers, "content-length")?;
    std::str::from_utf8(length).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    #[test]
    fn a_size_is_what_nginx_reads() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("0m", Some(0)),
            ("100", Some(100)),
            ("8m", Some(8 << 20)),
            ("8M", Some(8 << 20)),
            ("2k", Some(2048)),
            ("1g", Some(1 << 30)),
            (" 1k ", Some(1024)),
            ("2 m", None),
            ("", None),
            ("m", None),
            ("huge", None),
            ("8mb", None),
            ("-1", None),
            ("1.5m", None),
            ("99999999999999999999g", Some(u64::MAX)),
        ] {
            assert_eq!(read(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_head_says_how_long_its_body_is_or_its_bytes_are_counted() {
        let long = fields(&[("content-length", "11")]);
        assert!(is_too_long(10, &long));
        assert!(!is_too_long(11, &long));
        assert!(!is_too_long(0, &long));
        assert_eq!(allowance(10, &long), None);
        assert_eq!(allowance(10, &fields(&[("a", "b")])), Some(10));
        assert_eq!(allowance(0, &fields(&[("a", "b")])), None);
        assert_eq!(allowance(10, &fields(&[("upgrade", "websocket")])), None);
    }
}
