//! The listener that `limpet render envoy` writes, with all that it does for safety.

use super::running::free_port;
use crate::{demo, process, workspace};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// The Ingress of the bench's own listeners.
const MANIFEST: &str = "envoy/examples/sample-ingress.yaml";
const SERVICE: &str = "default/http-service:8080";

/// What is rendered for Envoy to listen on `port`, with the module of `flag`.
///
/// # Errors
/// When limpet cannot be built, or does not render.
pub(super) fn envoy(flag: &str, module: &Path, pods: &[u16; 2], port: u16) -> Result<String> {
    let [one, two] = pods.map(|pod| format!("127.0.0.1:{pod}"));
    let mut limpet = Command::new(demo::limpet()?);
    limpet
        .current_dir(workspace::root())
        .args(["render", "envoy", "-f", MANIFEST, "--allow-loopback"])
        .args(["--endpoints", &format!("{SERVICE}={one},{two}")])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--admin", &format!("127.0.0.1:{}", free_port()?)])
        .arg(flag)
        .arg(module);
    process::output(&mut limpet)
}
