//! `limpet check`: what these manifests will do, and what to mend before moving.

mod access;
mod alternatives;
mod annotations;
mod closing;
mod configuration;
mod documented;
mod files;
mod finding;
mod groups;
mod header_maps;
mod html;
mod idle;
mod lint;
mod path_lines;
mod placed;
mod platform;
mod policies;
mod print;
mod report;
mod reworded;
mod settings;
mod shape;
mod sidecars;
mod taken_over;
mod two_protocols;
mod validation;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use limpet::config::ConfigError;

pub(crate) use alternatives::{
    default_of, goes_by_path, heads_of, is_key, is_of_host, nearest_key,
};
#[cfg(test)]
pub(crate) use alternatives::{keys, lost_annotations, lost_keys};
pub use annotations::{Judged, Verdict};
pub(crate) use configuration::closed;
pub use configuration::in_words;
pub use documented::documented;
pub use finding::{Finding, Level};
pub(crate) use lint::{CERTIFICATE, to_each_other, without_https};
pub use platform::Platform;
#[cfg(test)]
pub(crate) use print::text as print_text;
pub use report::{Report, left_to_others};
pub use settings::JudgedKey;
pub(crate) use taken_over::{is_written, taken_over};
pub(crate) use two_protocols::run as two_protocols;

use crate::args::{EndpointArgs, ManifestArgs};
use crate::compiled::Flags;
use crate::manifests::Manifests;
use crate::progress::Progress;

/// Flags of `limpet check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  limpet check -f ingress.yaml
  kubectl get ingress,service,ingressclass,configmap -A -o yaml | limpet check -f -
  limpet check -f cluster.yaml --on envoy-gateway
  limpet check -f cluster.yaml --controller webapprouting.kubernetes.azure.com/nginx
  limpet check -f manifests/ --format github
  limpet check -f cluster.yaml --format html > report.html

Exit status: 0 as under ingress-nginx (notes apart), 1 something will behave differently,
2 something cannot be used at all.")]
pub struct CheckArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Also say what differs on this platform, however it is configured
    #[arg(long, value_enum, value_name = "PLATFORM")]
    pub on: Option<Platform>,

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
    /// One page for a team
    Html,
}

/// Checks the manifests and prints what was found; `make_room`: see [`crate::render::make_room`].
///
/// # Errors
/// When the manifests cannot be read or the output cannot be written.
pub fn run(
    args: &CheckArgs,
    make_room: impl Fn(&mut Manifests, &Flags, Platform) -> Result<(), ConfigError>,
) -> anyhow::Result<ExitCode> {
    let progress = Progress::of("checking");
    let mut manifests = args.manifests.load()?;
    if let Some(on) = args.on {
        let flags = args.manifests.flags(&EndpointArgs::default());
        // What cannot be compiled is told by the report.
        drop(make_room(&mut manifests, &flags, on));
    }
    let report = Report::new(&manifests, args.manifests.strict, args.on);
    drop(progress);
    let mut out = anstream::stdout().lock();
    let written = match (args.json, args.format) {
        (true, _) | (_, Format::Json) => print::json(&mut out, &report),
        (_, Format::Text) => print::text(&mut out, &report),
        (_, Format::Github) => print::github(&mut out, &report),
        (_, Format::Html) => html::page(&mut out, &report),
    }
    .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {} // as `check | head` does
        written => written.context("the report cannot be written")?,
    }
    Ok(ExitCode::from(report.exit_status()))
}
