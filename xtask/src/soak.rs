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
}

const SOAK: &str = "faults::soak::chaos_loses_no_request_and_moves_no_session";
const TAKE_OVER: &str = "faults::takeover::taking_over_5000_endpoints_stalls_no_request";

/// Pods, configurations, the admin and Envoy itself come and go under crowds, beside a plain Envoy;
/// prints what became of them.
///
/// # Errors
/// When the set-up fails, a session moved without cause, more was lost than by a plain Envoy, or
/// memory grew; with `--take-over`, when a request waits 5 ms longer for its worker than in plain Envoy.
pub(crate) fn run(options: &Options) -> Result<()> {
    wasm::module()?;
    envoy::envoy()?;
    let (what, test) = match options.take_over {
        true => ("requests while 5,000 endpoints are taken over", TAKE_OVER),
        false => ("two Envoys under chaos", SOAK),
    };
    process::announce(what);
    process::run(
        process::cargo()
            .args(["test", "--workspace", "--test", "all", test])
            .args(["--", "--exact", "--ignored", "--nocapture"])
            .env("LIMPET_SOAK_SECONDS", (options.minutes * 60).to_string()),
    )
}
