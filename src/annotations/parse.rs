//! From an Ingress to its annotations.

use super::catalogue::{Refused, Risk};
use super::read::{self, Reader};
use super::validator::Patterns;
use super::{Annotations, family};
use crate::config::Config;
use crate::config::settings::Settings;
use crate::ingress::{Ingress, PREFIX};
use crate::remark::{Effect, Problem, Remark};

/// Reads the annotations of `ingress`. `None`: ingress-nginx refuses the whole Ingress.
pub fn parse(
    ingress: &Ingress,
    settings: &Settings,
    config: &Config,
    patterns: &mut Patterns,
    remarks: &mut Vec<Remark>,
) -> Option<Annotations> {
    let mut reader = Reader {
        ingress,
        strict: config.strict,
        asks: config.authorizers.is_some(),
        asks_for_certificates: config.client_certificates.is_some(),
        names_routes: !config.policies.is_empty(),
        patterns,
        remarks,
    };
    let risk = settings.risk.or(config.strict.then_some(Risk::High));
    if blocked(&mut reader, &settings.blocked_words) {
        return None;
    }
    let refused = read::survey(&mut reader, risk);
    if refused == Refused::Ingress {
        return None;
    }
    let redirect = family::redirect(&mut reader).ok()?;
    let mut annotations = family::annotations(&mut reader, settings, config);
    annotations.redirect = redirect;
    annotations.denied |= refused == Refused::Deny;
    Some(annotations)
}

/// Source: `checkBadAnnotationValue`, `internal/ingress/controller/store/store.go`.
fn blocked(reader: &mut Reader, words: &[String]) -> bool {
    let annotations = &reader.ingress.annotations;
    for (full, value) in annotations {
        let Some(name) = full.strip_prefix(PREFIX) else {
            continue;
        };
        if let Some(word) = words.iter().find(|word| value.contains(word.as_str())) {
            let word = word.clone();
            reader.remark(name, value, Problem::Blocked { word }, Effect::Ingress);
            return true;
        }
    }
    false
}
