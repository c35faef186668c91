//! What kinds of bytes a text has: a head's bytes are looked at many times a request, so it is one look each.

use crate::words;

/// Some kinds, a bit each.
pub(crate) type Kinds = u16;

/// A control character.
pub(crate) const CONTROL: Kinds = 1;
/// What nginx refuses in a target: a control character, a blank.
pub(crate) const NO_TARGET: Kinds = 1 << 1;
/// `?`, `#`: a path ends there.
pub(crate) const PATH_END: Kinds = 1 << 2;
/// `%`, `+`.
pub(crate) const QUOTED: Kinds = 1 << 3;
/// `.`.
pub(crate) const DOT: Kinds = 1 << 4;
/// What no host has that is compared as it came: upper case, a port, a bracket, what nginx refuses.
pub(crate) const ODD_IN_HOST: Kinds = 1 << 5;
/// What no name of a field has that `ValidHeader` takes.
pub(crate) const ODD_IN_NAME: Kinds = 1 << 6;
/// What `NGX_ESCAPE_URI` escapes.
pub(crate) const ESCAPED_IN_URI: Kinds = 1 << 7;
/// What `NGX_ESCAPE_ARGS` escapes.
pub(crate) const ESCAPED_IN_ARGS: Kinds = 1 << 8;
/// What `set_escape_uri` escapes.
pub(crate) const ESCAPED_IN_COMPONENT: Kinds = 1 << 9;

/// The kinds of each byte.
static KINDS: [Kinds; 256] = table();

/// The kinds of one byte.
pub(crate) fn of(byte: u8) -> Kinds {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Those of all bytes of a text together. A call costs less than the module would grow by otherwise.
#[inline(never)]
pub(crate) fn any(text: &[u8]) -> Kinds {
    text.iter().fold(0, |kinds, byte| kinds | of(*byte))
}

/// Whether a text has a control character: every value that leaves is asked.
pub(crate) fn has_control(text: &[u8]) -> bool {
    let (words, rest) = words::of(text);
    let seen = words.fold(0, |seen, word| {
        seen | words::below(word, b' ') | words::equal(word, 0x7f)
    });
    seen != 0 || any(rest) & CONTROL != 0
}

#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const fn table() -> [Kinds; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = kinds(byte);
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn kinds(byte: u8) -> Kinds {
    let in_uri = matches!(
        byte,
        0..=b' ' | b'"' | b'#' | b'%' | b'<' | b'>' | b'?' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x7f..=0xff
    );
    let is_letter = byte.is_ascii_alphanumeric();
    let is_blank = matches!(byte, 0..=b' ' | 0x7f);
    when(is_blank && byte != b' ', CONTROL)
        | when(is_blank, NO_TARGET)
        | when(matches!(byte, b'?' | b'#'), PATH_END)
        | when(matches!(byte, b'%' | b'+'), QUOTED)
        | when(byte == b'.', DOT)
        | when(
            is_blank || matches!(byte, b'/' | b':' | b'[' | b']' | b'A'..=b'Z'),
            ODD_IN_HOST,
        )
        | when(!is_letter && !matches!(byte, b'-' | b'_'), ODD_IN_NAME)
        | when(in_uri, ESCAPED_IN_URI)
        | when(
            in_uri || matches!(byte, b'&' | b'+' | b';'),
            ESCAPED_IN_ARGS,
        )
        | when(
            !is_letter && !matches!(byte, b'-' | b'.' | b'_' | b'~'),
            ESCAPED_IN_COMPONENT,
        )
}

const fn when(is_of: bool, kind: Kinds) -> Kinds {
    if is_of { kind } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_of_the_kinds_of_its_bytes() {
        assert_eq!(any(b""), 0);
        assert_eq!(any(b"a-0"), 0);
        assert_eq!(any(b"a.b") & DOT, DOT);
        assert_eq!(any(b"a.b"), of(b'.'));
        assert_eq!(any(b"a%b?") & (QUOTED | PATH_END), QUOTED | PATH_END);
        for byte in 0..=u8::MAX {
            assert_eq!(any(&[b'a', byte, b'b']), of(byte));
            for length in 1..20 {
                let mut text = vec![b'a'; length];
                assert!(!has_control(&text));
                text[length / 2] = byte;
                assert_eq!(has_control(&text), of(byte) & CONTROL != 0, "{text:?}");
            }
        }
    }
}
