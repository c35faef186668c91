//! `limpet check`: what these manifests will do, and what to mend before moving.

mod alternatives;
mod annotations;
mod configuration;
mod finding;
mod lint;
mod platform;
mod print;
pub(crate) mod view;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

pub use annotations::{Judged, Verdict};
pub use finding::{Finding, Level};
pub use platform::Platform;

use crate::manifests::Manifests;
use crate::progress::Progress;

/// Flags of `limpet check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  limpet check -f ingress.yaml
  kubectl get ingress,service,ingressclass -A -o yaml | limpet check -f -
  limpet check -f cluster.yaml --on envoy-gateway
  limpet check -f manifests/ --format github

Exit status: 0 as under ingress-nginx (notes apart), 1 something will behave differently,
2 something cannot be used at all.")]
pub struct CheckArgs {
    /// Manifests: a YAML or JSON file, a folder of them, or - for standard input
    #[arg(short, long = "file", value_name = "FILE|DIR|-", required = true)]
    pub file: Vec<String>,

    /// Validate annotations as ingress-nginx 1.15 does by default
    #[arg(long)]
    pub strict: bool,

    /// Also say what differs on this platform, however it is configured
    #[arg(long, value_enum, value_name = "PLATFORM")]
    pub on: Option<Platform>,

    /// Keys of the plugin configuration that manifests do not say, such as cookie_keys: YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How to print what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, with colours on a terminal
    Text,
    /// One JSON object
    Json,
    /// Annotations of a GitHub workflow
    Github,
}

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
        let ingresses = view::ingresses(manifests);
        let mut judged = Vec::new();
        let mut findings = lint::run(manifests, &ingresses);
        for ingress in &ingresses {
            let (of_it, about_it) = annotations::judge(ingress);
            judged.extend(of_it);
            findings.extend(about_it);
        }
        let more = configuration::run(manifests, &ingresses, &findings, strict);
        annotations::confirm(&mut judged, &more);
        findings.extend(more);
        let spoken = |ingress| platform::backend_protocol(ingress, on);
        findings.extend(ingresses.iter().filter_map(spoken));
        if let Some(platform) = on {
            findings.extend(platform::run(manifests, &ingresses, platform));
        }
        findings.sort_by(|a, b| {
            (&a.file, a.line, a.code, &a.field).cmp(&(&b.file, b.line, b.code, &b.field))
        });
        findings.dedup();
        Self {
            ingresses: ingresses.len(),
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

/// Checks the manifests and prints what was found.
///
/// # Errors
/// When the manifests cannot be read or the output cannot be written.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let progress = Progress::of("checking");
    let manifests = Manifests::load(&args.file)?.with_config(args.config.as_deref())?;
    let report = Report::new(&manifests, args.strict, args.on);
    drop(progress);
    let mut out = anstream::stdout().lock();
    let written = match (args.json, args.format) {
        (true, _) | (_, Format::Json) => print::json(&mut out, &report),
        (_, Format::Text) => print::text(&mut out, &report),
        (_, Format::Github) => print::github(&mut out, &report),
    }
    .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {} // as `check | head` does
        written => written.context("the report cannot be written")?,
    }
    Ok(ExitCode::from(report.exit_status()))
}
