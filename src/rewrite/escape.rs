//! Which bytes are escaped where.
//!
//! Source: `ngx_escape_uri` and `ngx_unescape_uri`, `src/core/ngx_string.c` of nginx 1.27.1.

use crate::byte_kind::{self, Kinds};
use crate::edit::percent;
use std::borrow::Cow;

/// What a text becomes a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A path (`NGX_ESCAPE_URI`).
    Uri,
    /// An argument, or a part of a redirect (`NGX_ESCAPE_ARGS`).
    Args,
    /// An argument's value, slashes and all (`set_escape_uri`).
    Component,
}

impl Kind {
    /// What is escaped there.
    fn escaped(self) -> Kinds {
        match self {
            Self::Uri => byte_kind::ESCAPED_IN_URI,
            Self::Args => byte_kind::ESCAPED_IN_ARGS,
            Self::Component => byte_kind::ESCAPED_IN_COMPONENT,
        }
    }
}

/// Escapes what may not stand in such a place.
pub(crate) fn escape(text: &[u8], kind: Kind) -> Cow<'_, [u8]> {
    let escaped = kind.escaped();
    if byte_kind::any(text) & escaped == 0 {
        return Cow::Borrowed(text);
    }
    let must_escape = |byte: u8| byte_kind::of(byte) & escaped != 0;
    let needed = text.iter().filter(|byte| must_escape(**byte)).count();
    let mut out = Vec::with_capacity(text.len().saturating_add(needed.saturating_mul(2)));
    for byte in text {
        if must_escape(*byte) {
            out.extend(percent(*byte));
        } else {
            out.push(*byte);
        }
    }
    Cow::Owned(out)
}

/// `ngx_unescape_uri` with `NGX_UNESCAPE_REDIRECT`: printable characters above `%` are written
/// plainly, up to the first question mark.
pub(crate) fn unescape_redirect(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'?' => {
                out.push(b'?');
                out.extend_from_slice(rest);
                return out;
            }
            b'%' => {
                let [high, low, after @ ..] = rest else {
                    rest = one_digit(rest, &mut out);
                    continue;
                };
                let (Some(first), second) = (digit(*high), digit(*low)) else {
                    rest = one_digit(rest, &mut out);
                    continue;
                };
                rest = after;
                match second.map(|second| (first << 4) | second) {
                    // Two digits that nginx reads as no escape are dropped with it.
                    None => {}
                    Some(b'?') if low.is_ascii_alphabetic() => {
                        out.push(b'?');
                        out.extend_from_slice(rest);
                        return out;
                    }
                    Some(decoded) if decoded > b'%' && decoded < 0x7f => out.push(decoded),
                    Some(_) => out.extend([b'%', *high, *low]),
                }
            }
            other => out.push(*other),
        }
    }
    out
}

/// After a `%` that no digit follows, the byte stands alone; a digit at the very end is lost.
fn one_digit<'t>(rest: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
    match rest.split_first() {
        Some((byte, tail)) => {
            if digit(*byte).is_none() {
                out.push(*byte);
            }
            tail
        }
        None => rest,
    }
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_escaped_where_nginx_escapes_it() {
        let all: Vec<u8> = (0x20..0x80).collect();
        let plain = |kind| {
            let is_plain = |byte: &&u8| matches!(escape(&[**byte], kind), Cow::Borrowed(_));
            String::from_utf8(all.iter().filter(is_plain).copied().collect()).unwrap()
        };
        let letters = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~";
        assert_eq!(
            plain(Kind::Uri),
            format!("!$&'()*+,-./0123456789:;={letters}")
        );
        assert_eq!(
            plain(Kind::Args),
            format!("!$'()*,-./0123456789:={letters}")
        );
        let letters = letters.replace(['@', '[', ']'], "");
        assert_eq!(plain(Kind::Component), format!("-.0123456789{letters}"));
    }

    #[test]
    fn redirects_keep_what_would_change_their_meaning() {
        for (text, want) in [
            ("https://h/%E4%BD%A0", "https://h/%E4%BD%A0"),
            ("https://h/a%20b%41", "https://h/a%20bA"),
            ("https://h/%25%23", "https://h/%25%23"),
            ("https://h/a%3Fb%41", "https://h/a?b%41"),
            ("https://h/a?b%41", "https://h/a?b%41"),
            ("https://h/%0d%0a", "https://h/%0d%0a"),
            ("https://h/%7e%7f%3F", "https://h/~%7f?"),
            ("https://h/%7f%80%2f", "https://h/%7f%80/"),
            ("https://h/%gx/%41", "https://h/gx/A"),
            ("https://h/%4gx", "https://h/x"),
            ("a%", "a"),
            ("a%4", "a"),
            ("a%g", "ag"),
        ] {
            assert_eq!(
                unescape_redirect(text.as_bytes()),
                want.as_bytes(),
                "{text}"
            );
        }
    }
}
