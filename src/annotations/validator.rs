//! What ingress-nginx 1.15 accepts as an annotation's value.
//!
//! Source: `internal/ingress/annotations/parser/validators.go`, ingress-nginx dbb11b92d.

use crate::access::Networks;
use regex::bytes::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::fmt;

/// The check of one annotation. An empty value is never checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validator {
    /// `ValidateNull`: anything.
    Any,
    /// `ValidateBool`.
    Bool,
    /// `ValidateInt`.
    Int,
    /// `ValidateOptions`: one of these words.
    Options(&'static [&'static str], Case),
    /// `ValidateRegex`: this pattern matches, and there is neither CR nor LF.
    Pattern(&'static str, Spaces),
    /// `ValidateServerName`.
    ServerName,
    /// `ValidateArrayOfServerName`: separated by commas.
    ServerNames,
    /// `ValidateCIDRs`: addresses and networks, separated by commas.
    Cidrs,
    /// `ValidateServiceName`: a DNS label.
    ServiceName,
}

/// Whether upper case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// It does.
    Kept,
    /// It does not.
    Folded,
}

/// Whether spaces count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spaces {
    /// They do.
    Kept,
    /// They are removed before the check, and only for it.
    Removed,
}

/// `IsValidRegex`.
const SERVER_NAME: &str = r"^[\-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\]*$";
const SERVICE_NAME: &str = "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$";

/// The patterns of validators, each compiled when it is first asked. A pattern that does not
/// compile accepts nothing; a test compiles them all.
#[derive(Debug, Default)]
pub struct Patterns(Vec<(&'static str, Option<Regex>)>);

impl Patterns {
    fn matches(&mut self, pattern: &'static str, spaces: Spaces, value: &str) -> bool {
        let value = match spaces {
            Spaces::Kept => Cow::Borrowed(value),
            Spaces::Removed => Cow::Owned(value.replace(' ', "")),
        };
        !value.contains(['\r', '\n'])
            && self
                .compiled(pattern)
                .is_some_and(|regex| regex.is_match(value.as_bytes()))
    }

    fn compiled(&mut self, pattern: &'static str) -> Option<&Regex> {
        let known = self.0.iter().position(|(known, _)| *known == pattern);
        let at = known.unwrap_or_else(|| {
            let compiled = RegexBuilder::new(pattern).unicode(false).build().ok();
            self.0.push((pattern, compiled));
            self.0.len().saturating_sub(1)
        });
        self.0.get(at)?.1.as_ref()
    }
}

impl Validator {
    /// Whether `value` is good.
    pub fn accepts(&self, value: &str, patterns: &mut Patterns) -> bool {
        match self {
            Self::Any => true,
            Self::Bool => parse_bool(value).is_some(),
            Self::Int => value.parse::<i64>().is_ok(),
            Self::Options(words, case) => is_option(words, *case, value.trim()),
            Self::Pattern(pattern, spaces) => patterns.matches(pattern, *spaces, value),
            Self::ServerName => patterns.matches(SERVER_NAME, Spaces::Kept, value.trim()),
            Self::ServerNames => {
                let mut names = value.split(',').map(str::trim);
                names.all(|name| patterns.matches(SERVER_NAME, Spaces::Kept, name))
            }
            Self::Cidrs => {
                let parts = value.split(',').map(str::trim);
                Networks::read(parts.filter(|part| !part.is_empty())).is_some()
            }
            Self::ServiceName => patterns.matches(SERVICE_NAME, Spaces::Kept, value),
        }
    }
}

/// What is accepted.
impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "anything",
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Options(words, _) => return f.write_str(&words.join(" or ")),
            Self::Pattern(pattern, _) => return write!(f, "a match of {pattern}"),
            Self::ServerName => return write!(f, "a match of {SERVER_NAME}"),
            Self::ServerNames => "host names separated by commas",
            Self::Cidrs => "IP addresses or networks separated by commas",
            Self::ServiceName => "a Service's name",
        })
    }
}

/// Go's `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn is_option(words: &[&str], case: Case, value: &str) -> bool {
    words.iter().any(|word| match case {
        Case::Kept => *word == value,
        Case::Folded => word.eq_ignore_ascii_case(value),
    })
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{ANNOTATIONS, find};
    use super::Patterns;

    #[test]
    fn every_pattern_compiles() {
        let mut patterns = Patterns::default();
        for annotation in ANNOTATIONS {
            let _ = annotation.validator.accepts("x", &mut patterns);
        }
        assert!(!patterns.0.is_empty());
        for (pattern, compiled) in patterns.0 {
            assert!(compiled.is_some(), "{pattern}");
        }
    }

    #[test]
    fn values_are_refused_as_ingress_nginx_refuses_them() {
        let mut patterns = Patterns::default();
        for (name, value, good) in [
            ("rewrite-target", "/$1", true),
            ("rewrite-target", "/x?y=$1", false),
            ("rewrite-target", "/a,b/$1", false),
            ("rewrite-target", "/a%20b", false),
            ("rewrite-target", "https://other.example.com/$1", true),
            ("permanent-redirect", "https://x.example.com/a?b=c&d", true),
            ("permanent-redirect", "https://x.example.com/$1", false),
            ("permanent-redirect", "https://x.example.com/a b", false),
            ("x-forwarded-prefix", "/$1", true),
            ("x-forwarded-prefix", "/a b", true),
            ("upstream-vhost", "internal.svc:8080", true),
            ("upstream-vhost", "a,b", false),
            ("server-alias", "a.example.com, *.b.example.com", true),
            ("affinity", " cookie ", true),
            ("affinity", "Cookie", false),
            ("session-cookie-samesite", "NONE", true),
            ("session-cookie-max-age", "abc5", true),
            ("session-cookie-max-age", "abc", false),
            ("whitelist-source-range", "10.0.0.0/8,1.2.3.4", true),
            ("whitelist-source-range", "10.0.0.0/99", false),
            ("proxy-cookie-domain", "a.example.com b.example.com", true),
            ("use-regex", "yes", false),
            ("use-regex", "T", true),
            ("permanent-redirect-code", "abc", false),
            ("default-backend", "my-service", true),
            ("default-backend", "My_Service", false),
        ] {
            let validator = find(name).unwrap().validator;
            let found = validator.accepts(value, &mut patterns);
            assert_eq!(found, good, "{name}: {value:?}");
        }
    }
}
