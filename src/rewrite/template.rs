//! A text with `$1` and `$name` in it, compiled.
//!
//! Source: `ngx_http_script_compile` of nginx 1.27.1.

use super::escape::{Kind, escape};
use super::variable::{Scope, Variable};

/// A compiled text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    source: String,
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
    /// Compiles a value. `names`: named groups, which are variables too.
    pub(crate) fn compile(source: &str, names: &[(String, usize)]) -> Result<Self, String> {
        Self::parse(source, names, false)
    }

    /// Compiles a rewrite's target: its first question mark begins the arguments.
    pub(crate) fn with_args(source: &str, names: &[(String, usize)]) -> Result<Self, String> {
        Self::parse(source, names, true)
    }

    fn parse(source: &str, names: &[(String, usize)], mut args: bool) -> Result<Self, String> {
        let mut template = Self {
            pieces: Vec::new(),
            source: source.to_owned(),
        };
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            if first == '$' {
                let (piece, tail) = dollar(rest.get(1..).unwrap_or_default(), names)?;
                template.pieces.push(piece);
                rest = tail;
            } else if first == '?' && args {
                args = false;
                template.pieces.push(Piece::Args);
                rest = rest.get(1..).unwrap_or_default();
            } else {
                let end = rest.find(|c| c == '$' || (c == '?' && args));
                let (text, tail) = rest.split_at(end.unwrap_or(rest.len()));
                template.pieces.push(Piece::Text(text.as_bytes().to_vec()));
                rest = tail;
            }
        }
        Ok(template)
    }

    /// Whether the source has a question mark anywhere.
    pub(crate) fn has_question_mark(&self) -> bool {
        self.source.contains('?')
    }

    /// The text as written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whether it has captures.
    pub(crate) fn has_groups(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Group(_)))
    }

    /// The value, captures as they are.
    pub(crate) fn value(&self, scope: &Scope) -> Vec<u8> {
        self.render(scope, false).0
    }

    /// The value for a redirect: captures escaped where the request had escapes.
    pub(crate) fn escaped(&self, scope: &Scope) -> Vec<u8> {
        self.render(scope, true).0
    }

    /// The path and, where the template has a question mark, the arguments.
    pub(crate) fn path_and_args(&self, scope: &Scope) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut path, args) = self.render(scope, false);
        match args {
            None => (path, None),
            Some(at) => {
                let args = path.split_off(at.min(path.len()));
                (path, Some(args))
            }
        }
    }

    /// Whether a URL of it names another host than its author meant: a part of the request stands
    /// where the host has not ended yet (`https://host$1`), and goes on with it. nginx sends such
    /// redirects, anybody may point them anywhere.
    pub(crate) fn leads_astray(&self, scope: &Scope) -> bool {
        let mut head = Vec::new();
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            let mut value = Vec::new();
            let is_requests = match piece {
                Piece::Text(text) => {
                    value.extend_from_slice(text);
                    false
                }
                Piece::Args => false,
                Piece::Group(number) => {
                    value.extend_from_slice(scope.group(*number));
                    true
                }
                Piece::Variable(variable) => {
                    variable.append(scope, &mut value);
                    variable.is_of_the_target()
                }
            };
            if is_requests && is_in_host(&head) && !ends_host(&value) {
                let is_label =
                    |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                let in_domain = match pieces.peek() {
                    Some(Piece::Text(text)) => text.split(|byte| *byte == b'/').next(),
                    _ => None,
                };
                let in_domain = in_domain.is_some_and(|rest| rest.contains(&b'.'));
                if !(in_domain && value.iter().all(is_label)) {
                    return true;
                }
            }
            head.append(&mut value);
        }
        false
    }

    fn render(&self, scope: &Scope, quote: bool) -> (Vec<u8>, Option<usize>) {
        let mut out = Vec::with_capacity(self.source.len().saturating_add(scope.subject.len()));
        let mut args = None;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Args => args = Some(out.len()),
                Piece::Variable(variable) => variable.append(scope, &mut out),
                Piece::Group(number) => {
                    let group = scope.group(*number);
                    if scope.quoted && (quote || args.is_some()) {
                        out.extend_from_slice(&escape(group, Kind::Args));
                    } else {
                        out.extend_from_slice(group);
                    }
                }
            }
        }
        (out, args)
    }
}

/// Whether what follows still belongs to the host of a URL that begins like this.
fn is_in_host(head: &[u8]) -> bool {
    let mark = head.windows(3).position(|three| three == b"://");
    let host = mark.and_then(|at| head.get(at.saturating_add(3)..));
    host.is_some_and(|host| {
        !host
            .iter()
            .any(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'))
    })
}

fn ends_host(value: &[u8]) -> bool {
    matches!(value.first(), None | Some(b'/' | b'?' | b'#'))
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
