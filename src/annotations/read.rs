//! One annotation's value, as ingress-nginx's parser reads it.
//!
//! Source: `checkAnnotation`, `parseBool`, `parseString` and `parseInt` in
//! `internal/ingress/annotations/parser`, ingress-nginx dbb11b92d.

use super::catalogue::{self, Refused};
use super::validator::{Patterns, Validator, parse_bool};
use crate::edit::is_control;
use crate::ingress::{Ingress, OWN_PREFIX, PREFIX};
use crate::nearest::nearest;
use crate::remark::{Effect, Expected, Field, Problem, Remark};

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
    /// Authorizers are told: `auth-url` and what goes with it is honoured.
    pub asks: bool,
    /// The listener asks for certificates: `auth-tls-secret` and what goes with it is honoured.
    pub asks_for_certificates: bool,
    /// Routes are rendered: time-outs, retries and mirrors are honoured by them.
    pub names_routes: bool,
    /// What values are validated by.
    pub patterns: &'a mut Patterns,
    /// What was found on the way.
    pub remarks: &'a mut Vec<Remark>,
}

impl<'a> Reader<'a> {
    /// The text of `name` (without prefix), every line trimmed.
    ///
    /// # Errors
    /// It is missing, empty or refused.
    pub fn text(&mut self, name: &str) -> Result<String, Unset> {
        let text = trimmed(self.checked(name)?);
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
        parse_bool(self.checked(name)?).ok_or(Unset::Content)
    }

    /// The whole number `name`.
    ///
    /// # Errors
    /// It is missing, no number or refused.
    pub fn number(&mut self, name: &str) -> Result<i64, Unset> {
        let value = self.checked(name)?;
        value.parse().map_err(|_| Unset::Content)
    }

    /// The text of `name` where its validator accepts it, whether `strict` or not.
    pub fn fit(&mut self, name: &str) -> Option<String> {
        let text = self.text(name).ok()?;
        let row = catalogue::find(name)?;
        row.validator.accepts(&text, self.patterns).then_some(text)
    }

    /// What stands there, unread.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let value = self.ingress.annotations.get(&[PREFIX, name].concat());
        value.map(String::as_str)
    }

    /// limpet's own annotation `name`, without its prefix.
    pub fn own(&self, name: &str) -> Option<&str> {
        let value = self.ingress.annotations.get(&format!("{OWN_PREFIX}{name}"));
        value.map(String::as_str)
    }

    /// limpet's own text `name`, which becomes a part of a header.
    pub fn own_text(&mut self, name: &str) -> Option<String> {
        let value = trimmed(self.own(name)?);
        if value.bytes().any(is_control) {
            let field = format!("{OWN_PREFIX}{name}");
            self.remark(&field, &value, Problem::ControlCharacter, Effect::Setting);
            return None;
        }
        Some(value)
    }

    /// limpet's own boolean `name`.
    pub fn own_flag(&mut self, name: &str) -> Option<bool> {
        let value = self.own(name)?.to_owned();
        let flag = parse_bool(&value);
        if flag.is_none() {
            let field = format!("{OWN_PREFIX}{name}");
            let problem = Problem::Not(Expected::Flag);
            self.remark(&field, &value, problem, Effect::Setting);
        }
        flag
    }

    /// Adds a remark on the annotation `name`.
    pub fn remark(&mut self, name: &str, value: &str, problem: Problem, effect: Effect) {
        let remark = Remark::new(Field::annotation(name), value, problem, effect);
        self.remarks.push(remark.of(&self.ingress.key));
    }

    /// The raw value, validated where `strict`.
    pub(super) fn checked(&mut self, name: &str) -> Result<&'a str, Unset> {
        let full = [PREFIX, name].concat();
        let value = self.ingress.annotations.get(&full).ok_or(Unset::Missing)?;
        if is_unfit(name, value) {
            return Err(Unset::Refused);
        }
        let row = catalogue::find(name).filter(|_| self.strict && !value.is_empty());
        match row {
            Some(row) if !row.validator.accepts(value, self.patterns) => Err(Unset::Refused),
            _ => Ok(value),
        }
    }
}

/// Every line trimmed, and the text without the line break that a block of YAML ends with.
fn trimmed(value: &str) -> String {
    let lines: Vec<&str> = value.split('\n').map(str::trim).collect();
    lines.join("\n").trim_end().to_owned()
}

/// The annotations whose values become parts of headers as they are. Those of `proxy-cookie-*`
/// and `proxy-redirect-*` are words: see [`crate::redirect::response`].
const IN_HEADERS: [&str; 9] = [
    "app-root",
    "permanent-redirect",
    "rewrite-target",
    "session-cookie-domain",
    "session-cookie-name",
    "session-cookie-path",
    "temporal-redirect",
    "upstream-vhost",
    "x-forwarded-prefix",
];

/// Whether the value has what no header may carry. ingress-nginx 1.15 refuses such a value too;
/// here it is refused whether `strict` or not.
fn is_unfit(name: &str, value: &str) -> bool {
    IN_HEADERS.contains(&name) && trimmed(value).bytes().any(is_control)
}

/// Looks at every annotation of one Ingress: unknown names, values that ingress-nginx 1.15
/// refuses, what limpet does not do. The worst that follows from a refusal.
pub(super) fn survey(reader: &mut Reader, risk: Option<catalogue::Risk>) -> Refused {
    let mut worst = Refused::Annotation;
    let mut unknown = 0_u32;
    let annotations = &reader.ingress.annotations;
    for (full, value) in annotations {
        let Some(name) = full.strip_prefix(PREFIX) else {
            continue;
        };
        let Some(row) = catalogue::find(name) else {
            reader.unknown(name, value, unknown < MOST_GUESSES);
            unknown = unknown.saturating_add(1);
            continue;
        };
        reader.unsupported(row, value);
        if risk.is_some_and(|most| row.risk > most) {
            reader.remark(name, value, Problem::Risky(row.risk), Effect::Ingress);
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

/// For so many unknown annotations of an Ingress a known one is looked for: each is compared with all.
const MOST_GUESSES: u32 = 50;

impl Reader<'_> {
    fn unknown(&mut self, name: &str, value: &str, guesses: bool) {
        let names = catalogue::ANNOTATIONS.iter().map(|row| row.name);
        let meant = guesses.then(|| nearest(name, names)).flatten();
        let problem = Problem::UnknownAnnotation { meant };
        self.remark(name, value, problem, Effect::Setting);
    }

    fn unknown_own(&mut self) {
        let ingress = self.ingress;
        for (full, value) in &ingress.annotations {
            let Some(name) = full.strip_prefix(OWN_PREFIX) else {
                continue;
            };
            if !OWN.contains(&name) {
                let meant = nearest(name, OWN.into_iter());
                let problem = Problem::UnknownOwn { meant };
                self.remark(full, value, problem, Effect::Setting);
            }
        }
    }

    fn unsupported(&mut self, row: &catalogue::Annotation, value: &str) {
        let problem = match row.support {
            catalogue::Support::Rendered(instead) => {
                let is_rendered = match instead {
                    catalogue::CLIENT_CERTIFICATES => self.asks_for_certificates,
                    // Of clusters and filter chains nobody tells the module.
                    catalogue::UPSTREAM_TLS | catalogue::PASSTHROUGH => false,
                    _ => self.names_routes,
                };
                if is_rendered {
                    return;
                }
                Problem::NotAlone { instead }
            }
            catalogue::Support::No(instead) => Problem::NotHonoured { instead },
            _ if row.name == "auth-url" && !self.asks => Problem::NotHonoured {
                instead: catalogue::AUTHENTICATION,
            },
            _ => return,
        };
        self.remark(row.name, value, problem, Effect::Setting);
    }

    /// What ingress-nginx drops because of `value`, told in a remark. `None`: it is good, or
    /// values are not validated. The redirect family is judged by its own parser, which
    /// does not look at every annotation.
    fn refusal(&mut self, row: &catalogue::Annotation, value: &str) -> Option<Refused> {
        // Nobody accepts a bad list, and of two names one counts: its reader says so.
        if row.family == "acl" {
            return None;
        }
        // Nobody looks at it: with its value nothing else is refused.
        let is_idle = |head| {
            let beside: Option<&str> = self.raw(head);
            beside.is_none_or(|value| value.trim().is_empty())
        };
        if row.head().is_some_and(is_idle) {
            return None;
        }
        let validator = row.validator;
        let is_unfit = is_unfit(row.name, value);
        let is_refused = self.strict || is_unfit;
        if !is_unfit && (value.is_empty() || validator.accepts(value, self.patterns)) {
            return None;
        }
        // Its reader says so, and closes.
        if !is_refused && validator == Validator::Int && row.protects() {
            return None;
        }
        let effect = match row.refused {
            _ if !is_refused && row.reads(value) => Effect::Tolerated,
            _ if !is_refused => Effect::AsBefore,
            Refused::Annotation => Effect::Setting,
            Refused::Ingress => Effect::Ingress,
            Refused::Deny => Effect::Path,
        };
        let problem = if is_unfit {
            Problem::ControlCharacter
        } else {
            let refused = row.refused;
            Problem::Refused { validator, refused }
        };
        self.remark(row.name, value, problem, effect);
        (is_refused && row.family != "redirect").then_some(row.refused)
    }
}
