//! PCRE's notation into the regex crate's. What the crate has is passed on, what differs is
//! spelled out, and what a linear-time engine cannot do is refused by name, but for:
//!
//! - a look-ahead whose place is the same in every match of what stands before it: checked
//!   apart, as "matches up to here and then this";
//! - a possessive repetition that could not give anything back anyway.

use super::bytes::ByteSet;
use super::node::{Branches, Kind, Node, Quantifier};
use super::width;
use std::fmt::Write;

/// A pattern for the regex crate, without Unicode.
pub(super) struct Translated {
    /// With `$` before a last newline too; exact where the text has no newline elsewhere.
    pub pattern: String,
    /// With `$` at the very end alone; `None`: the same.
    pub strict_end: Option<String>,
    /// What else must hold.
    pub guards: Vec<Guard>,
    /// For each group of the original its number here; `None`: it is part of a look-ahead.
    pub groups: Vec<Option<usize>>,
}

/// A look-ahead: everything before it, and its content.
pub(super) struct Guard {
    pub pattern: String,
    pub must_match: bool,
    /// Places of all of it that may be tried at once.
    pub width: u32,
}

/// Stands for `$` until it is known which kind is wanted.
const END: &str = "\u{1}";
const LENIENT_END: &str = "(?m:$)";

pub(super) fn translate(
    branches: &Branches,
    groups: Vec<Option<usize>>,
) -> Result<Translated, String> {
    possessive(branches, Follow::End)?;
    let mut spine = Spine {
        out: String::new(),
        open: 0,
        before: Before::Fixed,
        walked: width::Before::NOTHING,
        guards: Vec::new(),
    };
    match branches.as_slice() {
        [only] => spine.walk(only)?,
        several if several.iter().flatten().any(Node::has_ahead) => return Err(AHEAD.to_owned()),
        several => print(several, &mut spine.out),
    }
    let pattern = spine.out.replace(END, LENIENT_END);
    Ok(Translated {
        strict_end: spine
            .out
            .contains(END)
            .then(|| spine.out.replace(END, r"\z")),
        pattern,
        guards: spine.guards,
        groups,
    })
}

const AHEAD: &str = "has a look-ahead in a place where its meaning cannot be kept";
const POSSESSIVE: &str = "has a possessive repetition that a linear-time engine cannot run";

/// What is known about a place between two elements.
#[derive(Clone, Copy)]
enum Before {
    /// Everything before it matches in one way only.
    Fixed,
    /// It will, if the next byte is none of these.
    Repeated(ByteSet),
    /// It may match in several ways.
    Several,
}

/// Writes the elements that no alternative and no repetition encloses, and takes their
/// look-aheads out.
struct Spine {
    out: String,
    /// Groups written and not closed.
    open: usize,
    before: Before,
    walked: width::Before,
    guards: Vec<Guard>,
}

impl Spine {
    fn walk(&mut self, nodes: &[Node]) -> Result<(), String> {
        for node in nodes {
            match node {
                Node::Ahead {
                    must_match,
                    branches,
                } => self.guard(*must_match, branches)?,
                Node::Group { open, branches } if branches.len() == 1 => {
                    self.out.push_str(open);
                    self.open = self.open.saturating_add(1);
                    self.walk(branches.first().map_or(&[][..], Vec::as_slice))?;
                    self.open = self.open.saturating_sub(1);
                    self.out.push(')');
                }
                node if node.has_ahead() => return Err(AHEAD.to_owned()),
                node => {
                    print_node(node, &mut self.out);
                    self.before = advance(self.before, node);
                    self.walked = self.walked.then(node);
                }
            }
        }
        Ok(())
    }

    fn guard(&mut self, must_match: bool, branches: &Branches) -> Result<(), String> {
        let nested = branches.iter().flatten().any(Node::has_ahead);
        if nested || !matches!(self.before, Before::Fixed) {
            return Err(AHEAD.to_owned());
        }
        let mut pattern = String::from("^(?:");
        pattern.push_str(&self.out);
        pattern.push_str("(?:");
        print(branches, &mut pattern);
        pattern.push_str("))");
        pattern.extend(std::iter::repeat_n(')', self.open));
        self.guards.push(Guard {
            pattern: pattern.replace(END, LENIENT_END),
            must_match,
            width: self.walked.width(branches),
        });
        Ok(())
    }
}

fn advance(before: Before, node: &Node) -> Before {
    match (before, shape(node)) {
        (before, Shape::Nothing) => before,
        (Before::Fixed, Shape::Bytes(..) | Shape::End) => Before::Fixed,
        (Before::Fixed, Shape::Several) => match node {
            Node::Repeat(inner, _) => match **inner {
                Node::Set(set, _) => Before::Repeated(set),
                _ => Before::Several,
            },
            _ => Before::Several,
        },
        (Before::Repeated(set), Shape::Bytes(_, first)) if set.is_disjoint(first) => Before::Fixed,
        _ => Before::Several,
    }
}

/// What an element matches.
#[derive(Clone, Copy)]
enum Shape {
    /// So many bytes, of which the first is one of these.
    Bytes(u32, ByteSet),
    /// The end of the text.
    End,
    /// Nothing, anywhere.
    Nothing,
    /// Texts of several lengths.
    Several,
}

fn shape(node: &Node) -> Shape {
    match node {
        Node::Set(set, _) => Shape::Bytes(1, *set),
        Node::Empty(text) if text.starts_with("(?") && !text.contains('-') => Shape::Nothing,
        Node::Empty(text) if text == "^" => Shape::Nothing,
        Node::Empty(_) | Node::Ahead { .. } => Shape::Several,
        Node::End => Shape::End,
        Node::Group { branches, .. } => one_of(branches),
        Node::Repeat(inner, Quantifier { min, max, .. }) => match shape(inner) {
            Shape::Bytes(length, first) if *max == Some(*min) && *min > 0 => {
                Shape::Bytes(length.saturating_mul(*min), first)
            }
            _ => Shape::Several,
        },
    }
}

fn sequence(nodes: &[Node]) -> Shape {
    nodes
        .iter()
        .fold(Shape::Nothing, |whole, node| match (whole, shape(node)) {
            (Shape::Nothing, shape) | (shape, Shape::Nothing) => shape,
            (Shape::Bytes(one, first), Shape::Bytes(two, _)) => {
                Shape::Bytes(one.saturating_add(two), first)
            }
            _ => Shape::Several,
        })
}

/// Branches match in one way if they are of one length, or begin with different bytes.
fn one_of(branches: &[Vec<Node>]) -> Shape {
    let mut shapes = branches.iter().map(|nodes| sequence(nodes));
    let first = shapes.next().unwrap_or(Shape::Nothing);
    shapes.fold(first, |one, two| match (one, two) {
        (Shape::Bytes(one, first), Shape::Bytes(two, other)) if one == two => {
            Shape::Bytes(one, first.union(other))
        }
        // Such as (/|$): the end is not a slash.
        (Shape::Bytes(_, first), Shape::End) | (Shape::End, Shape::Bytes(_, first))
            if first.is_disjoint(ByteSet::of(b'\n')) =>
        {
            Shape::End
        }
        _ => Shape::Several,
    })
}

/// What must come after a place.
#[derive(Clone, Copy)]
enum Follow {
    /// Nothing: the pattern ends.
    End,
    /// One of these bytes.
    Byte(ByteSet),
    /// Something else, or nothing.
    Other,
}

/// Refuses a possessive repetition unless what must follow is none of its own bytes: then
/// giving some back could never help, and a plain repetition means the same.
fn possessive(branches: &[Vec<Node>], follow: Follow) -> Result<(), String> {
    for nodes in branches {
        for (at, node) in nodes.iter().enumerate() {
            let rest = nodes.get(at.saturating_add(1)..).unwrap_or_default();
            let next = first(rest, follow);
            match node {
                Node::Repeat(inner, quantifier) => {
                    if quantifier.kind == Kind::Possessive && !gives_nothing(inner, next) {
                        return Err(POSSESSIVE.to_owned());
                    }
                    if let Node::Group { branches, .. } = &**inner {
                        possessive(branches, Follow::Other)?;
                    }
                }
                Node::Group { branches, .. } => possessive(branches, next)?,
                Node::Ahead { branches, .. } => possessive(branches, Follow::End)?,
                Node::Set(..) | Node::Empty(_) | Node::End => {}
            }
        }
    }
    Ok(())
}

fn gives_nothing(repeated: &Node, next: Follow) -> bool {
    match (repeated, next) {
        (Node::Set(..), Follow::End) => true,
        (Node::Set(set, _), Follow::Byte(next)) => set.is_disjoint(next),
        _ => false,
    }
}

fn first(nodes: &[Node], follow: Follow) -> Follow {
    match nodes
        .iter()
        .find(|node| !matches!(shape(node), Shape::Nothing))
    {
        None => follow,
        Some(Node::Set(set, _)) => Follow::Byte(*set),
        Some(Node::End) => Follow::Byte(ByteSet::of(b'\n')),
        Some(Node::Group { branches, .. }) => {
            let firsts = branches.iter().map(|nodes| first(nodes, Follow::Other));
            firsts.reduce(either).unwrap_or(Follow::Other)
        }
        Some(Node::Repeat(inner, quantifier)) if quantifier.min > 0 => {
            first(std::slice::from_ref(inner), Follow::Other)
        }
        Some(_) => Follow::Other,
    }
}

fn either(one: Follow, two: Follow) -> Follow {
    match (one, two) {
        (Follow::Byte(one), Follow::Byte(two)) => Follow::Byte(one.union(two)),
        _ => Follow::Other,
    }
}

fn print(branches: &[Vec<Node>], out: &mut String) {
    for (at, nodes) in branches.iter().enumerate() {
        if at > 0 {
            out.push('|');
        }
        for node in nodes {
            print_node(node, out);
        }
    }
}

fn print_node(node: &Node, out: &mut String) {
    match node {
        Node::Set(_, text) | Node::Empty(text) => out.push_str(text),
        Node::End => out.push_str(END),
        Node::Group { open, branches } => {
            out.push_str(open);
            print(branches, out);
            out.push(')');
        }
        Node::Repeat(inner, quantifier) => {
            print_node(inner, out);
            print_quantifier(*quantifier, out);
        }
        // Callers take them out or refuse them.
        Node::Ahead { .. } => {}
    }
}

fn print_quantifier(quantifier: Quantifier, out: &mut String) {
    match (quantifier.min, quantifier.max) {
        (0, None) => out.push('*'),
        (1, None) => out.push('+'),
        (0, Some(1)) => out.push('?'),
        (min, None) => {
            let _ = write!(out, "{{{min},}}");
        }
        (min, Some(max)) => {
            let _ = write!(out, "{{{min},{max}}}");
        }
    }
    if quantifier.kind == Kind::Lazy {
        out.push('?');
    }
}
