//! PCRE's notation, read into a tree.
//!
//! Source: pcrepattern(3), PCRE 8.39, without UTF.

use super::bytes::ByteSet;
use super::empty;
use super::escape::{self, Escape};
use super::node::{Branches, Kind, Node, Quantifier};

/// How deep groups may nest.
const DEPTH: usize = 50;

/// The tree of a pattern. `groups`: for each group of the original, its number when
/// look-aheads are taken out; `None`: it is inside one.
pub(super) fn parse(source: &[u8]) -> Result<(Branches, Vec<Option<usize>>), String> {
    let mut parser = Parser {
        source,
        at: 0,
        depth: 0,
        ahead: 0,
        dot: ByteSet::of(b'\n').not(),
        is_ungreedy: false,
        groups: Vec::new(),
    };
    let branches = parser.branches()?;
    if parser.at < source.len() {
        return Err("has a ) without its (".to_owned());
    }
    Ok((branches, parser.groups))
}

struct Parser<'s> {
    source: &'s [u8],
    at: usize,
    depth: usize,
    /// Look-aheads around this place.
    ahead: usize,
    /// What `.` matches.
    dot: ByteSet,
    /// Somewhere before, `U` made what is greedy lazy.
    is_ungreedy: bool,
    groups: Vec<Option<usize>>,
}

impl Parser<'_> {
    fn branches(&mut self) -> Result<Branches, String> {
        let mut branches = vec![self.sequence()?];
        while self.eat(b'|') {
            branches.push(self.sequence()?);
        }
        Ok(branches)
    }

    fn sequence(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while let Some(byte) = self.peek().filter(|byte| !matches!(byte, b'|' | b')')) {
            self.at = self.at.saturating_add(1);
            let before = nodes.len();
            self.atom(byte, &mut nodes)?;
            // What is repeated already, or has no width, is nothing to repeat to PCRE.
            while let Some(quantifier) = self.quantifier() {
                match nodes.pop().filter(|_| nodes.len() >= before) {
                    Some(Node::Ahead { .. }) => return Err("repeats a look-ahead".to_owned()),
                    None | Some(Node::Repeat(..) | Node::Empty(_) | Node::End) => {
                        return Err("repeats nothing".to_owned());
                    }
                    Some(node) => nodes.push(Node::Repeat(Box::new(node), quantifier)),
                }
            }
            if !self.is_ungreedy {
                nodes = empty::told(nodes);
            }
        }
        Ok(nodes)
    }

    fn atom(&mut self, byte: u8, nodes: &mut Vec<Node>) -> Result<(), String> {
        let node = match byte {
            b'\\' => return self.escape(nodes),
            b'[' => self.class()?,
            b'(' => match self.group()? {
                Some(node) => node,
                None => return Ok(()),
            },
            b'.' => Node::Set(self.dot, ".".to_owned()),
            b'^' => Node::Empty("^".to_owned()),
            b'$' => Node::End,
            b'*' | b'+' | b'?' => {
                return Err(format!("has a {} with nothing before it", char::from(byte)));
            }
            byte => literal(byte),
        };
        nodes.push(node);
        Ok(())
    }

    fn escape(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        match escape::read(self.source, &mut self.at, self.groups.len())? {
            Escape::Byte(byte) => nodes.push(literal(byte)),
            Escape::Set(set, text) => nodes.push(Node::Set(set, text.to_owned())),
            Escape::Empty(text) => nodes.push(Node::Empty(text.to_owned())),
            Escape::End => nodes.push(Node::End),
            Escape::Quote => {
                let rest = self.source.get(self.at..).unwrap_or_default();
                let end = rest.windows(2).position(|pair| pair == br"\E");
                let length = end.unwrap_or(rest.len());
                nodes.extend(rest.iter().take(length).map(|byte| literal(*byte)));
                let skip = if end.is_some() { 2 } else { 0 };
                self.at = self.at.saturating_add(length).saturating_add(skip);
            }
        }
        Ok(())
    }

    fn class(&mut self) -> Result<Node, String> {
        let (set, text) = escape::class(self.source, &mut self.at)?;
        Ok(Node::Set(set, text))
    }

    /// What follows an opening parenthesis; `None`: a comment.
    fn group(&mut self) -> Result<Option<Node>, String> {
        if self.eat_all(b"?#") {
            let rest = self.source.get(self.at..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == b')');
            let end = end.ok_or("has a comment without its )")?;
            self.at = self.at.saturating_add(end).saturating_add(1);
            return Ok(None);
        }
        if self.eat_all(b"?=") || self.eat_all(b"?!") {
            let negative = self.at.checked_sub(1).and_then(|at| self.source.get(at)) == Some(&b'!');
            self.ahead = self.ahead.saturating_add(1);
            let branches = self.closed()?;
            self.ahead = self.ahead.saturating_sub(1);
            return Ok(Some(Node::Ahead {
                must_match: !negative,
                branches,
            }));
        }
        if self.peek() == Some(b'*') {
            return Err(
                "has a backtracking verb, which a linear-time engine cannot run".to_owned(),
            );
        }
        let open = match self.peek() {
            Some(b'?') => self.special()?,
            _ => self.capture("("),
        };
        if open.ends_with(')') {
            return Ok(Some(Node::Empty(open)));
        }
        let dot = self.dot;
        let branches = self.closed()?;
        self.dot = dot;
        Ok(Some(Node::Group { open, branches }))
    }

    fn closed(&mut self) -> Result<Branches, String> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH {
            return Err(format!("nests groups deeper than {DEPTH}"));
        }
        let branches = self.branches()?;
        self.depth = self.depth.saturating_sub(1);
        if self.eat(b')') {
            Ok(branches)
        } else {
            Err("has a ( without its )".to_owned())
        }
    }

    /// Numbers a capturing group; inside a look-ahead it captures nothing.
    fn capture(&mut self, open: &str) -> String {
        if self.ahead > 0 {
            self.groups.push(None);
            return "(?:".to_owned();
        }
        let number = self.groups.iter().flatten().count().saturating_add(1);
        self.groups.push(Some(number));
        open.to_owned()
    }

    /// `(?:`, named groups, flags; everything else is refused by name.
    fn special(&mut self) -> Result<String, String> {
        if self.eat_all(b"?:") {
            return Ok("(?:".to_owned());
        }
        for (open, close) in [(&b"?P<"[..], b'>'), (b"?<", b'>'), (b"?'", b'\'')] {
            let is_behind = self
                .source
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with(b"?<=") || rest.starts_with(b"?<!"));
            if !is_behind && self.eat_all(open) {
                return self.name(close);
            }
        }
        let rest = self
            .source
            .get(self.at.saturating_add(1)..)
            .unwrap_or_default();
        let what = match rest {
            [b'<', ..] => "look-behind",
            [b'>', ..] => "an atomic group",
            [b'|', ..] => "a branch reset",
            [b'(', ..] => "a condition",
            [b'R' | b'0'..=b'9' | b'&' | b'P', ..] | [b'+', b'0'..=b'9', ..] => {
                "a recursion or back reference"
            }
            _ => return self.flags(),
        };
        Err(format!("has {what}, which a linear-time engine cannot run"))
    }

    fn name(&mut self, close: u8) -> Result<String, String> {
        let rest = self.source.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == close);
        let name = end.and_then(|end| rest.get(..end)).unwrap_or_default();
        let is_name = !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !is_name {
            return Err("has a group whose name is not made of letters and digits".to_owned());
        }
        self.at = self.at.saturating_add(name.len()).saturating_add(1);
        let open = format!("(?P<{}>", String::from_utf8_lossy(name));
        Ok(self.capture(&open))
    }

    /// `(?i)`, `(?s-i:`: up to and with the `)` or `:`.
    fn flags(&mut self) -> Result<String, String> {
        let rest = self.source.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| matches!(byte, b')' | b':'));
        let text = end.and_then(|end| rest.get(..=end)).unwrap_or_default();
        let flags = text
            .get(1..text.len().saturating_sub(1))
            .unwrap_or_default();
        if let Some(flag) = flags.iter().find(|flag| !b"isU-".contains(flag)) {
            return Err(format!(
                "has the option {}, which limpet does not know",
                char::from(*flag)
            ));
        }
        let text = std::str::from_utf8(text).unwrap_or_default();
        if text.is_empty() {
            return Err("has a (? without its )".to_owned());
        }
        self.is_ungreedy |= flags.contains(&b'U');
        if flags.contains(&b's') {
            self.dot = ByteSet::ALL;
        }
        self.at = self.at.saturating_add(text.len());
        Ok(format!("({text}"))
    }

    fn quantifier(&mut self) -> Option<Quantifier> {
        let (min, max) = match self.peek()? {
            b'*' => (0, None),
            b'+' => (1, None),
            b'?' => (0, Some(1)),
            b'{' => return self.counted(),
            _ => return None,
        };
        self.at = self.at.saturating_add(1);
        Some(self.kind(min, max))
    }

    /// `{2}`, `{2,}`, `{2,3}`; anything else in braces is literal.
    fn counted(&mut self) -> Option<Quantifier> {
        let rest = self.source.get(self.at.saturating_add(1)..)?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        let inside = std::str::from_utf8(rest.get(..end)?).ok()?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| digits)
        };
        let (min, max) = match inside.split_once(',') {
            None => (number(inside)?, Some(number(inside)?)),
            Some((min, "")) => (number(min)?, None),
            Some((min, max)) => (number(min)?, Some(number(max)?)),
        };
        self.at = self.at.saturating_add(end).saturating_add(2);
        Some(self.kind(min, max))
    }

    fn kind(&mut self, min: u32, max: Option<u32>) -> Quantifier {
        let kind = if self.eat(b'?') {
            Kind::Lazy
        } else if self.eat(b'+') {
            Kind::Possessive
        } else {
            Kind::Greedy
        };
        Quantifier { min, max, kind }
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    fn eat_all(&mut self, bytes: &[u8]) -> bool {
        let found = self
            .source
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(bytes));
        self.at = self.at.saturating_add(if found { bytes.len() } else { 0 });
        found
    }
}

fn literal(byte: u8) -> Node {
    Node::Set(ByteSet::of(byte), escape::literal(byte))
}
