//! How much work a pattern can be: how many of its places may be tried at once on one byte of a
//! text. A linear-time engine takes that times the length of the text, and no more.

use super::node::{Branches, Node, Quantifier};

/// The most places at once, looked for from the start of the text alone where the pattern says so.
pub(super) fn width(branches: &Branches) -> u32 {
    let size = one_of(branches);
    match branches.as_slice() {
        [nodes] if is_anchored(nodes) => size.at_once,
        // It may begin anywhere, and so be anywhere.
        _ => size.places,
    }
}

/// Places that engines make of a pattern, its look-aheads with it, each of which has what stands before it once
/// more: some 100 bytes each, up to twice that, and the same number to 32 bits and to 64.
pub(super) fn states(branches: &Branches) -> u32 {
    let (mut before, mut again) = (1, 0);
    // Look-aheads among several branches are refused.
    for nodes in branches
        .iter()
        .filter(|nodes| nodes.iter().any(Node::has_ahead))
    {
        before_each(nodes, &mut before, &mut again);
    }
    states_once(branches).saturating_add(again)
}

/// Adds to `again` the places before each look-ahead, and to `before` all of them.
fn before_each(nodes: &[Node], before: &mut u32, again: &mut u32) {
    for node in nodes {
        match node {
            Node::Ahead { .. } => *again = again.saturating_add(*before),
            Node::Group { branches, .. } => {
                for nodes in branches {
                    before_each(nodes, before, again);
                }
            }
            node => *before = before.saturating_add(states_of(node)),
        }
    }
}

fn states_once(branches: &Branches) -> u32 {
    let mut states = 1_u32;
    for nodes in branches {
        states = nodes
            .iter()
            .map(states_of)
            .fold(states, u32::saturating_add);
        states = states.saturating_add(1);
    }
    states
}

fn states_of(node: &Node) -> u32 {
    match node {
        Node::Set(set, _) => set.runs().div_euclid(4).saturating_add(1),
        Node::Empty(_) | Node::End => 1,
        Node::Group { branches, .. } | Node::Ahead { branches, .. } => states_once(branches),
        Node::Repeat(inner, quantifier) => quantifier.places(states_of(inner)),
    }
}

pub(super) fn is_anchored(nodes: &[Node]) -> bool {
    matches!(nodes.first(), Some(Node::Empty(text)) if text == "^")
}

/// What an element can be.
#[derive(Clone, Copy)]
struct Size {
    /// Places at once, if it begins at one place of the text.
    at_once: u32,
    /// Places in all.
    places: u32,
    /// Bytes that it matches; `None`: texts of several lengths.
    length: Option<u32>,
}

const NOTHING: Size = Size {
    at_once: 0,
    places: 0,
    length: Some(0),
};

fn one_of(branches: &Branches) -> Size {
    let mut sizes = branches.iter().map(|nodes| sequence(nodes));
    let first = sizes.next().unwrap_or(NOTHING);
    sizes.fold(first, |one, two| Size {
        at_once: one.at_once.saturating_add(two.at_once),
        places: one.places.saturating_add(two.places),
        length: one.length.filter(|_| one.length == two.length),
    })
}

/// Up to the first element of several lengths one follows the other; from there on an element may
/// begin anywhere.
fn sequence(nodes: &[Node]) -> Size {
    nodes.iter().map(size).fold(NOTHING, Size::then)
}

impl Size {
    fn then(self, next: Self) -> Self {
        Self {
            at_once: match self.length {
                Some(_) => self.at_once.max(next.at_once),
                None => self.at_once.saturating_add(next.places),
            },
            places: self.places.saturating_add(next.places),
            length: self
                .length
                .zip(next.length)
                .map(|(one, two)| one.saturating_add(two)),
        }
    }
}

/// What stands before a look-ahead, from the start of a text.
#[derive(Clone, Copy)]
pub(super) struct Before(Size);

impl Before {
    pub(super) const NOTHING: Self = Self(NOTHING);

    pub(super) fn then(self, node: &Node) -> Self {
        Self(self.0.then(size(node)))
    }

    /// The most places at once of it and then the look-ahead.
    pub(super) fn width(self, ahead: &Branches) -> u32 {
        self.0.then(one_of(ahead)).at_once
    }
}

fn size(node: &Node) -> Size {
    match node {
        Node::Set(..) => Size {
            at_once: 1,
            places: 1,
            length: Some(1),
        },
        Node::Empty(_) | Node::End => Size {
            at_once: 1,
            places: 1,
            length: Some(0),
        },
        Node::Group { branches, .. } => one_of(branches),
        Node::Repeat(inner, quantifier) => repeated(size(inner), *quantifier),
        // A pattern of its own.
        Node::Ahead { .. } => NOTHING,
    }
}

fn repeated(inner: Size, quantifier: Quantifier) -> Size {
    let places = quantifier.places(inner.places);
    let Quantifier { min, max, .. } = quantifier;
    match inner.length {
        Some(length) if max == Some(min) => Size {
            places,
            length: Some(length.saturating_mul(min)),
            ..inner
        },
        _ => Size {
            at_once: places,
            places,
            length: None,
        },
    }
}

impl Quantifier {
    /// The places of an element that has so many itself.
    fn places(self, inner: u32) -> u32 {
        let copies = self.max.unwrap_or(self.min).max(1);
        // One more for each choice to go on or not.
        let choices = self.max.map_or(1, |max| max.saturating_sub(self.min));
        inner.saturating_mul(copies).saturating_add(choices)
    }
}
