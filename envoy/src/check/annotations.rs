//! One verdict for each annotation of each Ingress.

use std::collections::HashSet;

use limpet::annotations::catalogue::{self, Support};
use limpet::ingress::{Ingress, PREFIX};
use limpet::nearest::nearest;
use limpet::remark::{Problem, Remark};
use serde::Serialize;
use serde_json::Value;

use super::alternatives::{self, Weight};
use super::finding::{ELSEWHERE, Finding, LOSS, Level, Place};
use super::idle::{self, Controller};
use super::shape;
use crate::inert;
use crate::manifests::{Object, annotation_pointer};
use crate::taken::under_the_prefix;

/// What becomes of an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As under ingress-nginx.
    Honoured,
    /// Honoured, with a difference.
    Differs,
    /// Not as it says: it cannot be used, or its paths are closed, as a finding tells.
    Refused,
    /// Not limpet's business.
    Elsewhere,
    /// Known to older controllers only.
    Retired,
    /// Known to nobody.
    Unknown,
}

/// One annotation of one Ingress.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// `namespace/name`.
    pub ingress: String,
    /// Without the prefix.
    pub annotation: String,
    /// As written.
    pub value: String,
    /// The file.
    pub file: String,
    /// The line.
    pub line: u64,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Which difference; empty where there is none to tell.
    pub difference: &'static str,
}

/// Prefixes whose annotations look like ours, and are not unless ours is one of them.
const OTHER_PREFIXES: [&str; 5] = [
    PREFIX,
    "ingress.kubernetes.io/",
    "nginx.org/",
    "nginx.com/",
    "haproxy-ingress.github.io/",
];

/// Every annotation under the prefix with its verdict, and what is to be said about it.
#[must_use]
pub(crate) fn judge(object: &Object, controller: Controller<'_>) -> (Vec<Judged>, Vec<Finding>) {
    let mut judged = Vec::new();
    let mut findings = Vec::new();
    let Some(ingress) = object.ingress() else {
        return (judged, shape::wrong(object));
    };
    for (name, value) in under_the_prefix(&ingress) {
        let is_usable = idle::is_usable(name, value);
        let idle = alternatives::job(name, value).filter(|_| is_usable);
        let idle = idle.and_then(|job| idle::annotation(job, &ingress, name, controller));
        let idle = idle.or_else(|| idle::alone(&ingress, name));
        let (verdict, difference) = match &idle {
            // Nothing was done for it; the module's own remark says why.
            None if !is_usable => (Verdict::Honoured, ""),
            Some(idle) if idle.level == Level::Note => (Verdict::Honoured, ""),
            _ => verdict(&ingress, name, value),
        };
        judged.push(Judged {
            ingress: ingress.key.clone(),
            annotation: name.to_owned(),
            value: value.to_owned(),
            file: object.origin.file.clone(),
            line: object.line_of(&object.own_pointer(name)),
            verdict,
            difference,
        });
        findings.extend(match idle {
            Some(_) if verdict == Verdict::Honoured && value.trim().is_empty() => None,
            Some(idle) => Some(Finding::new(
                idle.level,
                idle.code,
                &Place::annotation(object, name),
                idle.expected,
                idle.consequence,
            )),
            None => finding(object, name, value, verdict).map(|finding| {
                if finding.is_loss() && controller.settings.is_none() && name.ends_with("-snippet")
                {
                    finding.help(SNIPPETS)
                } else {
                    finding
                }
            }),
        });
    }
    let all = object.value.pointer("/metadata/annotations");
    findings.extend(all.and_then(|all| no_map(object, all)));
    findings.extend(shape::wrong(object));
    let written = || all.and_then(Value::as_object).into_iter().flatten();
    findings.extend(written().filter_map(|(name, _)| under_another_prefix(object, name)));
    findings.extend(written().filter_map(|(name, value)| no_text(object, name, value)));
    (judged, findings)
}

/// What is not known without the ConfigMap.
const SNIPPETS: &str = "ingress-nginx reads it only where its ConfigMap has allow-snippet-annotations: \"true\": give \
                        the ConfigMap with -f";

/// Annotations whose indentation went wrong: nobody knows what they protect.
fn no_map(object: &Object, all: &Value) -> Option<Finding> {
    (!matches!(all, Value::Object(_) | Value::Null)).then(|| {
        Finding::new(
            Level::Error,
            LOSS,
            &Place::at(object, "/metadata/annotations", "annotations"),
            "is no map of strings",
            "nothing of it is read, and it may have protected something; Kubernetes refuses the \
             whole Ingress",
        )
    })
}

/// What protects, written as a list or a map: Kubernetes refuses the whole Ingress, and the module
/// reads no such value.
fn no_text(object: &Object, name: &str, value: &Value) -> Option<Finding> {
    if !matches!(value, Value::Array(_) | Value::Object(_)) {
        return None;
    }
    let name = name.strip_prefix(&object.prefix)?.strip_prefix('/')?;
    let text = value.to_string();
    let lost = alternatives::job(name, &text).filter(|job| job.weight == Weight::Loss)?;
    let place = Place::annotation(object, name);
    let expected = format!("is lost ({}), and is no string", lost.does);
    let finding = Finding::new(
        Level::Warning,
        LOSS,
        &place,
        expected,
        lost.without.as_str(),
    );
    Some(finding.help("write it as one string, as ingress-nginx documents it"))
}

/// Differences that are a matter of single patterns: where each can be run, there is none.
const BY_PATTERN: [&str; 2] = ["use-regex", "canary-by-header-pattern"];

/// Takes differences back that do not show in these manifests.
pub(crate) fn confirm(judged: &mut [Judged], remarks: &[Remark]) {
    let unusable = remarks.iter().filter(|remark| {
        let problem = &remark.problem;
        matches!(problem, Problem::Unusable(_) | Problem::UnusablePattern(_))
    });
    let unusable: HashSet<&String> = unusable.filter_map(|one| one.ingress.as_ref()).collect();
    for one in judged {
        let by_pattern = BY_PATTERN.contains(&one.annotation.as_str());
        let shows = match one.annotation.as_str() {
            "backend-protocol" => speaks_otherwise(&one.value),
            // What it does not honour is lost, and told so.
            "auth-type" => false,
            _ => !by_pattern || unusable.contains(&one.ingress),
        };
        if one.verdict == Verdict::Differs && !shows {
            one.verdict = Verdict::Honoured;
            one.difference = "";
        }
    }
}

/// Whether `backend-protocol` asks for TLS or HTTP/2. FastCGI is lost, and whatever else is written
/// is plain HTTP/1, to ingress-nginx too.
pub(super) fn speaks_otherwise(value: &str) -> bool {
    let value = value.trim().to_ascii_uppercase();
    matches!(value.as_str(), "HTTPS" | "GRPC" | "GRPCS")
}

fn verdict(ingress: &Ingress, name: &str, value: &str) -> (Verdict, &'static str) {
    let given = |other: &str| {
        let value = ingress.annotations.get(&format!("{PREFIX}{other}"))?;
        Some(value.as_str())
    };
    match alternatives::job(name, value) {
        Some(job) if job.is_asked(name, value, given) => return (Verdict::Elsewhere, ""),
        // Nothing was done for it, and nothing is.
        Some(_) => return (Verdict::Honoured, ""),
        None => {}
    }
    match catalogue::find(name).map(|annotation| annotation.support) {
        Some(Support::Yes) => (Verdict::Honoured, ""),
        Some(Support::Partly(difference)) => (Verdict::Differs, difference),
        _ if alternatives::retired(name).is_some() => (Verdict::Retired, ""),
        Some(Support::Rendered(_) | Support::No(_)) => (Verdict::Elsewhere, ""),
        None => (Verdict::Unknown, ""),
    }
}

fn finding(object: &Object, name: &str, value: &str, verdict: Verdict) -> Option<Finding> {
    let place = Place::annotation(object, name);
    let about = |code, expected: String, consequence: &str| {
        Finding::new(Level::Warning, code, &place, expected, consequence)
    };
    match verdict {
        Verdict::Honoured | Verdict::Differs | Verdict::Refused => None,
        Verdict::Elsewhere => {
            let job = alternatives::job(name, value)?;
            let mut finding = Finding::new(
                job.weight.level(),
                job.weight.code(ELSEWHERE),
                &place,
                format!("{} ({})", job.weight.is_what(), job.does),
                job.without.as_str(),
            );
            finding.help = job.help();
            Some(finding)
        }
        Verdict::Retired => {
            let retired = alternatives::retired(name)?;
            let expected = match &retired.since {
                Some(version) => {
                    format!("is an annotation that ingress-nginx dropped in {version}")
                }
                None => "is no annotation of ingress-nginx 1.15".to_owned(),
            };
            Some(about("retired", expected, "ignored").help(retired.now.as_str()))
        }
        Verdict::Unknown => {
            let expected = "is no annotation of ingress-nginx".to_owned();
            let finding = about("unknown", expected, "ignored, by ingress-nginx too");
            Some(match meant(name) {
                Some(known) => finding.help(format!("did you mean {known}?")),
                None => finding,
            })
        }
    }
}

/// The known annotation that `name` was probably meant to be.
fn meant(name: &str) -> Option<&'static str> {
    let known = catalogue::ANNOTATIONS.iter();
    nearest(name, known.map(|annotation| annotation.name))
}

fn under_another_prefix(object: &Object, key: &str) -> Option<Finding> {
    let read = [&object.prefix, "/"].concat();
    if key.starts_with(&read) {
        return None;
    }
    let mut prefixes = OTHER_PREFIXES.iter();
    let name = prefixes.find_map(|prefix| key.strip_prefix(prefix))?;
    let consequence = if read == PREFIX {
        "ignored, by ingress-nginx 1.15 too"
    } else {
        "ignored"
    };
    let finding = Finding::new(
        Level::Warning,
        "wrong-prefix",
        &Place::at(object, &annotation_pointer(key), key),
        format!("is not read: annotations are read under {read}..."),
        consequence,
    );
    let is_known = catalogue::find(name).is_some() || alternatives::retired(name).is_some();
    if !is_known {
        return Some(finding.help("it belongs to another ingress controller"));
    }
    let finding = finding.help(format!("write {read}{name}"));
    let prefix = key.strip_suffix(name).unwrap_or_default();
    let prefix = prefix.trim_end_matches('/');
    Some(if prefix.ends_with("ingress.kubernetes.io") {
        finding.help(format!(
            "or, if that ingress-nginx was started so: --annotations-prefix {}",
            inert::word(prefix)
        ))
    } else {
        finding
    })
}
