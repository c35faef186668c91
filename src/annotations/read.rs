//! One annotation's value, as ingress-nginx's parser reads it.
//!
//! Source: `checkAnnotation`, `parseBool`, `parseString` and `parseInt` in
//! `internal/ingress/annotations/parser`, ingress-nginx dbb11b92d.

use super::catalogue::{self, Refused};
use super::validator::{Patterns, Validator};
use crate::ingress::Ingress;
use crate::warning::Warning;

/// What every annotation of ingress-nginx begins with.
pub const PREFIX: &str = "nginx.ingress.kubernetes.io/";
/// What limpet's own begin with.
pub const OWN_PREFIX: &str = "limpet.dev/";

/// Why an annotation has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// It is not there.
    Missing,
    /// Its value is empty or of the wrong type.
    Content,
    /// Its value is refused by its validator (`strict` only).
    Refused,
}

/// Reads the annotations of one Ingress.
pub struct Reader<'a> {
    /// Whose they are.
    pub ingress: &'a Ingress,
    /// Whether values are validated.
    pub strict: bool,
    /// What values are validated by.
    pub patterns: &'a mut Patterns,
    /// What was found on the way.
    pub warnings: &'a mut Vec<Warning>,
}

impl<'a> Reader<'a> {
    /// The text of `name` (without prefix), every line trimmed.
    ///
    /// # Errors
    /// It is missing, empty or refused.
    pub fn text(&mut self, name: &str) -> Result<String, Unset> {
        let value = self.checked(name)?;
        let text: Vec<&str> = value.split('\n').map(str::trim).collect();
        let text = text.join("\n");
        if text.is_empty() {
            Err(Unset::Content)
        } else {
            Ok(text)
        }
    }

    /// The boolean `name`, as Go's `strconv.ParseBool` reads it.
    ///
    /// # Errors
    /// It is missing, no boolean or refused.
    pub fn flag(&mut self, name: &str) -> Result<bool, Unset> {
        let value = self.checked(name)?;
        parse_bool(value).ok_or_else(|| {
            self.warn(
                name,
                value,
                "is not true or false; ignored, as under ingress-nginx",
            );
            Unset::Content
        })
    }

    /// The whole number `name`.
    ///
    /// # Errors
    /// It is missing, no number or refused.
    pub fn number(&mut self, name: &str) -> Result<i64, Unset> {
        let value = self.checked(name)?;
        value.parse().map_err(|_| {
            self.warn(
                name,
                value,
                "is not a whole number; ignored, as under ingress-nginx",
            );
            Unset::Content
        })
    }

    /// limpet's own annotation `name`, without its prefix.
    pub fn own(&self, name: &str) -> Option<&str> {
        let value = self.ingress.annotations.get(&format!("{OWN_PREFIX}{name}"));
        value.map(String::as_str)
    }

    /// limpet's own boolean `name`.
    pub fn own_flag(&mut self, name: &str) -> Option<bool> {
        let value = self.own(name)?.to_owned();
        let flag = parse_bool(&value);
        if flag.is_none() {
            let field = format!("{OWN_PREFIX}{name}");
            self.warn(&field, &value, "is not true or false; ignored");
        }
        flag
    }

    /// Adds a remark on the annotation `name`.
    pub fn warn(&mut self, name: &str, value: &str, text: impl Into<String>) {
        self.warnings
            .push(Warning::ingress(&self.ingress.key, name, value, text));
    }

    /// The raw value, validated where `strict`.
    fn checked(&mut self, name: &str) -> Result<&'a str, Unset> {
        let full = [PREFIX, name].concat();
        let value = self.ingress.annotations.get(&full).ok_or(Unset::Missing)?;
        let row = catalogue::find(name).filter(|_| self.strict && !value.is_empty());
        match row {
            Some(row) if row.validator.check(value, self.patterns).is_err() => Err(Unset::Refused),
            _ => Ok(value),
        }
    }
}

/// Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Looks at every annotation of one Ingress: unknown names, values that ingress-nginx 1.15
/// refuses, what limpet does not do. The worst that follows from a refusal.
pub(super) fn survey(reader: &mut Reader, risk: Option<catalogue::Risk>) -> Refused {
    let mut worst = Refused::Annotation;
    let annotations = &reader.ingress.annotations;
    for (full, value) in annotations {
        let Some(name) = full.strip_prefix(PREFIX) else {
            continue;
        };
        let Some(row) = catalogue::find(name) else {
            reader.unknown(name, value);
            continue;
        };
        reader.unsupported(row, value);
        if risk.is_some_and(|most| row.risk > most) {
            let text = format!(
                "is an annotation of risk {:?}, which ingress-nginx refuses; the whole Ingress is ignored",
                row.risk
            );
            reader.warn(name, value, text);
            worst = Refused::Ingress;
        }
        if let Some(refused) = reader.refusal(row, value) {
            worst = heavier(worst, refused);
        }
    }
    reader.unknown_own();
    worst
}

fn heavier(one: Refused, other: Refused) -> Refused {
    match (one, other) {
        (Refused::Ingress, _) | (_, Refused::Ingress) => Refused::Ingress,
        (Refused::Deny, _) | (_, Refused::Deny) => Refused::Deny,
        _ => Refused::Annotation,
    }
}

/// limpet's own annotations.
const OWN: [&str; 4] = [
    "session-cookie-partitioned",
    "session-cookie-refresh",
    "session-cookie-default-path",
    "session-cookie-skip-cacheable",
];

impl Reader<'_> {
    fn unknown(&mut self, name: &str, value: &str) {
        let names = catalogue::ANNOTATIONS.iter().map(|row| row.name);
        let text = match crate::warning::nearest(name, names) {
            Some(near) => format!(
                "is set, but ingress-nginx knows no annotation {name}; did you mean {near}? Ignored"
            ),
            None => format!("is set, but ingress-nginx knows no annotation {name}; ignored"),
        };
        self.warn(name, value, text);
    }

    fn unknown_own(&mut self) {
        let ingress = self.ingress;
        for (full, value) in &ingress.annotations {
            let Some(name) = full.strip_prefix(OWN_PREFIX) else {
                continue;
            };
            if !OWN.contains(&name) {
                let text = match crate::warning::nearest(name, OWN.into_iter()) {
                    Some(near) => format!(
                        "is set, but limpet knows no such annotation; did you mean {OWN_PREFIX}{near}? Ignored"
                    ),
                    None => "is set, but limpet knows no such annotation; ignored".to_owned(),
                };
                self.warn(full, value, text);
            }
        }
    }

    fn unsupported(&mut self, row: &catalogue::Annotation, value: &str) {
        if let catalogue::Support::No(instead) = row.support {
            let text = format!("is not honoured by limpet: {instead}");
            self.warn(row.name, value, text);
        }
    }

    /// What ingress-nginx drops because of `value`, told in a warning. `None`: it is good, or
    /// values are not validated. The redirect family is judged by its own parser, which
    /// does not look at every annotation.
    fn refusal(&mut self, row: &catalogue::Annotation, value: &str) -> Option<Refused> {
        let expected = row
            .validator
            .check(value, self.patterns)
            .err()
            .filter(|_| !value.is_empty())?;
        if !self.strict {
            // Nobody accepts these: their reader says so.
            if matches!(row.validator, Validator::Bool | Validator::Int) {
                return None;
            }
            let text = format!(
                "is refused by ingress-nginx 1.15, which expects {expected}; accepted here, strict would not"
            );
            self.warn(row.name, value, text);
            return None;
        }
        let now = match row.refused {
            Refused::Annotation => "the annotation is ignored",
            Refused::Ingress => "the whole Ingress is ignored",
            Refused::Deny => "its paths answer 503",
        };
        self.warn(
            row.name,
            value,
            format!("is refused, expected {expected}; {now}"),
        );
        (row.family != "redirect").then_some(row.refused)
    }
}
