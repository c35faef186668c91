//! DER: as strict as its readers, so that what is read here is read there.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
const UTF8: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
const UNIVERSAL: u8 = 0x1c;
const BMP: u8 = 0x1e;
const CONSTRUCTED: u8 = 0x20;
/// From here on tags have another meaning in each place.
const UNNAMED: u8 = 0x40;

/// The tag of a field that has number `number` in its sequence.
pub(super) const fn field(number: u8) -> u8 {
    0xa0 | number
}

/// Values behind each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'d>(pub(super) &'d [u8]);

/// One value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'d> {
    pub(super) tag: u8,
    pub(super) content: &'d [u8],
    /// With its tag and length.
    pub(super) whole: &'d [u8],
}

impl<'d> Der<'d> {
    /// The next value.
    pub(super) fn next(&mut self) -> Option<Item<'d>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let mut length = 0_usize;
            for byte in bytes {
                length = length.checked_mul(256)?.checked_add(usize::from(*byte))?;
            }
            // The shortest way to write it; 0x80 itself has no length.
            let is_shortest = length >= 0x80 && bytes.first()? != &0;
            (is_shortest.then_some(length)?, rest)
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len().checked_sub(after.len())?)?;
        self.0 = after;
        // Numbers beyond one byte have no use here.
        (tag & 0x1f != 0x1f).then_some(Item {
            tag,
            content,
            whole,
        })
    }

    /// The content of the next value, which has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'d [u8]> {
        self.next_if(tag).map(|item| item.content)
    }

    /// The next value, if it has this tag.
    pub(super) fn next_if(&mut self, tag: u8) -> Option<Item<'d>> {
        let mut ahead = *self;
        let item = ahead.next().filter(|item| item.tag == tag)?;
        *self = ahead;
        Some(item)
    }

    /// Whether there is no more.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// More levels than any certificate or key has.
const DEEPEST: u8 = 32;

/// Whether it all is DER, to its depths.
pub(super) fn is_sound(der: &[u8]) -> bool {
    is_sound_within(der, DEEPEST)
}

fn is_sound_within(der: &[u8], levels: u8) -> bool {
    let Some(below) = levels.checked_sub(1) else {
        return false;
    };
    let mut rest = Der(der);
    while rest.end().is_none() {
        let is_item_sound = rest.next().is_some_and(|item| {
            if item.tag & CONSTRUCTED == 0 {
                is_sound_as(item.tag, item.content)
            } else {
                // Of what is called by its kind, only these two hold others.
                let is_other = item.tag < UNNAMED && ![SEQUENCE, SET].contains(&item.tag);
                !is_other && is_sound_within(item.content, below)
            }
        });
        if !is_item_sound {
            return false;
        }
    }
    true
}

/// Whether it is the content of a value with this tag, which has no others in it.
pub(super) fn is_sound_as(tag: u8, content: &[u8]) -> bool {
    match tag {
        BOOLEAN => matches!(content, [0 | 0xff]),
        INTEGER => match content {
            [] => false,
            [0, second, ..] => *second >= 0x80,
            [0xff, second, ..] => *second < 0x80,
            _ => true,
        },
        BIT_STRING => match content {
            [] => false,
            [unused] => *unused == 0,
            [unused, .., last] => *unused < 8 && last & ((1_u8 << unused) - 1) == 0,
        },
        NULL => content.is_empty(),
        OBJECT => {
            let starts_short = |window: &[u8]| matches!(window, [before, 0x80] if *before < 0x80);
            content.last().is_some_and(|last| *last < 0x80)
                && content.first() != Some(&0x80)
                && !content.windows(2).any(starts_short)
        }
        UTF8 => std::str::from_utf8(content).is_ok_and(|text| text.chars().all(is_character)),
        BMP => are_characters(content, 2),
        UNIVERSAL => are_characters(content, 4),
        UTC_TIME => is_time(content, 12),
        GENERALIZED_TIME => is_time(content, 14),
        // Strings, of which there are many kinds, and an enumeration.
        OCTET_STRING | 0x0a | 0x12..=0x16 | 0x19..=0x1b => true,
        tag => tag >= UNNAMED,
    }
}

/// Whether they are characters of `width` bytes each.
fn are_characters(content: &[u8], width: usize) -> bool {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
    };
    let mut numbers = content.chunks(width).map(number);
    content.len().is_multiple_of(width)
        && numbers.all(|number| char::from_u32(number).is_some_and(is_character))
}

/// Whether Unicode lets others than programs among themselves use it.
fn is_character(one: char) -> bool {
    let number = u32::from(one);
    number & 0xfffe != 0xfffe && !(0xfdd0..=0xfdef).contains(&number)
}

fn is_time(content: &[u8], digits: usize) -> bool {
    let text = std::str::from_utf8(content).unwrap_or_default();
    let Some(text) = text.strip_suffix('Z').filter(|text| text.len() == digits) else {
        return false;
    };
    let (year, rest) = text.split_at(digits.saturating_sub(10));
    let mut numbers = rest.as_bytes().chunks(2).map(|two| match two {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => (tens - b'0') * 10 + (ones - b'0'),
        _ => u8::MAX,
    });
    let mut next = || numbers.next().unwrap_or(u8::MAX);
    let (month, day) = (next(), next());
    let last = match month {
        // Two digits of a year tell leap years, but for 2100 and the like.
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=12).contains(&month)
        && (1..=last).contains(&day)
        && next() < 24
        && next() < 60
        && next() < 60
        && year.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_leap(year: &str) -> bool {
    let year: u16 = year.parse().unwrap_or_default();
    year.is_multiple_of(4) && (year < 100 || !year.is_multiple_of(100) || year.is_multiple_of(400))
}
