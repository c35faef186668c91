//! Groups that a greedy repetition leaves empty. To PCRE it ends with a round that matches nothing where
//! one can, and its group is that round; the regex crate's is the last round that matched something.
//!
//! Source: `match`, `OP_KETRMAX`, of PCRE 8.39.

use super::node::{Branches, Kind, Node, Quantifier};

/// The same elements; a group that repeats last among them as `(.?)*` does is written `(?:.?)*()`.
///
/// A round that matches nothing at some places alone, as `(/|$)*` has, and groups within such
/// a group stay as the crate has them.
pub(super) fn told(mut nodes: Vec<Node>) -> Vec<Node> {
    let Some(Node::Repeat(inner, Quantifier { max, kind, .. })) = nodes.last_mut() else {
        return nodes;
    };
    let Node::Group { open, branches } = &mut **inner else {
        return nodes;
    };
    let is_endless = max.is_none() && *kind == Kind::Greedy;
    let is_known = may_be_empty(branches) && !branches.iter().flatten().any(captures);
    if is_endless && is_known && is_capture(open) {
        let open = std::mem::replace(open, "(?:".to_owned());
        nodes.push(Node::Group {
            open,
            branches: vec![Vec::new()],
        });
    }
    nodes
}

fn is_capture(open: &str) -> bool {
    open == "(" || open.starts_with("(?P<")
}

fn captures(node: &Node) -> bool {
    match node {
        Node::Group { open, branches } => {
            is_capture(open) || branches.iter().flatten().any(captures)
        }
        Node::Repeat(inner, _) => captures(inner),
        Node::Set(..) | Node::Empty(_) | Node::End | Node::Ahead { .. } => false,
    }
}

/// Whether they match nothing at every place.
fn may_be_empty(branches: &Branches) -> bool {
    let is_empty = |node: &Node| match node {
        Node::Group { branches, .. } => may_be_empty(branches),
        Node::Repeat(inner, quantifier) => {
            quantifier.min == 0
                || matches!(&**inner, Node::Group { branches, .. } if may_be_empty(branches))
        }
        Node::Set(..) | Node::Empty(_) | Node::End | Node::Ahead { .. } => false,
    };
    branches.iter().any(|nodes| nodes.iter().all(is_empty))
}
