//! What may be done to a message: the closed list.

use crate::byte_kind;
use std::borrow::Cow;
use std::ops::Deref;

/// A header's name, in lower case; pseudo-headers such as `:path` included.
pub type Name<'e> = Cow<'e, str>;

/// One header field as received: its name, in lower case, and its value, any bytes.
pub type Field<'h> = (&'h [u8], &'h [u8]);

/// Header fields in the order received, duplicates included. They point into the one text in
/// which a host hands over a whole head ([`crate::pairs::decode`]); see also [`fields`].
pub type Headers<'h> = [Field<'h>];

/// Fields of which somebody else holds the text.
pub fn fields<N: AsRef<[u8]>, V: AsRef<[u8]>>(of: &[(N, V)]) -> Vec<Field<'_>> {
    of.iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect()
}

/// The first value of header `name`.
#[must_use]
pub fn first<'h>(headers: &Headers<'h>, name: &str) -> Option<&'h [u8]> {
    all(headers, name).next()
}

/// Every value of header `name`, in the order received.
pub fn all<'h>(headers: &Headers<'h>, name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers
        .iter()
        .filter(move |(n, _)| *n == name.as_bytes())
        .map(|(_, value)| *value)
}

/// A value that may leave in a header. There is no way to an [`Edit`] or a [`Reply`] but through
/// it: no host checks what a module writes, and a bare line feed in a value would begin a field
/// of somebody else's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldValue<'e>(Cow<'e, [u8]>);

impl<'e> FieldValue<'e> {
    /// A value that limpet makes: control characters are escaped, as in a URL.
    #[must_use]
    pub fn new(value: impl Into<Cow<'e, [u8]>>) -> Self {
        Self::escaped(value.into(), is_control)
    }

    /// A value that was received, or was made of one: a tab is white space there and stays.
    #[must_use]
    pub fn received(value: impl Into<Cow<'e, [u8]>>) -> Self {
        Self::escaped(value.into(), |byte| is_control(byte) && byte != b'\t')
    }

    fn escaped(value: Cow<'e, [u8]>, refuse: impl Fn(u8) -> bool) -> Self {
        if !byte_kind::has_control(&value) {
            return Self(value);
        }
        let mut out = Vec::with_capacity(value.len().saturating_add(8));
        for byte in value.iter() {
            if refuse(*byte) {
                out.extend(percent(*byte));
            } else {
                out.push(*byte);
            }
        }
        Self(out.into())
    }

    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Vec<u8> {
        self.0.into_owned()
    }
}

impl Deref for FieldValue<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Whether no header may carry the byte.
#[must_use]
pub fn is_control(byte: u8) -> bool {
    byte_kind::of(byte) & byte_kind::CONTROL != 0
}

/// The byte as an escape of a URL.
pub(crate) fn percent(byte: u8) -> [u8; 3] {
    let hex = |digit: u8| {
        let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
        digit.to_ascii_uppercase() as u8
    };
    [b'%', hex(byte >> 4), hex(byte & 15)]
}

/// One change to the head of a message, request or response by context. What the
/// configuration says already is borrowed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<'e> {
    /// Replaces every field of this name by one.
    Set(Name<'e>, FieldValue<'e>),
    /// Adds a field; those that are there stay.
    Add(Name<'e>, FieldValue<'e>),
    /// Removes every field of this name.
    Remove(Name<'e>),
}

/// An answer that limpet gives itself; no endpoint is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields without pseudo-headers.
    pub headers: Vec<(Name<'static>, FieldValue<'static>)>,
    /// The body, often empty.
    pub body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_leaves_in_a_value() {
        for byte in 0..=u8::MAX {
            let text = [b'a', byte, b'b'];
            let is_bad = is_control(byte);
            let value = FieldValue::new(&text[..]);
            assert!(!value.iter().any(|byte| is_control(*byte)), "{byte}");
            assert_eq!(*value != text[..], is_bad, "{byte}");
            let received = FieldValue::received(&text[..]);
            assert_eq!(*received != text[..], is_bad && byte != b'\t', "{byte}");
        }
        assert_eq!(&*FieldValue::new(&b"a\r\n\x7f"[..]), b"a%0D%0A%7F");
    }
}
