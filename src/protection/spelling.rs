//! A path in pieces: what may be a segment of it in some reading.

/// A path of more segments is refused. Nobody sends it, and each costs time.
const MOST_SEGMENTS: usize = 256;

/// A request's target, read.
#[derive(Debug)]
pub(super) struct Spelling<'r> {
    /// As it came.
    pub target: &'r [u8],
    /// What stands between two slashes, whether escaped or not.
    pub segments: Vec<Segment>,
}

impl Spelling<'_> {
    /// Every server reads the path alike, but for its case.
    pub(super) fn is_plain(&self) -> bool {
        let mut above = self.segments.iter().rev();
        // The one behind a slash at the end.
        let last = above
            .next()
            .is_none_or(|last| last.text.is_empty() || last.is_plain());
        last && above.all(Segment::is_plain)
    }
}

/// One piece of a path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    /// Decoded as often as that changes anything.
    pub text: Vec<u8>,
    /// So many bytes at its start came as they are.
    pub literal: usize,
    /// To a server that does not decode the slash before it, it is a part of the segment before.
    pub is_joined: bool,
    /// The same for the segment behind it.
    pub is_continued: bool,
    /// Some servers take the path to end within it.
    pub may_end: bool,
}

impl Segment {
    /// Every server reads it byte by byte.
    pub(super) fn is_literal(&self) -> bool {
        self.literal == self.text.len() && !self.is_continued
    }

    fn is_plain(&self) -> bool {
        let is_odd = matches!(&*self.text, b"" | b"." | b"..") || self.core() != self.text;
        self.is_literal() && !is_odd
    }

    /// What servers leave of it that drop parameters, cut at a NUL, or trim blanks and dots at the
    /// end of a name.
    pub(super) fn core(&self) -> &[u8] {
        let is_end = |byte: &u8| *byte == b';' || ends_path(*byte);
        let cut = self.text.split(is_end).next().unwrap_or_default();
        let cut = cut.trim_ascii();
        let dots = cut.iter().rposition(|byte| *byte != b'.');
        match dots {
            Some(last) => cut.get(..=last).unwrap_or(cut),
            // Nothing but dots: they have a meaning of their own.
            None => cut,
        }
    }
}

/// A server that decodes first may take these for the end of the path.
fn ends_path(byte: u8) -> bool {
    matches!(byte, 0 | b'?' | b'#')
}

/// The target without its query.
pub(super) fn without_query(target: &[u8]) -> &[u8] {
    target
        .split(|byte| *byte == b'?')
        .next()
        .unwrap_or_default()
}

/// Takes a target into pieces; `None`: it is no path that a server would take, or too long.
pub(super) fn read(target: &[u8]) -> Option<Spelling<'_>> {
    let path = without_query(target);
    if path == b"*" {
        let segments = Vec::new();
        return Some(Spelling { target, segments });
    }
    // A fragment is no part of a request.
    let path = path
        .strip_prefix(b"/")
        .filter(|path| !path.contains(&b'#'))?;
    let mut segments = vec![Segment::default()];
    for byte in decoded(path) {
        let segment = segments.last_mut()?;
        match byte.value {
            b'/' | b'\\' => {
                let is_joined = byte.value == b'\\' || !byte.is_literal;
                segment.is_continued = is_joined;
                segments.push(Segment {
                    is_joined,
                    ..Segment::default()
                });
            }
            value => {
                if byte.is_literal && segment.literal == segment.text.len() {
                    segment.literal = segment.literal.saturating_add(1);
                }
                segment.may_end |= ends_path(value);
                segment.text.push(value);
            }
        }
        if segments.len() > MOST_SEGMENTS {
            return None;
        }
    }
    Some(Spelling { target, segments })
}

/// A byte of a decoded path.
#[derive(Debug, Clone, Copy)]
struct Byte {
    value: u8,
    /// It came as it is.
    is_literal: bool,
}

/// `path`, decoded until there is nothing left to decode.
fn decoded(path: &[u8]) -> Vec<Byte> {
    let mut out: Vec<Byte> = Vec::with_capacity(path.len());
    for value in path {
        out.push(Byte {
            value: *value,
            is_literal: true,
        });
        while let Some(escape) = escape_at_end(&out) {
            out.truncate(out.len().saturating_sub(escape.length));
            out.push(Byte {
                value: escape.value,
                is_literal: false,
            });
        }
    }
    out
}

/// Several bytes that some servers read as one.
struct Escape {
    length: usize,
    value: u8,
}

/// The escape that ends at the end: `%61`, `%u0061`, UTF-8 of more bytes than are needed, or of a
/// letter that becomes one of ASCII where case or width is folded (U+017F, U+0131, U+0130, U+212A,
/// and U+FF01 to U+FF5E).
fn escape_at_end(bytes: &[Byte]) -> Option<Escape> {
    let escape = |length, value| Some(Escape { length, value });
    let from_end = |at: usize| bytes.iter().rev().nth(at).map(|byte| byte.value);
    let hex = |at: usize| char::from(from_end(at)?).to_digit(16);
    let two = |high: usize| {
        let (high, low) = (hex(high)?, hex(high.checked_sub(1)?)?);
        u8::try_from((high << 4) | low).ok()
    };
    let last = from_end(0)?;
    if last >= 0x80 {
        let low = last & 0x3f;
        // UTF-8 of an ASCII letter holds its highest bit in the byte before the last.
        let high = |byte: u8| ((byte & 1) << 6) | low;
        return match (from_end(3), from_end(2), from_end(1)?) {
            (_, _, before @ (0xc0 | 0xc1)) => escape(2, high(before)),
            (_, _, 0xc5) if last == 0xbf => escape(2, b's'),
            (_, _, 0xc4) if matches!(last, 0xb0 | 0xb1) => escape(2, b'i'),
            (_, Some(0xe2), 0x84) if last == 0xaa => escape(3, b'k'),
            (_, Some(0xef), 0xbc) if low > 0 => escape(3, low.saturating_add(0x20)),
            (_, Some(0xef), 0xbd) if low < 0x1f => escape(3, low.saturating_add(0x60)),
            (_, Some(0xe0), before @ (0x80 | 0x81)) => escape(3, high(before)),
            (Some(0xf0), Some(0x80), before @ (0x80 | 0x81)) => escape(4, high(before)),
            _ => None,
        };
    }
    if from_end(2) == Some(b'%') {
        return escape(3, two(1)?);
    }
    let is_wide = from_end(5) == Some(b'%') && matches!(from_end(4), Some(b'u' | b'U'));
    if is_wide && two(3) == Some(0) {
        return escape(6, two(1)?);
    }
    None
}
