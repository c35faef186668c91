//! `cargo xtask soak`: a crowd on Envoy while endpoints come and go.

use crate::{envoy, process, wasm};
use anyhow::Result;

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Instead: what a request waits for while 5,000 endpoints are taken over, beside plain Envoy
    #[arg(long)]
    take_over: bool,
}

const SOAK: &str = "faults::soak::\
    no_request_is_lost_and_no_session_moves_while_endpoints_change_every_second";
const TAKE_OVER: &str = "faults::takeover::taking_over_5000_endpoints_stalls_no_request";

/// 100,000 requests of 1,000 clients that keep their cookies; prints what became of them.
///
/// # Errors
/// When the set-up fails, a pod that was not a session's answered it, or a request was lost; with
/// `--take-over`, when a request waits 5 ms longer for its worker than in plain Envoy.
pub(crate) fn run(options: &Options) -> Result<()> {
    wasm::module()?;
    envoy::envoy()?;
    let (what, test) = match options.take_over {
        true => ("requests while 5,000 endpoints are taken over", TAKE_OVER),
        false => ("100,000 requests while endpoints change every second", SOAK),
    };
    process::announce(what);
    process::run(
        process::cargo()
            .args(["test", "--workspace", "--test", "all", test])
            .args(["--", "--exact", "--ignored", "--nocapture"]),
    )
}
