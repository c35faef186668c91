//! PCRE's escapes and character classes.
//!
//! Source: pcrepattern(3), PCRE 8.39, without UTF, locale C.

use super::bytes::ByteSet;

/// What a backslash and what follows it stand for.
pub(super) enum Escape {
    /// One byte.
    Byte(u8),
    /// One byte of a set.
    Set(ByteSet, &'static str),
    /// Something that matches no byte.
    Empty(&'static str),
    /// `\Z`: as `$`.
    End,
    /// `\Q`: all up to `\E` is literal.
    Quote,
}

/// Reads what follows a backslash. `groups`: how many groups there are so far.
pub(super) fn read(source: &[u8], at: &mut usize, groups: usize) -> Result<Escape, String> {
    let byte = next(source, at).ok_or("ends with a backslash")?;
    Ok(match byte {
        b'A' | b'G' => Escape::Empty("^"),
        b'b' => Escape::Empty(r"\b"),
        b'B' => Escape::Empty(r"\B"),
        b'z' => Escape::Empty(r"\z"),
        b'Z' => Escape::End,
        b'E' => Escape::Empty("(?:)"),
        b'Q' => Escape::Quote,
        b'N' => Escape::Set(ByteSet::of(b'\n').not(), r"[^\n]"),
        b'1'..=b'9' if is_back_reference(source, *at, byte, groups) => {
            return Err("has a back reference, which a linear-time engine cannot run".to_owned());
        }
        b'g' | b'k' => {
            return Err("has a back reference, which a linear-time engine cannot run".to_owned());
        }
        b'K' | b'R' | b'X' | b'C' | b'p' | b'P' => {
            return Err(format!(
                "has \\{}, which limpet does not know",
                char::from(byte)
            ));
        }
        byte => match set(byte) {
            Some((set, text)) => Escape::Set(set, text),
            None => Escape::Byte(single(byte, source, at)?),
        },
    })
}

/// `\1` to `\9` always; from 10 on only as far as there are groups, else it is octal.
fn is_back_reference(source: &[u8], at: usize, first: u8, groups: usize) -> bool {
    let rest = source.get(at..).unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(usize::from(first.wrapping_sub(b'0')), |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(usize::from(digit.wrapping_sub(b'0')))
    });
    number < 10 || number <= groups
}

/// The escapes that stand for several bytes.
fn set(byte: u8) -> Option<(ByteSet, &'static str)> {
    let digit = ByteSet::from_fn(|byte| byte.is_ascii_digit());
    let word = ByteSet::from_fn(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let space = ByteSet::from_fn(|byte| b" \t\n\x0b\x0c\r".contains(&byte));
    let flat = ByteSet::from_fn(|byte| b" \t\xa0".contains(&byte));
    let tall = ByteSet::from_fn(|byte| b"\n\x0b\x0c\r\x85".contains(&byte));
    Some(match byte {
        b'd' => (digit, "[0-9]"),
        b'D' => (digit.not(), "[^0-9]"),
        b'w' => (word, "[0-9A-Za-z_]"),
        b'W' => (word.not(), "[^0-9A-Za-z_]"),
        b's' => (space, r"[ \t-\r]"),
        b'S' => (space.not(), r"[^ \t-\r]"),
        b'h' => (flat, r"[ \t\xA0]"),
        b'H' => (flat.not(), r"[^ \t\xA0]"),
        b'v' => (tall, r"[\n-\r\x85]"),
        b'V' => (tall.not(), r"[^\n-\r\x85]"),
        _ => return None,
    })
}

/// The escapes that stand for one byte; a punctuation mark stands for itself.
fn single(byte: u8, source: &[u8], at: &mut usize) -> Result<u8, String> {
    Ok(match byte {
        b'a' => 0x07,
        b'e' => 0x1b,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'x' => hex(source, at)?,
        b'0'..=b'7' => {
            let mut value = u32::from(byte.wrapping_sub(b'0'));
            for _ in 0..2 {
                let digit = source.get(*at).filter(|byte| matches!(byte, b'0'..=b'7'));
                let Some(digit) = digit else { break };
                value = value
                    .wrapping_mul(8)
                    .wrapping_add(u32::from(digit.wrapping_sub(b'0')));
                *at = at.saturating_add(1);
            }
            u8::try_from(value & 0xff).unwrap_or_default()
        }
        byte if byte.is_ascii_alphanumeric() => {
            return Err(format!(
                "has \\{}, which limpet does not know",
                char::from(byte)
            ));
        }
        byte => byte,
    })
}

/// `\xhh` with at most two digits, or `\x{hh}`.
fn hex(source: &[u8], at: &mut usize) -> Result<u8, String> {
    let braces = source.get(*at) == Some(&b'{');
    *at = at.saturating_add(usize::from(braces));
    let mut value: u8 = 0;
    for _ in 0..2 {
        let digit = source
            .get(*at)
            .and_then(|byte| char::from(*byte).to_digit(16));
        let Some(digit) = digit.and_then(|digit| u8::try_from(digit).ok()) else {
            break;
        };
        value = (value << 4) | digit;
        *at = at.saturating_add(1);
    }
    if braces && next(source, at) != Some(b'}') {
        return Err(r"has a \x{...} that is not one byte".to_owned());
    }
    Ok(value)
}

/// A class, from after its `[`.
pub(super) fn class(source: &[u8], at: &mut usize) -> Result<(ByteSet, String), String> {
    let mut set = ByteSet::EMPTY;
    let mut text = String::from("[");
    let negative = source.get(*at) == Some(&b'^');
    *at = at.saturating_add(usize::from(negative));
    let first = *at;
    loop {
        let byte = next(source, at).ok_or("has a [ without its ]")?;
        if byte == b']' && at.saturating_sub(1) > first {
            break;
        }
        match member(byte, source, at)? {
            Member::Set(more, part) => {
                set = set.union(more);
                text.push_str(&part);
            }
            Member::Byte(low) => {
                let high = range_end(source, at)?.unwrap_or(low);
                if high < low {
                    return Err("has a range in a class that ends before it begins".to_owned());
                }
                set = set.union(ByteSet::range(low, high));
                text.push_str(&format!(r"\x{low:02X}-\x{high:02X}"));
            }
            Member::Nothing => {}
        }
    }
    text.push(']');
    if negative {
        text.insert(1, '^');
        set = set.not();
    }
    Ok((set, text))
}

enum Member {
    Byte(u8),
    Set(ByteSet, String),
    Nothing,
}

fn member(byte: u8, source: &[u8], at: &mut usize) -> Result<Member, String> {
    let rest = source.get(*at..).unwrap_or_default();
    if byte == b'['
        && rest.first() == Some(&b':')
        && let Some(end) = rest.windows(2).position(|pair| pair == b":]")
    {
        let name = rest.get(1..end).unwrap_or_default();
        *at = at.saturating_add(end).saturating_add(2);
        return posix(name);
    }
    if byte != b'\\' {
        return Ok(Member::Byte(byte));
    }
    let byte = next(source, at).ok_or("ends with a backslash")?;
    Ok(match (byte, set(byte)) {
        (_, Some((set, text))) => Member::Set(set, text.to_owned()),
        (b'b', _) => Member::Byte(0x08),
        (b'E' | b'Q', _) => Member::Nothing,
        (b'8' | b'9', _) => Member::Byte(byte),
        (byte, _) => Member::Byte(single(byte, source, at)?),
    })
}

/// The end of a range, where a hyphen and a single byte follow.
fn range_end(source: &[u8], at: &mut usize) -> Result<Option<u8>, String> {
    let rest = source.get(*at..).unwrap_or_default();
    let (Some(b'-'), Some(end)) = (rest.first(), rest.get(1)) else {
        return Ok(None);
    };
    let is_set = *end == b'\\' && rest.get(2).is_some_and(|byte| set(*byte).is_some());
    let is_posix = *end == b'[' && rest.get(2) == Some(&b':');
    if *end == b']' || is_set || is_posix {
        return Ok(None);
    }
    *at = at.saturating_add(2);
    match member(*end, source, at)? {
        Member::Byte(byte) => Ok(Some(byte)),
        Member::Set(..) | Member::Nothing => {
            Err("has a range in a class without an end".to_owned())
        }
    }
}

/// `[:alpha:]` and its like, `[:^alpha:]` its complement.
fn posix(name: &[u8]) -> Result<Member, String> {
    let plain = name.strip_prefix(b"^").unwrap_or(name);
    let holds: fn(u8) -> bool = match plain {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"ascii" => |byte| byte.is_ascii(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => |byte| b" \t\n\x0b\x0c\r".contains(&byte),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"word" => |byte| byte.is_ascii_alphanumeric() || byte == b'_',
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return Err("has an unknown POSIX class".to_owned()),
    };
    let negative = plain.len() < name.len();
    let bytes = (0..=u8::MAX).filter(|byte| holds(*byte) != negative);
    let text = bytes.map(|byte| format!(r"\x{byte:02X}")).collect();
    let either = |byte: u8| {
        let lower = holds(byte.to_ascii_lowercase()) != negative;
        lower || holds(byte.to_ascii_uppercase()) != negative
    };
    Ok(Member::Set(ByteSet::from_fn(either), text))
}

/// One byte in the regex crate's notation.
pub(super) fn literal(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-') {
        return char::from(byte).to_string();
    }
    format!(r"\x{byte:02X}")
}

fn next(source: &[u8], at: &mut usize) -> Option<u8> {
    let byte = source.get(*at).copied()?;
    *at = at.saturating_add(1);
    Some(byte)
}
