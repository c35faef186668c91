//! The literal text that every match of an anchored pattern begins with: most locations are
//! told apart by it, and for `/app(.*)` it decides alone. A regular expression is only asked
//! where it does not.

use super::bytes::ByteSet;
use super::node::{Branches, Node};
use super::width::is_anchored;

/// What a pattern begins with, upper and lower case alike.
#[derive(Debug, Clone)]
pub(super) struct Prefix {
    literal: Vec<u8>,
    rest: Rest,
}

/// What stands behind a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// Elements that may all match nothing.
    Optional,
    Needed,
}

impl Prefix {
    /// `None`: the pattern is not anchored at the start, or has alternatives there.
    pub(super) fn of(branches: &Branches, ignore_case: bool) -> Option<Self> {
        let [nodes] = branches.as_slice() else {
            return None;
        };
        if !is_anchored(nodes) {
            return None;
        }
        let (_, nodes) = nodes.split_first()?;
        let mut literal = Vec::new();
        let rest = match collect(nodes, &mut literal) {
            rest if ignore_case => rest,
            _ => Rest::Needed,
        };
        Some(Self { literal, rest })
    }

    /// The literal text before the first special character of a pattern; nothing, where that is one of
    /// several alternatives.
    pub(super) fn around(path: &str) -> Self {
        let special = |byte: u8| br"\^$.[|()?*+{".contains(&byte);
        let end = path.bytes().position(special).unwrap_or(path.len());
        // The last character may be there or not.
        let may_be_absent = |byte: u8| b"?*{".contains(&byte);
        let certain = match path.as_bytes().get(end) {
            _ if path.contains('|') => 0,
            Some(byte) if may_be_absent(*byte) => end.saturating_sub(1),
            _ => end,
        };
        Self {
            literal: path.bytes().take(certain).collect(),
            rest: Rest::Optional,
        }
    }

    pub(super) fn literal(&self) -> &[u8] {
        &self.literal
    }

    /// Whether the literal does not decide.
    pub(super) fn is_asked_on(&self) -> bool {
        self.rest == Rest::Needed
    }

    /// Whether the pattern is this text and nothing else.
    pub(super) fn is_all(&self) -> bool {
        self.rest == Rest::Nothing
    }

    /// Whether the pattern matches; `None`: its regular expression knows.
    pub(super) fn is_match(&self, text: &[u8]) -> Option<bool> {
        let start = text.get(..self.literal.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(&self.literal)) {
            // With the literal the pattern matches, where whatever follows may be empty.
            return (self.rest != Rest::Needed).then_some(true);
        }
        Some(false)
    }
}

/// Appends the literal that `nodes` begin with.
fn collect(nodes: &[Node], literal: &mut Vec<u8>) -> Rest {
    let mut nodes = nodes.iter();
    while let Some(node) = nodes.next() {
        let rest = match node {
            Node::Set(set, _) => set.only().map_or(Rest::Needed, |byte| {
                literal.push(byte);
                Rest::Nothing
            }),
            // Flags may change what a letter means.
            Node::Group { open, branches } if matches!(&**open, "(" | "(?:") => {
                match branches.as_slice() {
                    [only] => collect(only, literal),
                    _ => rest_of(node),
                }
            }
            node => rest_of(node),
        };
        match rest {
            Rest::Nothing => {}
            Rest::Optional if nodes.all(is_optional) => return Rest::Optional,
            _ => return Rest::Needed,
        }
    }
    Rest::Nothing
}

fn rest_of(node: &Node) -> Rest {
    if is_optional(node) {
        Rest::Optional
    } else {
        Rest::Needed
    }
}

fn is_optional(node: &Node) -> bool {
    match node {
        Node::Repeat(_, quantifier) => quantifier.min == 0,
        Node::Group { branches, .. } => branches.iter().any(|nodes| nodes.iter().all(is_optional)),
        // Asked apart, as a guard.
        Node::Ahead { .. } => true,
        Node::Set(..) | Node::Empty(_) | Node::End => false,
    }
}

impl ByteSet {
    /// The only byte of the set, in lower case.
    pub(super) fn only(self) -> Option<u8> {
        let last = self.last()?;
        (self == Self::of(last)).then_some(last.to_ascii_lowercase())
    }
}
