//! What the module itself says when it reads these manifests.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use limpet::remark::{Effect, Expected, Field, Problem, Remark};

use super::finding::{ELSEWHERE, Finding, IDLE, Level};
use super::path_lines::PathLines;
use super::platform::Platform;
use super::reworded::reworded;
use super::taken_over::taken_over;
use super::validation::{drops_more, is_of_validation, with_what_holds};
use crate::compiled::Compiled;
use crate::manifests::{Manifests, Object, annotation_pointer};

/// What the lints have said already, better.
const SAID: [&str; 6] = [
    "retired",
    "unknown",
    "canary-alone",
    "other-class",
    "unknown-class",
    "wrong-prefix",
];

/// The same, for what the module tells but does not refuse.
const SAID_AS_NOTE: [&str; 2] = ["shared-service", "cookie-path-attributes"];

/// The module's own remarks, each with its place, but for what `said` says already.
///
/// A value that only the validation of ingress-nginx 1.15 refuses is a note; with `strict` it is
/// refused here too. `compiled`: nothing where nothing can be.
pub(super) fn run(
    manifests: &Manifests,
    compiled: Option<&Compiled<'_>>,
    remarks: &[Remark],
    said: &[Finding],
    on: Option<Platform>,
) -> Vec<Finding> {
    // What `render` takes over on the platform will not be said there.
    let is_done = |one: &&Finding| on.is_some_and(|on| taken_over(one, on).is_some());
    let said: Vec<&Finding> = said.iter().filter(|one| !is_done(one)).collect();
    let placed = Placed::new(manifests, compiled);
    let mut by_field: HashMap<(Option<&str>, &str), Vec<&Finding>> = HashMap::new();
    for one in said.iter().copied() {
        let of = (one.ingress.as_deref(), one.field.as_str());
        by_field.entry(of).or_default().push(one);
    }
    let (mut findings, mut validated) = (Vec::new(), Vec::new());
    let mut closed = HashSet::new();
    let remarks = remarks
        .iter()
        // What limpet leaves to others is told, or is none, by its job, users by what they lose; an
        // object without a name with its line.
        .filter(|remark| {
            !matches!(
                remark.problem,
                Problem::NotAlone { .. }
                    | Problem::NotHonoured { .. }
                    | Problem::Nameless
                    | Problem::CostlyUsers { .. }
            )
        })
        .filter(|remark| {
            let of = (remark.ingress.as_deref(), remark.field.name());
            !by_field.get(&of).is_some_and(|said| is_said(said, remark))
        });
    for remark in remarks {
        let finding = placed.finding(remark);
        if is_of_validation(remark) {
            validated.push(with_what_holds(manifests, remark, finding));
        } else {
            if remark.effect == Effect::Path {
                closed.insert(subject(&finding));
            }
            findings.push(finding);
        }
    }
    // A value of which there is more to say is not simply accepted, or passed over; but that ingress-nginx
    // serves less for it is said, unless limpet does too, or nobody looks at it.
    let idle = said.iter().filter(|one| one.code == IDLE);
    closed.extend(idle.map(|one| subject(one)));
    let others = said.into_iter().chain(&findings);
    let others: HashSet<_> = others.map(subject).collect();
    let is_to_be_said = |finding: &Finding| {
        let more = if finding.level > Level::Note {
            &closed
        } else {
            &others
        };
        !more.contains(&subject(finding))
    };
    validated.retain(is_to_be_said);
    findings.extend(validated);
    findings
}

/// What is not served, or lets nobody in, and answers otherwise than under ingress-nginx: `render` tells it.
pub(crate) fn closed(compiled: &Compiled<'_>) -> Vec<Finding> {
    let placed = Placed::new(compiled.manifests, Some(compiled));
    let is_told_of = |remark: &&Remark| match &remark.problem {
        // With a line of its own.
        Problem::Not(Expected::Authority) => {
            let named = remark.value.as_deref().unwrap_or_default();
            !compiled.no_authorities.contains_key(named)
        }
        Problem::Replaced { expected, .. } => *expected == Expected::Networks,
        _ => remark.effect == Effect::Path,
    };
    let told = compiled.remarks.iter().filter(is_told_of);
    let told = told.map(|remark| placed.finding(remark));
    // A location says what its Ingress says once more.
    let mut seen = HashSet::new();
    told.filter(|finding| seen.insert(finding.clone()))
        .collect()
}

/// The remarks for whoever wrote Ingresses, one line each.
#[must_use]
pub fn in_words(compiled: &Compiled<'_>) -> Vec<String> {
    let placed = Placed::new(compiled.manifests, Some(compiled));
    let line = |remark: &Remark| {
        let plain = Finding::of(remark, String::new(), 0);
        let finding = placed.finding(remark);
        if finding.expected == plain.expected {
            return remark.to_string();
        }
        let help = finding.help.join("; ");
        let joint = if help.is_empty() { "" } else { "; " };
        format!("{}: {}{joint}{help}", finding.owner(), finding.message())
    };
    compiled.remarks.iter().map(line).collect()
}

/// What a finding is about.
fn subject(finding: &Finding) -> (Option<String>, String, Option<String>) {
    let Finding {
        ingress,
        field,
        value,
        ..
    } = finding;
    (ingress.clone(), field.clone(), value.clone())
}

/// `said`: of the same Ingress and field.
fn is_said(said: &[&Finding], remark: &Remark) -> bool {
    let drops_all = remark.effect == Effect::Ingress && remark.field != Field::Class;
    let says_it = |other: &Finding| match other.code {
        ELSEWHERE => remark.effect != Effect::Path && !drops_more(remark),
        code => SAID.contains(&code) || SAID_AS_NOTE.contains(&code),
    };
    !drops_all && said.iter().any(|other| says_it(other))
}

/// The Ingresses by name: where remarks are on.
struct Placed<'c, 'm> {
    manifests: &'m Manifests,
    compiled: Option<&'c Compiled<'m>>,
    objects: HashMap<String, (&'m Object, OnceCell<PathLines>)>,
}

impl<'c, 'm> Placed<'c, 'm> {
    fn new(manifests: &'m Manifests, compiled: Option<&'c Compiled<'m>>) -> Self {
        let mut objects = HashMap::new();
        for object in &manifests.ingresses {
            let entry = objects.entry(object.id());
            entry.or_insert_with(|| (object, OnceCell::new()));
        }
        Self {
            manifests,
            compiled,
            objects,
        }
    }

    fn finding(&self, remark: &Remark) -> Finding {
        let unread = OnceCell::new();
        let place = match setting(remark) {
            Some(_) => self.manifests.config_map().map(|object| (object, &unread)),
            None => self.ingress(remark),
        };
        let (file, line) = place.map_or_else(Default::default, |(object, paths)| {
            (object.origin.file.clone(), line(object, paths, remark))
        });
        let finding = Finding::of(remark, file, line);
        reworded(self.manifests, self.compiled, remark, finding)
    }

    fn ingress(&self, remark: &Remark) -> Option<(&'m Object, &OnceCell<PathLines>)> {
        let (object, paths) = self.objects.get(remark.ingress.as_deref()?)?;
        Some((object, paths))
    }
}

/// The key of ingress-nginx's ConfigMap that a remark is on.
fn setting(remark: &Remark) -> Option<&str> {
    match &remark.field {
        Field::Key(key) => key.strip_prefix("config_map."),
        _ => None,
    }
}

/// The line of what the remark is on, or of what stands around it.
fn line(object: &Object, paths: &OnceCell<PathLines>, remark: &Remark) -> u64 {
    let value = remark.value.as_deref().unwrap_or_default();
    let paths = || paths.get_or_init(|| PathLines::of(object));
    let pointer = match &remark.field {
        Field::Annotation(name) if name.contains('/') => annotation_pointer(name),
        Field::Annotation(name) => object.own_pointer(name),
        Field::Path => return paths().path(value),
        Field::Backend => return paths().backend(value),
        Field::Class => "/spec/ingressClassName".to_owned(),
        Field::Name => "/metadata/name".to_owned(),
        Field::Key(_) => format!("/data/{}", setting(remark).unwrap_or_default()),
    };
    object.line_of(&pointer)
}
