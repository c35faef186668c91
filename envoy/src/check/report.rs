//! All that was found.

use std::collections::BTreeMap;

use limpet::remark::{Effect, Problem, Remark};
use serde::Serialize;

use super::annotations::{self, Judged, Verdict};
use super::finding::{Finding, Level};
use super::platform::{self, Platform};
use super::{configuration, lint};
use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How many Ingresses were read.
    pub ingresses: usize,
    /// Every annotation under the prefix.
    pub annotations: Vec<Judged>,
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
        let mut findings = Vec::new();
        for object in &manifests.ingresses {
            let (of_it, about_it) = annotations::judge(object);
            judged.extend(of_it);
            findings.extend(about_it);
        }
        let flags = Flags {
            strict,
            ..Flags::default()
        };
        match Compiled::new(manifests, &flags) {
            Ok(compiled) => {
                findings.extend(lint::run(&compiled));
                let more = configuration::run(manifests, &compiled.remarks, &findings);
                annotations::confirm(&mut judged, &more);
                findings.extend(more);
                findings.extend(platform::run(&compiled, on));
            }
            Err(error) => {
                let problem = Problem::Unreadable(error.to_string());
                let remark = Remark::key("ingresses", None, problem, Effect::Configuration);
                findings.extend(configuration::run(manifests, &[remark], &findings));
            }
        }
        findings.sort_by(|a, b| {
            (&a.file, a.line, a.code, &a.field).cmp(&(&b.file, b.line, b.code, &b.field))
        });
        findings.dedup();
        Self {
            ingresses: manifests.ingresses.len(),
            annotations: judged,
            findings,
            notes: manifests.notes.clone(),
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
