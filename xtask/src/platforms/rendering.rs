//! What limpet renders for a platform.

use super::inputs::Input;
use super::istio::Proxy;
use super::place::Place;
use super::platform::Platform;
use super::registry;
use crate::package::layout::sha256;
use crate::workspace;
use anyhow::{Result, bail};
use std::process::{Command, Output};

/// # Errors
/// It cannot be started.
pub(super) fn render(place: &Place, command: &[String]) -> Result<Output> {
    let mut render = Command::new(&place.limpet);
    let render = render.args(command).current_dir(workspace::root());
    Ok(render.output()?)
}

/// What limpet has to render.
///
/// # Errors
/// It renders nothing.
pub(super) fn rendered(place: &Place, platform: Platform, input: &Input) -> Result<String> {
    let render = render(place, &command(platform, input))?;
    if !render.status.success() {
        bail!("{}", String::from_utf8_lossy(&render.stderr));
    }
    Ok(String::from_utf8(render.stdout)?)
}

/// `limpet`'s arguments for an input.
pub(super) fn command(platform: Platform, input: &Input) -> Vec<String> {
    // Older sidecars are asked about what is rendered for the oldest that there is a flag for.
    let version: &[&str] = match platform {
        Platform::OlderIstio(Proxy::Sidecar) => &["--istio", "1.24"],
        Platform::OlderEnvoyGateway => &["--envoy-gateway", "1.7"],
        // All that it knows; on the standard channel what is rendered without.
        Platform::EnvoyGateway => &["--envoy-gateway", "1.9"],
        _ => &[],
    };
    let (name, image, flags): (_, _, &[&str]) = match platform {
        Platform::Istio(proxy) | Platform::OlderIstio(proxy) => {
            ("istio", "file:///limpet.wasm".to_owned(), proxy.flags())
        }
        Platform::EnvoyGateway | Platform::StandardChannel | Platform::OlderEnvoyGateway => (
            "envoy-gateway",
            format!("{}/limpet:recorded", registry::ADDRESS),
            &[],
        ),
    };
    let words = ["render", name, "--close", "--image", &image];
    let mut all: Vec<String> = words
        .iter()
        .chain(flags)
        .chain(version)
        .map(ToString::to_string)
        .collect();
    all.extend(input.is_strict.then(|| "--strict".to_owned()));
    for file in &input.files {
        all.extend(["-f".to_owned(), file.clone()]);
        let config = file.replace(".yaml", ".config");
        if workspace::root().join(&config).exists() {
            all.extend(["--config".to_owned(), config]);
        }
    }
    all
}

/// Of what is applied: its comments may change.
pub(super) fn hash(rendering: &str) -> String {
    let lines = rendering.lines().filter(|line| !line.starts_with('#'));
    sha256(lines.collect::<Vec<_>>().join("\n").as_bytes())
}
