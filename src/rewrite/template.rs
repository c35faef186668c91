//! A text with `$1` and `$name` in it, compiled.
//!
//! Source: `ngx_http_script_compile` of nginx 1.27.1.

use super::escape::{Kind, escape};
use super::variable::{Scope, Variable};
use std::sync::Arc;

/// Stands in a text for what its author left open. No header has it.
pub(crate) const OPEN: u8 = 0x7f;

/// A text that was filled in for a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Filled {
    /// The text itself.
    pub text: Vec<u8>,
    /// The same with [`OPEN`] in place of whatever the downstream decides.
    pub open: Vec<u8>,
}

impl Filled {
    /// A text that is the same for everybody, as far as its beginning goes.
    pub(crate) fn fixed(text: Vec<u8>) -> Self {
        let open = text.clone();
        Self { text, open }
    }
}

/// How captures are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// As they are, but escaped in arguments where the request had escapes.
    Plain,
    /// Escaped everywhere where the request had escapes.
    Quoted,
    /// Not at all: [`OPEN`] stands in their place, and in that of the downstream's variables.
    Open,
}

/// A compiled text, shared by all who have it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Template {
    pieces: Arc<[Piece]>,
    source: Arc<str>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(Vec<u8>),
    /// `$1` is group 1.
    Group(usize),
    Variable(Variable),
    /// The question mark after which arguments begin.
    Args,
}

impl Template {
    /// Whether both are one in memory.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pieces, &other.pieces)
    }

    /// Compiles a value. `names`: named groups, which are variables too.
    pub(crate) fn compile(source: &str, names: &[(String, usize)]) -> Result<Self, String> {
        Self::parse(source, names, false)
    }

    /// Compiles a rewrite's target: its first question mark begins the arguments.
    pub(crate) fn with_args(source: &str, names: &[(String, usize)]) -> Result<Self, String> {
        Self::parse(source, names, true)
    }

    fn parse(source: &str, names: &[(String, usize)], mut args: bool) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            if first == '$' {
                let (piece, tail) = dollar(rest.get(1..).unwrap_or_default(), names)?;
                pieces.push(piece);
                rest = tail;
            } else if first == '?' && args {
                args = false;
                pieces.push(Piece::Args);
                rest = rest.get(1..).unwrap_or_default();
            } else {
                let end = rest.find(|c| c == '$' || (c == '?' && args));
                let (text, tail) = rest.split_at(end.unwrap_or(rest.len()));
                pieces.push(Piece::Text(text.as_bytes().to_vec()));
                rest = tail;
            }
        }
        Ok(Self {
            pieces: pieces.into(),
            source: source.into(),
        })
    }

    /// Whether the source has a question mark anywhere.
    pub(crate) fn has_question_mark(&self) -> bool {
        self.source.contains('?')
    }

    /// Whether it has captures.
    pub(crate) fn has_groups(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Group(_)))
    }

    /// The value, captures as they are.
    pub(crate) fn value(&self, scope: &Scope) -> Vec<u8> {
        self.render(scope, Fill::Plain).0
    }

    /// The value for a redirect.
    pub(crate) fn filled(&self, scope: &Scope) -> Filled {
        Filled {
            text: self.value(scope),
            open: self.render(scope, Fill::Open).0,
        }
    }

    /// The value for a rewrite's redirect: captures escaped where the request had escapes.
    pub(crate) fn escaped(&self, scope: &Scope) -> Filled {
        Filled {
            text: self.render(scope, Fill::Quoted).0,
            open: self.render(scope, Fill::Open).0,
        }
    }

    /// The path and, where the template has a question mark, the arguments.
    pub(crate) fn path_and_args(&self, scope: &Scope) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut path, args) = self.render(scope, Fill::Plain);
        match args {
            None => (path, None),
            Some(at) => {
                let args = path.split_off(at.min(path.len()));
                (path, Some(args))
            }
        }
    }

    fn render(&self, scope: &Scope, fill: Fill) -> (Vec<u8>, Option<usize>) {
        let mut out = Vec::with_capacity(self.source.len().saturating_add(scope.subject.len()));
        let mut args = None;
        for piece in self.pieces.iter() {
            let before = out.len();
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Args => args = Some(out.len()),
                Piece::Group(_) if fill == Fill::Open => out.push(OPEN),
                Piece::Variable(variable) if fill == Fill::Open && variable.is_downstreams() => {
                    out.push(OPEN);
                }
                Piece::Variable(variable) => {
                    if !scope.work.reads(variable.reads(scope)) {
                        break;
                    }
                    variable.append(scope, &mut out);
                }
                Piece::Group(number) => {
                    let group = scope.group(*number);
                    if scope.quoted && (fill == Fill::Quoted || args.is_some()) {
                        out.extend_from_slice(&escape(group, Kind::Args));
                    } else {
                        out.extend_from_slice(group);
                    }
                }
            }
            // However often a value stands in the text, a request makes only so much of it.
            let added = out.get(before..).unwrap_or_default();
            if !matches!(piece, Piece::Text(_)) && !scope.work.copies(added) {
                break;
            }
        }
        (out, args)
    }
}

/// What follows a dollar sign: a digit from 1 to 9, a name, or a name in braces.
fn dollar<'s>(rest: &'s str, names: &[(String, usize)]) -> Result<(Piece, &'s str), String> {
    if let Some(digit @ b'1'..=b'9') = rest.as_bytes().first() {
        let group = usize::from(digit.wrapping_sub(b'0'));
        return Ok((Piece::Group(group), rest.get(1..).unwrap_or_default()));
    }
    let inside = rest.strip_prefix('{');
    let text = inside.unwrap_or(rest);
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let (name, tail) = text.split_at(end.unwrap_or(text.len()));
    let tail = match inside {
        None => tail,
        Some(_) => tail
            .strip_prefix('}')
            .ok_or_else(|| format!("has ${{{name} without its }}"))?,
    };
    if name.is_empty() {
        return Err("has a $ that no variable's name follows".to_owned());
    }
    if let Some((_, group)) = names.iter().find(|(known, _)| known == name) {
        return Ok((Piece::Group(*group), tail));
    }
    let variable = Variable::find(name)
        .ok_or_else(|| format!("has ${name}, which is no nginx variable that limpet knows"))?;
    Ok((Piece::Variable(variable), tail))
}
