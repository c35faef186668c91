//! Finding a session's key in Cookie headers, with the habits of ingress-nginx's parsers.

use crate::edit::{self, Headers};
use crate::words;
use std::borrow::Cow;

/// How many cookies of one name are looked at, from the last: a browser sends one a path.
pub const MOST_OF_ONE_NAME: usize = 8;

/// What one session cookie says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

/// The keys of the cookies of one name, the last first; no more than [`MOST_OF_ONE_NAME`].
#[derive(Debug, Default)]
pub struct SessionKeys<'a> {
    found: [SessionKey<'a>; MOST_OF_ONE_NAME],
    count: usize,
}

impl<'a> SessionKeys<'a> {
    fn add(&mut self, key: SessionKey<'a>) {
        if self.count == MOST_OF_ONE_NAME {
            self.found.copy_within(1.., 0);
            self.count = self.count.saturating_sub(1);
        }
        if let Some(place) = self.found.get_mut(self.count) {
            *place = key;
            self.count = self.count.saturating_add(1);
        }
    }

    /// The last one.
    #[must_use]
    pub fn first(&self) -> Option<&SessionKey<'a>> {
        self.iter().next()
    }

    /// From the last to the first.
    pub fn iter(&self) -> impl Iterator<Item = &SessionKey<'a>> {
        let found = self.found.get(..self.count).unwrap_or_default();
        found.iter().rev()
    }
}

/// The keys of the cookies called `name`. Values without a key are left out.
///
/// ingress-nginx knows the last one only; limpet goes on to the others
/// where it names nobody.
#[must_use]
pub fn session_keys<'a>(cookies: &'a [u8], name: &str) -> SessionKeys<'a> {
    let mut found = SessionKeys::default();
    for (cookie, value, has_bar) in pairs(cookies) {
        if cookie == name.as_bytes()
            && let Some(key) = split(value, has_bar)
        {
            found.add(key);
        }
    }
    found
}

/// Name and value of each cookie as lua-resty-cookie reads them: a name goes on until `=`,
/// over `;` and spaces; a value ends at `;`, a space or a tab, quotes and `%` stay. And whether the value has
/// a `|`.
///
/// Source: `get_cookie_table`, `lib/resty/cookie.lua`, lua-resty-cookie f418d77.
fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
        let (_, text) = rest.split_at_checked(start)?;
        let equal = text.iter().position(|byte| *byte == b'=')?;
        let (name, value) = text.split_at_checked(equal)?;
        let (_, value) = value.split_first()?;
        let (end, has_bar) = end_of_value(value);
        let (value, after) = value.split_at_checked(end)?;
        rest = after.get(1..).unwrap_or_default();
        Some((name, value, has_bar))
    })
}

/// Where the value ends that `text` begins with, and whether it has a `|`.
fn end_of_value(text: &[u8]) -> (usize, bool) {
    let (words, tail) = words::of(text);
    let (mut at, mut has_bar) = (0_usize, false);
    for word in words {
        let bars = words::equal(word, b'|');
        let ends = [b';', b' ', b'\t'].map(|byte| words::equal(word, byte));
        let end = ends.into_iter().fold(0, |all, marks| all | marks);
        if let Some(place) = words::first(end) {
            has_bar |= words::before(bars, end) != 0;
            return (at.saturating_add(place), has_bar);
        }
        has_bar |= bars != 0;
        at = at.saturating_add(8);
    }
    let is_end = |byte: &u8| matches!(byte, b';' | b' ' | b'\t');
    let end = tail.iter().position(is_end).unwrap_or(tail.len());
    has_bar |= tail.iter().take(end).any(|byte| *byte == b'|');
    (at.saturating_add(end), has_bar)
}

/// Splits a value at `|`; empty parts do not count.
///
/// Source: `get_cookie_parsed` (`balancer/sticky.lua`), `split_string` (`util/split.lua`),
/// ingress-nginx dbb11b92d.
fn split(value: &[u8], has_bar: bool) -> Option<SessionKey<'_>> {
    if !has_bar {
        let backend_key = None;
        let key = value;
        return (!key.is_empty()).then_some(SessionKey { key, backend_key });
    }
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
            assert_eq!(found.first(), found.iter().next());
            let found: Vec<_> = found
                .iter()
                .map(|found| (text(found.key), found.backend_key.map(text)))
                .collect();
            assert_eq!(found, keys, "{cookies:?}");
        }
    }

    #[test]
    fn a_value_ends_where_it_ends_however_long_it_is() {
        for length in 0..40 {
            for end in [";", " ", "\t", ""] {
                let value = "v".repeat(length);
                let (plain, parted) = (format!("{value}{end}|"), format!("{value}|{end}"));
                let is_inside = end.is_empty();
                let more = usize::from(is_inside);
                let got = end_of_value(plain.as_bytes());
                assert_eq!(got, (length + more, is_inside), "{plain:?}");
                let got = end_of_value(parted.as_bytes());
                assert_eq!(got, (length + 1, true), "{parted:?}");
            }
        }
    }

    #[test]
    fn only_the_last_few_of_one_name_count() {
        let cookies = (0..100).map(|n| format!("s={n}; ")).collect::<String>();
        let found = session_keys(cookies.as_bytes(), "s");
        let found: Vec<&[u8]> = found.iter().map(|found| found.key).collect();
        let last: [&[u8]; MOST_OF_ONE_NAME] =
            [b"99", b"98", b"97", b"96", b"95", b"94", b"93", b"92"];
        assert_eq!(found, last);
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
