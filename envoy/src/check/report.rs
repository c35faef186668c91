//! All that was found.

use std::collections::{BTreeMap, HashSet};

use limpet::remark::{Effect, Problem, Remark};
use serde::Serialize;

use super::annotations::{self, Judged, Verdict};
use super::finding::{Finding, Level};
use super::idle::Controller;
use super::platform::{self, Platform};
use super::reworded::{NAMING_SECRETS, with_missing_secret};
use super::settings::{self, JudgedKey};
use super::{access, closing, configuration, files, header_maps, lint, taken_over};
use crate::compiled::{Compiled, Flags};
use crate::manifests::{Manifests, Object};

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How many Ingresses were read.
    pub ingresses: usize,
    /// The platform that it is about; `None`: no one alone.
    #[serde(skip)]
    pub on: Option<Platform>,
    /// Every annotation under the prefix.
    pub annotations: Vec<Judged>,
    /// Every key of ingress-nginx's ConfigMap.
    pub settings: Vec<JudgedKey>,
    /// What ingress-nginx does where nobody wrote anything, and nothing does after the move.
    pub defaults: Vec<&'static str>,
    /// What is to be said, by file and line.
    pub findings: Vec<Finding>,
    /// What was skipped or assumed while reading.
    pub notes: Vec<String>,
}

impl Report {
    /// Looks at everything in `manifests`. `strict`: with the annotation validation of 1.15; `on`:
    /// for that platform.
    #[must_use]
    pub fn new(manifests: &Manifests, strict: bool, on: Option<Platform>) -> Self {
        let mut judged = Vec::new();
        let mut findings = files::run(manifests);
        let mut not_honoured = closing::NotHonoured::new();
        let known = Controller::of(manifests);
        for object in &manifests.ingresses {
            let (of_it, about_it) = annotations::judge(object, known);
            judged.extend(of_it);
            findings.extend(about_it);
        }
        let old = manifests.old_ingresses.iter();
        let old = old.flat_map(|object| annotations::judge(object, known).1);
        findings.extend(old.filter(Finding::is_loss));
        let (mut settings, about_them) = settings::judge(manifests);
        findings.extend(about_them);
        let flags = Flags {
            strict,
            on_envoy: on == Some(Platform::Envoy),
            clients: on.map(Platform::clients).unwrap_or_default(),
            pods: on.map(Platform::pods).unwrap_or_default(),
            variables: on.and_then(Platform::variables),
            ..Flags::default()
        };
        match Compiled::new(manifests, &flags) {
            Ok(compiled) => {
                // What the module ignores is not rendered either: nothing of it is lost.
                let at_stake = at_stake(&compiled);
                let is_of = |id: &String| at_stake.contains(id);
                findings.retain(|one| !one.is_loss() || one.ingress.as_ref().is_none_or(is_of));
                findings.retain(|one| !taken_over::is_written(&compiled, one, on));
                findings.extend(access::run(&compiled));
                findings.extend(header_maps::run(&compiled));
                findings.extend(lint::run(&compiled, on));
                annotations::confirm(&mut judged, &compiled.remarks);
                let remarks = &compiled.remarks;
                findings.extend(configuration::run(
                    manifests,
                    Some(&compiled),
                    remarks,
                    &findings,
                    on,
                ));
                not_honoured.extend(closing::said(&findings));
                findings.extend(access::in_part(&compiled));
                let (of_platform, left_out) = platform::run(&compiled, on);
                findings.extend(of_platform);
                not_honoured.extend(left_out);
            }
            Err(error) => {
                let problem = Problem::Unreadable(error.to_string());
                let remark = Remark::key("ingresses", None, problem, Effect::Configuration);
                findings.extend(configuration::run(
                    manifests,
                    None,
                    &[remark],
                    &findings,
                    on,
                ));
            }
        }
        let findings = findings.into_iter().map(|one| {
            if one.is_loss() && NAMING_SECRETS.contains(&one.field.as_str()) {
                with_missing_secret(manifests, one)
            } else {
                one
            }
        });
        let mut findings: Vec<Finding> = findings.collect();
        if let Some(on) = on {
            taken_over::narrow(&mut findings, &mut judged, &mut settings, on);
        }
        closing::take_back(&mut judged, &mut settings, &not_honoured);
        findings.sort_by(|a, b| {
            (&a.file, a.line, a.code, &a.field).cmp(&(&b.file, b.line, b.code, &b.field))
        });
        findings.dedup();
        Self {
            ingresses: manifests.ingresses.len(),
            on,
            annotations: judged,
            settings,
            defaults: settings::defaults(manifests),
            findings,
            notes: [
                &manifests.notes[..],
                manifests.note_of_settings(),
                no_settings(manifests).as_slice(),
            ]
            .concat(),
        }
    }

    /// 0: nothing but notes. 1: something will behave differently. 2: something is unusable.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let worst = self.findings.iter().map(|finding| finding.level).max();
        match worst {
            _ if self.ingresses == 0 => 2,
            Some(Level::Error) => 2,
            Some(Level::Warning) => 1,
            Some(Level::Note) | None => 0,
        }
    }

    /// The protection that is lost.
    pub fn losses(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_loss())
    }

    /// How many annotations got each verdict.
    #[must_use]
    pub fn verdicts(&self) -> BTreeMap<Verdict, usize> {
        let mut counts = BTreeMap::new();
        for judged in &self.annotations {
            let count: &mut usize = counts.entry(judged.verdict).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }
}

/// What is said of all that limpet leaves to others, in the Ingresses that the module takes and in
/// ingress-nginx's ConfigMap, and of what cannot be read.
#[must_use]
pub fn left_to_others(compiled: &Compiled<'_>) -> Vec<Finding> {
    let at_stake = at_stake(compiled);
    let known = Controller::of(compiled.manifests);
    let ingresses = compiled.manifests.ingresses.iter();
    let all = ingresses.chain(&compiled.manifests.old_ingresses);
    let mut findings: Vec<Finding> = all
        .filter(|object| at_stake.contains(&object.id()))
        .flat_map(|object| annotations::judge(object, known).1)
        .collect();
    findings.extend(settings::judge(compiled.manifests).1);
    findings.extend(access::run(compiled));
    findings.extend(access::in_part(compiled));
    findings.extend(header_maps::run(compiled));
    findings.retain(Finding::is_left_to_others);
    findings.extend(files::unreadable(compiled.manifests));
    findings
}

/// A line where ingress-nginx's own settings are not at hand.
fn no_settings(manifests: &Manifests) -> Option<String> {
    let is_missing = manifests.config_maps.is_empty() && !manifests.ingresses.is_empty();
    is_missing.then(|| {
        "ingress-nginx's ConfigMap is not among the manifests: its defaults are assumed".to_owned()
    })
}

/// The Ingresses that may protect something here: those that the module takes, in either text where
/// one is given twice, and those that are left out or have no name, whose paths fall to others.
fn at_stake(compiled: &Compiled<'_>) -> HashSet<String> {
    let taken = compiled.ingresses.iter().map(|one| one.id().to_owned());
    let left_out = compiled.falling_to_others().map(Object::id);
    let ingresses = compiled.manifests.ingresses.iter();
    let nameless = ingresses.filter(|object| object.name().is_empty());
    taken
        .chain(left_out)
        .chain(nameless.map(Object::id))
        .collect()
}
