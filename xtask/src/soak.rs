//! `cargo xtask soak`: a crowd on Envoy while endpoints come and go.

use crate::{envoy, process, wasm};
use anyhow::Result;

const TEST: &str = "faults::soak::\
    no_request_is_lost_and_no_session_moves_while_endpoints_change_every_second";

/// 100,000 requests of 1,000 clients that keep their cookies; prints what became of them.
///
/// # Errors
/// When the set-up fails, a pod that was not a session's answered it, or a request was lost.
pub(crate) fn run() -> Result<()> {
    wasm::module()?;
    envoy::envoy()?;
    process::announce("100,000 requests while endpoints change every second");
    process::run(
        process::cargo()
            .args(["test", "--workspace", "--test", "all", TEST])
            .args(["--", "--exact", "--ignored", "--nocapture"]),
    )
}
