//! The tree of a pattern.

use super::bytes::ByteSet;

/// Branches, of which the first that leads to a match is taken.
pub(super) type Branches = Vec<Vec<Node>>;

/// One element of a pattern; texts are in the regex crate's notation.
#[derive(Debug)]
pub(super) enum Node {
    /// One byte of a set.
    Set(ByteSet, String),
    /// Something that matches no byte: a flag, a word boundary.
    Empty(String),
    /// `$`: the end, or before a newline that ends the text.
    End,
    /// A group; `open` is its opening parenthesis with what follows it.
    Group { open: String, branches: Branches },
    /// An element, so many times.
    Repeat(Box<Node>, Quantifier),
    /// A look-ahead.
    Ahead {
        must_match: bool,
        branches: Branches,
    },
}

impl Node {
    /// Whether a look-ahead stands in it.
    pub(super) fn has_ahead(&self) -> bool {
        match self {
            Self::Ahead { .. } => true,
            Self::Group { branches, .. } => branches.iter().flatten().any(Self::has_ahead),
            Self::Repeat(inner, _) => inner.has_ahead(),
            Self::Set(..) | Self::Empty(_) | Self::End => false,
        }
    }
}

/// How often, and how eagerly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantifier {
    pub min: u32,
    /// `None`: any number.
    pub max: Option<u32>,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Greedy,
    Lazy,
    Possessive,
}
