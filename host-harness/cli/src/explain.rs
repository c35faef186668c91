//! `limpet explain`: requests through the real module, without sockets, and what was decided.

mod answer;
mod byte_string;
mod request;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::args::ManifestArgs;
use crate::clusters::EndpointsFlag;
use crate::manifests::Manifests;

pub use answer::{Affinity, Answer, Outcome, Response, Upstream};
pub use byte_string::ByteString;
pub use request::{Attempt, AttemptResult, Request};

/// Flags of `limpet explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// One request: an absolute URL
    #[arg(value_name = "URL", conflicts_with = "requests")]
    pub url: Option<String>,

    /// Its method
    #[arg(short = 'X', long, default_value = "GET")]
    pub method: String,

    /// A header field of it, repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,

    /// The endpoint that answers it when limpet pins none
    #[arg(long, value_name = "IP:PORT")]
    pub served_by: Option<String>,

    /// Requests as JSON lines: a file, or - for standard input
    #[arg(long, value_name = "FILE|-")]
    pub requests: Option<String>,

    /// Answer in JSON (always so with --requests)
    #[arg(long)]
    pub json: bool,

    /// Fix the clock
    #[arg(long, value_name = "UNIX_SECONDS")]
    pub now: Option<u64>,

    /// The final order of locations of every host, and which paths changed meaning
    #[arg(long)]
    pub locations: bool,

    /// The module [default: beside this binary]
    #[arg(long, value_name = "PATH")]
    pub wasm: Option<PathBuf>,
}

/// What the manifests do not say.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--endpoints`.
    pub endpoints: Vec<EndpointsFlag>,
    /// `--strict`.
    pub strict: bool,
    /// `--now`; `None`: the real clock.
    pub now: Option<u64>,
    /// `--wasm`.
    pub wasm: Option<PathBuf>,
}

/// The module, configured, ready for requests.
#[derive(Debug)]
pub struct Explainer {}

impl Explainer {
    /// Starts the module with these manifests.
    ///
    /// # Errors
    /// When the module cannot be found, loaded or configured.
    pub fn new(_manifests: &Manifests, _settings: &Settings) -> anyhow::Result<Self> {
        anyhow::bail!("`explain` is not there yet")
    }

    /// What becomes of one request.
    pub fn answer(&mut self, request: &Request) -> Answer {
        let _ = request;
        Answer::default()
    }
}

/// # Errors
/// When manifests, module or requests cannot be read.
pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let _ = Manifests::load(&args.manifests.file)?;
    anyhow::bail!("`explain` is not there yet")
}
