//! Finding a session's key in Cookie headers, with the habits of ingress-nginx's parsers.

use crate::byte_kind;
use crate::edit::{self, Headers};
use std::borrow::Cow;

/// How many cookies of one name are looked at, from the last: a browser sends one a path.
pub const MOST_OF_ONE_NAME: usize = 8;

/// What one session cookie says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionKey<'a> {
    /// The part before the first `|`, never empty; any bytes.
    pub key: &'a [u8],
    /// The part after it: the cluster that the session is of.
    pub backend_key: Option<&'a [u8]>,
}

/// The Cookie fields of a request as one text, as nginx and Envoy join what HTTP/2 splits.
#[must_use]
pub fn joined<'h>(headers: &Headers<'h>) -> Cow<'h, [u8]> {
    let mut fields = edit::all(headers, "cookie").map(trim_spaces);
    let first = fields.next().unwrap_or_default();
    fields.fold(Cow::Borrowed(first), |mut joined, field| {
        joined.to_mut().extend_from_slice(b"; ");
        joined.to_mut().extend_from_slice(field);
        joined
    })
}

/// A field's value without the spaces around it: nginx cuts them, and leaves tabs where they are.
#[must_use]
pub fn trim_spaces(value: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| *byte != b' ';
    let start = value.iter().position(is_text).unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last.saturating_add(1));
    value.get(start..end).unwrap_or_default()
}

/// The keys of the cookies called `name`, the last first. Values without a key are left out.
///
/// ingress-nginx knows the last one only; limpet goes on to the others
/// where it names nobody.
#[must_use]
pub fn session_keys<'a>(cookies: &'a [u8], name: &str) -> Vec<SessionKey<'a>> {
    let mut found: Vec<SessionKey> = Vec::new();
    for (cookie, value) in pairs(cookies) {
        if cookie == name.as_bytes()
            && let Some(key) = split(value)
        {
            if found.len() == MOST_OF_ONE_NAME {
                found.remove(0);
            }
            found.push(key);
        }
    }
    found.reverse();
    found
}

/// Name and value of each cookie as lua-resty-cookie reads them: a name goes on until `=`,
/// over `;` and spaces; a value ends at `;`, a space or a tab, quotes and `%` stay.
///
/// Source: `get_cookie_table`, `lib/resty/cookie.lua`, lua-resty-cookie f418d77.
fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
        let (_, text) = rest.split_at_checked(start)?;
        let equal = text.iter().position(|byte| *byte == b'=')?;
        let (name, value) = text.split_at_checked(equal)?;
        let (_, value) = value.split_first()?;
        let end = value
            .iter()
            .position(|byte| byte_kind::of(*byte) & byte_kind::COOKIE_END != 0);
        let (value, after) = value.split_at_checked(end.unwrap_or(value.len()))?;
        rest = after.get(1..).unwrap_or_default();
        Some((name, value))
    })
}

/// Splits a value at `|`; empty parts do not count.
///
/// Source: `get_cookie_parsed` (`balancer/sticky.lua`), `split_string` (`util/split.lua`),
/// ingress-nginx dbb11b92d.
fn split(value: &[u8]) -> Option<SessionKey<'_>> {
    let mut parts = value
        .split(|byte| *byte == b'|')
        .filter(|part| !part.is_empty());
    Some(SessionKey {
        key: parts.next()?,
        backend_key: parts.next(),
    })
}

/// The value of the cookie `name` as nginx's `$cookie_name` has it: names in any case, the first
/// one wins, spaces around `=` are skipped, the value goes on to `;`.
///
/// Source: `ngx_http_parse_multi_header_lines` (`src/http/ngx_http_parse.c`, nginx 1.27.1).
pub fn variable<'h>(headers: &Headers<'h>, name: &str) -> Option<&'h [u8]> {
    edit::all(headers, "cookie").find_map(|line| {
        let mut rest = trim_spaces(line);
        while !rest.is_empty() {
            rest = match named(rest, name.as_bytes()) {
                Ok(value) => return Some(value),
                Err(rest) => rest,
            };
            let end = rest.iter().position(|byte| matches!(byte, b';' | b','))?;
            rest = skip_spaces(rest.get(end..)?.get(1..)?);
        }
        None
    })
}

/// The value of the cookie that `text` starts with, or where to look for the next `;` or `,`: a
/// byte after the name that is not `=` is passed over, be it a `;`.
fn named<'a>(text: &'a [u8], name: &[u8]) -> Result<&'a [u8], &'a [u8]> {
    let Some((found, rest)) = text.split_at_checked(name.len()) else {
        return Err(text);
    };
    if !found.eq_ignore_ascii_case(name) {
        return Err(text);
    }
    match skip_spaces(rest).split_first() {
        Some((b'=', value)) => {
            let value = skip_spaces(value);
            Ok(value.split(|byte| *byte == b';').next().unwrap_or_default())
        }
        Some((_, rest)) => Err(rest),
        None => Err(&[]),
    }
}

fn skip_spaces(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte != b' ');
    text.get(start.unwrap_or(text.len())..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<'c>(cookies: &[&'c str]) -> Vec<edit::Field<'c>> {
        let header = |value: &&'c str| (&b"cookie"[..], value.as_bytes());
        cookies.iter().map(header).collect()
    }

    /// More of the first kind are replayed by `tests/recordings/on_core/affinity.rs`.
    #[test]
    fn keys_are_found_from_the_last_cookie_to_the_first() {
        for (cookies, keys) in [
            (&[][..], &[][..]),
            (&["s=a|b"], &[("a", Some("b"))]),
            (&["s=1; t=2", "s=3|x|y"], &[("3", Some("x")), ("1", None)]),
            (&["s=1 ", " s=2 "], &[("2", None), ("1", None)]),
            (&["s=; s=|; s=||k"], &[("k", None)]),
            (&["s=a||b"], &[("a", Some("b"))]),
            (&["s=a;s=b\ts=c"], &[("c", None), ("b", None), ("a", None)]),
            (&["S=a; ss=b; s =c; x; s=d"], &[]),
            (&["s"], &[]),
            (&["=s; s=\"q\""], &[("\"q\"", None)]),
        ] {
            let headers = headers(cookies);
            let joined = joined(&headers);
            let found = session_keys(&joined, "s");
            let text = |bytes| std::str::from_utf8(bytes).unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|found| (text(found.key), found.backend_key.map(text)))
                .collect();
            assert_eq!(found, keys, "{cookies:?}");
        }
    }

    #[test]
    fn only_the_last_few_of_one_name_count() {
        let cookies = (0..100).map(|n| format!("s={n}; ")).collect::<String>();
        let found = session_keys(cookies.as_bytes(), "s");
        assert_eq!(found.len(), MOST_OF_ONE_NAME);
        assert_eq!(found.first().map(|found| found.key), Some(&b"99"[..]));
    }

    #[test]
    fn a_cookie_variable_is_read_as_nginx_does() {
        for (cookies, value) in [
            (&["canary=always"][..], Some("always")),
            (&["a=b; CANARY = always ; x"], Some("always ")),
            (&["a=b; canary=always "], Some("always")),
            (&["canary=never; canary=always"], Some("never")),
            (&["a=b", "canary=always"], Some("always")),
            (&["a=1,canary=always"], Some("always")),
            (&["canaryx=1; canary=2"], Some("2")),
            (&["xcanary=1"], None),
            (&["canary"], None),
            (&["canary="], Some("")),
            // The name alone swallows the cookie that follows it.
            (&["canary; canary=always"], None),
            (&["canary; a=b; canary=always"], Some("always")),
            (&["canary ,canary=always"], None),
            (&["canaryx; canary=always"], Some("always")),
            (&["canary", "canary=always"], Some("always")),
        ] {
            let headers = headers(cookies);
            let found = variable(&headers, "canary").map(|v| std::str::from_utf8(v).unwrap());
            assert_eq!(found, value, "{cookies:?}");
        }
    }
}
