//! What ingress-nginx 1.15 accepts as an annotation's value.
//!
//! Source: `internal/ingress/annotations/parser/validators.go`, ingress-nginx dbb11b92d.

use regex::bytes::{Regex, RegexBuilder};
use std::net::IpAddr;

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

impl Validator {
    /// # Errors
    /// What was expected.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let good = match self {
            Self::Any => true,
            Self::Bool => super::read::parse_bool(value).is_some(),
            Self::Int => value.parse::<i64>().is_ok(),
            Self::Options(words, case) => is_option(words, *case, value.trim()),
            Self::Pattern(pattern, spaces) => matches(pattern, *spaces, value),
            Self::ServerName => matches(SERVER_NAME, Spaces::Kept, value.trim()),
            Self::ServerNames => {
                let mut names = value.split(',').map(str::trim);
                names.all(|name| matches(SERVER_NAME, Spaces::Kept, name))
            }
            Self::Cidrs => value.split(',').all(|part| is_cidr(part.trim())),
            Self::ServiceName => matches(SERVICE_NAME, Spaces::Kept, value),
        };
        if good { Ok(()) } else { Err(self.expected()) }
    }

    fn expected(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Int => "a whole number".to_owned(),
            Self::Options(words, _) => words.join(" or "),
            Self::Pattern(pattern, _) => format!("a match of {pattern}"),
            Self::ServerName => format!("a match of {SERVER_NAME}"),
            Self::ServerNames => "host names separated by commas".to_owned(),
            Self::Cidrs => "IP addresses or networks separated by commas".to_owned(),
            Self::ServiceName => "a Service's name".to_owned(),
        }
    }
}

fn is_option(words: &[&str], case: Case, value: &str) -> bool {
    words.iter().any(|word| match case {
        Case::Kept => *word == value,
        Case::Folded => word.eq_ignore_ascii_case(value),
    })
}

/// A pattern that does not compile accepts nothing; a test compiles them all.
fn matches(pattern: &str, spaces: Spaces, value: &str) -> bool {
    let compiled: Result<Regex, _> = RegexBuilder::new(pattern).unicode(false).build();
    let without = match spaces {
        Spaces::Kept => value.to_owned(),
        Spaces::Removed => value.replace(' ', ""),
    };
    let is_match = compiled.is_ok_and(|regex| regex.is_match(without.as_bytes()));
    is_match && !without.contains(['\r', '\n'])
}

fn is_cidr(text: &str) -> bool {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return text.is_empty();
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::find;

    #[test]
    fn values_are_refused_as_ingress_nginx_refuses_them() {
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
            assert_eq!(validator.check(value).is_ok(), good, "{name}: {value:?}");
        }
    }
}
