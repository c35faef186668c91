//! What may be done to a message: the closed list.

use std::borrow::Cow;

/// A header's name, in lower case; pseudo-headers such as `:path` included.
pub type Name = Cow<'static, str>;

/// Header fields in the order received, duplicates included; names in lower
/// case, values any bytes.
pub type Headers = [(String, Vec<u8>)];

/// The first value of header `name`.
#[must_use]
pub fn first<'h>(headers: &'h Headers, name: &str) -> Option<&'h [u8]> {
    all(headers, name).next()
}

/// Every value of header `name`, in the order received.
pub fn all<'h>(headers: &'h Headers, name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers
        .iter()
        .filter(move |(n, _)| n == name)
        .map(|(_, value)| value.as_slice())
}

/// One change to the head of a message, request or response by context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Replaces every field of this name by one.
    Set(Name, Vec<u8>),
    /// Adds a field; those that are there stay.
    Add(Name, Vec<u8>),
    /// Removes every field of this name.
    Remove(Name),
}

/// An answer that limpet gives itself; no endpoint is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields without pseudo-headers.
    pub headers: Vec<(Name, Vec<u8>)>,
    /// The body, often empty.
    pub body: Vec<u8>,
}
