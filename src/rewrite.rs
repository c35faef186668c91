//! `rewrite-target` and every other text with captures and nginx variables in it.
//!
//! Source: `ngx_http_script_compile`, `ngx_http_script_regex_start_code`,
//! `ngx_http_script_regex_end_code` and `ngx_http_rewrite` of nginx 1.27.1.

pub(crate) mod escape;
pub(crate) mod template;
pub(crate) mod variable;

use crate::edit::FieldValue;
use crate::route::pattern::Pattern;
use escape::Kind;
use std::sync::Arc;
use template::{Filled, Template};
use variable::Scope;

/// `rewrite-target` of one location: `rewrite "(?i)path" target break`.
#[derive(Debug, Clone)]
pub(crate) struct Rewrite {
    pattern: Arc<Pattern>,
    target: Template,
    /// The target begins with `http://`, `https://` or `$scheme`: a redirect, whatever the
    /// request is.
    redirect: bool,
    /// The request's arguments are kept: the target does not end with a question mark.
    keep_args: bool,
}

/// What a rewrite makes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rewritten {
    /// The new target for the upstream, escaped; nginx's new `$uri` before that.
    Path { path: Vec<u8>, uri: Vec<u8> },
    /// A redirect to this URL.
    Redirect(Filled),
    /// Nothing is left of the path: nginx answers 500.
    Empty,
}

impl Rewrite {
    /// Compiles the rewrite of a location whose path is `path`. What takes a request to the
    /// location, `matched`, is the same expression from the start of the path: where it can
    /// match nowhere else, it finds what the rewrite would find. `template` compiles the target: its source,
    /// named groups, and whether its first question mark begins the arguments.
    pub(crate) fn compile(
        path: &str,
        matched: Option<&Arc<Pattern>>,
        target: &str,
        template: impl FnOnce(&str, &[(String, usize)], bool) -> Result<Template, String>,
    ) -> Result<Self, String> {
        let pattern = match matched.filter(|same| same.is_anchored() && path.starts_with('/')) {
            Some(same) => Arc::clone(same),
            None => Arc::new(Pattern::rewrite(path)?),
        };
        let trimmed = target.strip_suffix('?').unwrap_or(target);
        let absolute = ["http://", "https://", "$scheme"];
        let redirect = absolute.iter().any(|start| trimmed.starts_with(start));
        let target_template = template(trimmed, pattern.names(), !redirect)?;
        Ok(Self {
            target: target_template,
            pattern,
            redirect,
            keep_args: trimmed.len() == target.len(),
        })
    }

    /// Rewrites a request; `scope` is left with the captures of this match, as nginx does.
    /// `None`: the pattern does not match, the request stays as it is.
    pub(crate) fn apply<'r>(&'r self, scope: &mut Scope<'r>) -> Option<Rewritten> {
        scope.groups = self.pattern.groups(&scope.uri, scope.work)?;
        scope.subject = scope.uri.clone();
        let args = if self.keep_args { scope.args } else { &[] };
        if self.redirect {
            let escaped = self.target.escaped(scope);
            let open = escape::unescape_redirect(&escaped.open);
            let mut location = escape::unescape_redirect(&escaped.text);
            if !args.is_empty() {
                let joint = if self.target.has_question_mark() {
                    b'&'
                } else {
                    b'?'
                };
                location.push(joint);
                location.extend_from_slice(args);
            }
            return Some(Rewritten::Redirect(Filled {
                text: location,
                open,
            }));
        }
        let (uri, own_args) = self.target.path_and_args(scope);
        if uri.is_empty() {
            return Some(Rewritten::Empty);
        }
        // nginx would send a control character of the target as it is: no header may have one.
        let own_args = own_args.map(FieldValue::new);
        let all_args: [&[u8]; 3] = match &own_args {
            None => [b"", b"", args],
            Some(own) if args.is_empty() => [own, b"", b""],
            Some(own) => [own, b"&", args],
        };
        let has_args = all_args.iter().any(|part| !part.is_empty());
        let escaped = escape::escape(&uri, Kind::Uri);
        let length = escaped.len().saturating_add(args.len());
        let mut path = Vec::with_capacity(length.saturating_add(1));
        path.extend_from_slice(&escaped);
        if has_args {
            path.push(b'?');
            for part in all_args {
                path.extend_from_slice(part);
            }
        }
        Some(Rewritten::Path { path, uri })
    }
}

#[cfg(test)]
mod tests;
