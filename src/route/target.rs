//! The request target as nginx sees it: cut, decoded once, normalised.
//!
//! Source: `ngx_http_parse_request_line`, `ngx_http_parse_complex_uri` and
//! `ngx_http_process_request_uri` of nginx 1.27.1.

use crate::byte_kind;
use crate::config::PathDecoding;
use std::borrow::Cow;

/// One request target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target<'r> {
    /// The host of an absolute-form target, port included.
    pub host: Option<&'r [u8]>,
    /// nginx's `$request_uri`: the target without scheme and host.
    pub raw: Cow<'r, [u8]>,
    /// nginx's `$uri`: what is matched.
    pub uri: Cow<'r, [u8]>,
    /// nginx's `$args`, without the question mark.
    pub args: &'r [u8],
    /// The path held an escape or a plus: captures are escaped again in arguments.
    pub quoted: bool,
}

/// nginx refuses the target: 400.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads a target. `path` is the `:path` header, which may be absolute-form.
pub(crate) fn read(path: &[u8], decoding: PathDecoding) -> Result<Target<'_>, Malformed> {
    let kinds = byte_kind::any(path);
    if kinds & byte_kind::NO_TARGET != 0 {
        return Err(Malformed);
    }
    let (host, raw) = split_absolute(path)?;
    let is_end = |byte: &u8| byte_kind::of(*byte) & byte_kind::PATH_END != 0;
    let end = match kinds & byte_kind::PATH_END {
        0 => None,
        _ => raw.iter().position(is_end),
    };
    let (before, rest) = raw.split_at(end.unwrap_or(raw.len()));
    let args = match rest.split_first() {
        Some((b'?', query)) => until(query, b'#'),
        _ => &[],
    };
    // An absolute-form target may have no path at all.
    let before: &[u8] = if before.is_empty() { b"/" } else { before };
    let plain = decoding == PathDecoding::Raw || is_plain(before);
    let uri = if plain {
        Cow::Borrowed(before)
    } else {
        Cow::Owned(normalise(before)?)
    };
    let may_be_quoted = kinds & byte_kind::QUOTED != 0;
    let quoted = may_be_quoted && (before.contains(&b'%') || uri.contains(&b'+'));
    Ok(Target {
        host,
        raw: if raw.is_empty() {
            Cow::Borrowed(b"/")
        } else {
            Cow::Borrowed(raw)
        },
        uri,
        args,
        quoted: quoted && decoding == PathDecoding::Nginx,
    })
}

/// `scheme://host:port` and the rest; a target that begins with a slash has no host.
fn split_absolute(path: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Malformed> {
    if path.first() == Some(&b'/') {
        return Ok((None, path));
    }
    let scheme = path
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(Malformed)?;
    let (scheme, rest) = path.split_at(scheme);
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let rest = rest
        .strip_prefix(b"://")
        .filter(|_| is_scheme)
        .ok_or(Malformed)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    let (host, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-:[]_~!$&'()*+,;=".contains(byte);
    if !host.iter().all(is_host) {
        return Err(Malformed);
    }
    Ok((Some(host).filter(|host| !host.is_empty()), rest))
}

fn until(bytes: &[u8], end: u8) -> &[u8] {
    bytes.split(|byte| *byte == end).next().unwrap_or_default()
}

/// Nothing to decode, no dot segment, no two slashes in a row. May be false for a plain path.
fn is_plain(path: &[u8]) -> bool {
    let mut after_slash = false;
    for byte in path {
        match byte {
            b'%' => return false,
            b'/' | b'.' if after_slash => return false,
            _ => after_slash = *byte == b'/',
        }
    }
    true
}

/// Where the reader of a path stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Usual,
    Slash,
    Dot,
    DotDot,
}

/// `ngx_http_parse_complex_uri` with `merge_slashes on`. A decoded `%`, `#` or `?` is an
/// ordinary letter, a decoded slash or dot counts as one; NUL is refused.
fn normalise(path: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(path.len());
    let mut place = Place::Usual;
    let mut rest = path.iter().copied();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            decode(rest.next(), rest.next())?
        } else {
            byte
        };
        place = step(&mut out, place, byte)?;
    }
    match place {
        Place::Dot => {
            out.pop();
        }
        Place::DotDot => up(&mut out)?,
        Place::Usual | Place::Slash => {}
    }
    Ok(out)
}

fn step(out: &mut Vec<u8>, place: Place, byte: u8) -> Result<Place, Malformed> {
    match (place, byte) {
        (Place::Slash, b'/') => {}
        (Place::Dot, b'/') => {
            out.pop();
        }
        (Place::DotDot, b'/') => up(out)?,
        _ => out.push(byte),
    }
    Ok(match (place, byte) {
        (_, b'/') => Place::Slash,
        (Place::Slash, b'.') => Place::Dot,
        (Place::Dot, b'.') => Place::DotDot,
        _ => Place::Usual,
    })
}

/// Drops the last segment before a `/..`, which stands at the end of `out`.
fn up(out: &mut Vec<u8>) -> Result<(), Malformed> {
    let above = out.len().checked_sub(4).ok_or(Malformed)?;
    let slash = out
        .iter()
        .take(above.saturating_add(1))
        .rposition(|byte| *byte == b'/');
    out.truncate(slash.ok_or(Malformed)?.saturating_add(1));
    Ok(())
}

fn decode(high: Option<u8>, low: Option<u8>) -> Result<u8, Malformed> {
    let digit = |byte: Option<u8>| {
        let digit = char::from(byte?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    let byte = digit(high)
        .zip(digit(low))
        .map(|(high, low)| (high << 4) | low);
    byte.filter(|byte| *byte != 0).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_as_nginx_does() {
        for (path, want) in [
            ("/", Some("/")),
            ("/a/./b", Some("/a/b")),
            ("/a/../b", Some("/b")),
            ("/a/..", Some("/")),
            ("/a/.", Some("/a/")),
            ("/a/b/../..", Some("/")),
            ("/..", None),
            ("/../a", None),
            ("/a/../../b", None),
            ("//a///b", Some("/a/b")),
            ("/a%2Fb", Some("/a/b")),
            ("/a%2F%2fb", Some("/a/b")),
            ("/%2e%2e/x", None),
            ("/a/%2e%2e/x", Some("/x")),
            ("/a%3fb%23c%25", Some("/a?b#c%")),
            ("/a%", None),
            ("/a%2", None),
            ("/a%zz", None),
            ("/a%00", None),
            ("/a/...", Some("/a/...")),
            ("/a/..b", Some("/a/..b")),
            ("/.a", Some("/.a")),
            ("/a/.//b", Some("/a/b")),
            ("/a\\..\\b", Some("/a\\..\\b")),
            ("/a?b/../c", Some("/a")),
            ("/a#b/../c", Some("/a")),
            ("http://h/x/../y?z", Some("/y")),
            ("http://h", Some("/")),
            ("http://h?x", Some("/")),
            ("a+1.b-c://h/x", Some("/x")),
            ("1a://h/x", None),
            ("a_b://h/x", None),
            ("://h/x", None),
            ("*", None),
            ("/a b", None),
        ] {
            let got =
                read(path.as_bytes(), PathDecoding::Nginx).map(|target| target.uri.into_owned());
            assert_eq!(got.ok().as_deref(), want.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn arguments_end_at_a_fragment() {
        let target = read(b"/x?a=b?c#d?e", PathDecoding::Nginx).unwrap();
        assert_eq!(
            (target.args, &*target.raw),
            (&b"a=b?c"[..], &b"/x?a=b?c#d?e"[..])
        );
        let target = read(b"http://h:8080?q", PathDecoding::Nginx).unwrap();
        assert_eq!(
            (target.host, target.args),
            (Some(&b"h:8080"[..]), &b"q"[..])
        );
    }

    #[test]
    fn raw_paths_are_only_cut() {
        let target = read(b"/a%2F/../b//c?d", PathDecoding::Raw).unwrap();
        assert_eq!(&*target.uri, b"/a%2F/../b//c");
    }
}
