//! What may be done to a message: the closed list.

use std::borrow::Cow;

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

/// One change to the head of a message, request or response by context. What the
/// configuration says already is borrowed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<'e> {
    /// Replaces every field of this name by one.
    Set(Name<'e>, Cow<'e, [u8]>),
    /// Adds a field; those that are there stay.
    Add(Name<'e>, Cow<'e, [u8]>),
    /// Removes every field of this name.
    Remove(Name<'e>),
}

/// An answer that limpet gives itself; no endpoint is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields without pseudo-headers.
    pub headers: Vec<(Name<'static>, Vec<u8>)>,
    /// The body, often empty.
    pub body: Vec<u8>,
}
