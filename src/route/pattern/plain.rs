//! Patterns that match a text in one way only: their groups are found without a regular expression.
//! Most paths beside a rewrite are such: `/(app/.*)`, `/app(/|$)(.*)`.

use super::bytes::ByteSet;
use super::node::{Branches, Kind, Node, Quantifier};
use super::width::is_anchored;

/// So many groups a pattern has at most.
const MOST_GROUPS: usize = 4;

/// From where to where each group matched.
pub(super) type Spans = [(usize, usize); MOST_GROUPS];

/// What a pattern is made of, in order, upper and lower case alike.
#[derive(Debug, Clone)]
pub(super) struct Plain(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Text(Vec<u8>),
    /// `(/|$)`, and `(?:/|$)`.
    SlashOrEnd,
    /// `.*` at the end of all.
    Rest,
    /// A group begins; the first is 0.
    Open(usize),
    Close(usize),
}

impl Plain {
    /// `None`: it is another one, or has no group.
    pub(super) fn of(branches: &Branches) -> Option<Self> {
        let [nodes] = branches.as_slice() else {
            return None;
        };
        let (_, nodes) = nodes.split_first().filter(|_| is_anchored(nodes))?;
        let mut steps = Vec::new();
        let mut groups = 0;
        collect(nodes, &mut steps, &mut groups)?;
        let is_last = |at: usize| {
            let mut behind = steps.iter().skip(at.saturating_add(1));
            behind.all(|step| matches!(step, Step::Close(_)))
        };
        let rest = steps.iter().position(|step| matches!(step, Step::Rest));
        let is_plain = (1..=MOST_GROUPS).contains(&groups) && rest.is_none_or(is_last);
        is_plain.then_some(Self(steps))
    }

    /// Where the groups are; `None`: it does not match.
    pub(super) fn find(&self, text: &[u8]) -> Option<Spans> {
        let mut spans = Spans::default();
        let mut at = 0_usize;
        for step in &self.0 {
            let left = text.get(at..).unwrap_or_default();
            let taken = match step {
                Step::Text(text) => {
                    let start = left.get(..text.len())?;
                    start.eq_ignore_ascii_case(text).then_some(text.len())?
                }
                Step::SlashOrEnd => match left {
                    [b'/', ..] => 1,
                    [] | [b'\n'] => 0,
                    _ => return None,
                },
                Step::Rest => left
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(left.len()),
                Step::Open(group) => {
                    spans.get_mut(*group)?.0 = at;
                    0
                }
                Step::Close(group) => {
                    spans.get_mut(*group)?.1 = at;
                    0
                }
            };
            at = at.saturating_add(taken);
        }
        Some(spans)
    }
}

fn collect(nodes: &[Node], steps: &mut Vec<Step>, groups: &mut usize) -> Option<()> {
    for node in nodes {
        match node {
            Node::Set(set, _) => match steps.last_mut() {
                Some(Step::Text(text)) => text.push(set.only()?),
                _ => steps.push(Step::Text(vec![set.only()?])),
            },
            Node::Repeat(inner, quantifier) if is_rest(inner, *quantifier) => {
                steps.push(Step::Rest);
            }
            Node::Group { open, branches } if open == "(" || open == "(?:" => {
                let group = (open == "(").then_some(*groups);
                *groups = groups.saturating_add(usize::from(group.is_some()));
                steps.extend(group.map(Step::Open));
                match branches.as_slice() {
                    [only] => collect(only, steps, groups)?,
                    [slash, end] if is_slash(slash) && matches!(end.as_slice(), [Node::End]) => {
                        steps.push(Step::SlashOrEnd);
                    }
                    _ => return None,
                }
                steps.extend(group.map(Step::Close));
            }
            _ => return None,
        }
    }
    Some(())
}

fn is_slash(nodes: &[Node]) -> bool {
    matches!(nodes, [Node::Set(set, _)] if set.only() == Some(b'/'))
}

fn is_rest(inner: &Node, quantifier: Quantifier) -> bool {
    let is_greedy = matches!(
        quantifier,
        Quantifier {
            min: 0,
            max: None,
            kind: Kind::Greedy
        }
    );
    is_greedy && matches!(inner, Node::Set(set, _) if *set == ByteSet::of(b'\n').not())
}
