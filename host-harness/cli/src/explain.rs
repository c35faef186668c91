//! `limpet explain`: requests through the real module, without sockets, and what was decided.

mod addresses;
mod args;
mod byte_string;
mod engine;
mod exchange;
mod explanation;
mod lines;
mod locations;
mod people;
mod request;
pub(crate) mod why;

use std::io::Write;
use std::process::ExitCode;

use limpet_envoy::inert;
use limpet_envoy::progress::Progress;
use limpet_envoy::say;

pub use args::ExplainArgs;
pub use byte_string::ByteString;
pub use engine::{Explainer, Settings};
pub use explanation::{Affinity, Decision, Explanation, Response, Upstream};
pub(crate) use people::rows;
pub use request::{Attempt, AttemptResult, Request};

/// Answers the requests on standard output; notes and warnings go to standard error.
///
/// # Errors
/// When manifests, module or requests cannot be read.
pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let progress = Progress::of("reading the manifests");
    let manifests = args.manifests.load()?.with_anything()?;
    drop(progress);
    for note in manifests.all_notes() {
        say::note(note);
    }
    let settings = Settings {
        endpoints: args.endpoints.endpoints.clone(),
        strict: args.manifests.strict,
        now: args.now,
        wasm: args.wasm.clone(),
    };
    if args.locations && args.url.is_none() {
        return locations::print(&manifests, &settings, None);
    }
    let mut explainer = Explainer::new(&manifests, &settings)?;
    for note in explainer.notes() {
        say::note(note);
    }
    match (&args.requests, &args.url) {
        (Some(requests), _) => lines::answer_all(&mut explainer, requests)?,
        (None, url) => {
            let request = request::from_flags(url.as_deref().unwrap_or_default(), args)?;
            let answer = explainer.answer(&request);
            if args.locations {
                let taken = locations::Taken {
                    request: &request,
                    answer: &answer,
                };
                return locations::print(&manifests, &settings, Some(&taken));
            }
            if args.json {
                let answer = inert::json(&serde_json::to_string(&answer)?);
                writeln!(std::io::stdout(), "{answer}")?
            } else {
                people::print(&mut anstream::stdout().lock(), &request, &answer)?;
                if let Some(hint) = explainer.hint(&answer) {
                    say::note(hint);
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
