//! `cargo xtask soak`: Envoys under chaos.

use crate::{envoy, process, wasm};
use anyhow::Result;

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 2, conflicts_with = "take_over")]
    minutes: u64,
    /// Instead: what a request waits for while 5,000 endpoints are taken over, beside plain Envoy
    #[arg(long)]
    take_over: bool,
    /// Instead: ten million requests through the module alone, which may take no memory
    #[arg(long, conflicts_with_all = ["minutes", "take_over"])]
    requests: bool,
}

const SOAK: &str = "faults::soak::chaos_loses_no_request_and_moves_no_session";
const REQUESTS: &str = "costs::memory::ten_million_requests_take_no_memory";
const TAKE_OVER: &str = "faults::takeover::taking_over_5000_endpoints_stalls_no_request";

/// Pods, configurations, the admin and Envoy itself come and go under crowds, beside a plain Envoy;
/// prints what became of them.
///
/// # Errors
/// When the set-up fails, a session moved without cause, more was lost than by a plain Envoy, or
/// memory grew; with `--take-over`, when a request waits 5 ms longer for its worker than in plain Envoy; with
/// `--requests`, when the module's memory grew.
pub(crate) fn run(options: &Options) -> Result<()> {
    wasm::module()?;
    let (what, test) = match options {
        Options { requests: true, .. } => ("ten million requests", REQUESTS),
        Options {
            take_over: true, ..
        } => ("requests while 5,000 endpoints are taken over", TAKE_OVER),
        _ => ("two Envoys under chaos", SOAK),
    };
    if !options.requests {
        envoy::envoy()?;
    }
    process::announce(what);
    process::run(
        process::cargo()
            .args(["test", "--workspace", "--test", "all", test])
            .args(["--", "--exact", "--ignored", "--nocapture"])
            .env("LIMPET_SOAK_SECONDS", (options.minutes * 60).to_string()),
    )
}
