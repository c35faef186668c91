//! Whole manifests shaped after what public charts install: how many move with nothing lost.
//!
//! Each manifest of `tests/charts/` opens with what is lost of it: names, or `nothing`. What the charts
//! of these names set was looked up; the texts are our own. Where it is otherwise on Envoy, that stands
//! behind: `; on Envoy nothing`. What the controller was started with may stand in the line after: `# controller: ...`.

use std::collections::BTreeSet;
use std::path::Path;

use limpet_envoy::check::{Finding, Platform, Report};
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::losses::{LossArgs, settle};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::envoy::{EnvoySettings, render};

const PLATFORMS: [Platform; 3] = [Platform::Envoy, Platform::Istio, Platform::EnvoyGateway];

#[test]
fn charts_lose_what_they_say_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut whole = 0;
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let said = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# lost: "));
        let said = said.unwrap_or_else(|| panic!("{name}: no line `# lost: ...`"));
        let passes_tls = text.lines().nth(1) == Some("# controller: --enable-ssl-passthrough");
        let read = || {
            let mut manifests = Manifests::parse(&name, &text).unwrap();
            manifests.ssl_passthrough = passes_tls.then_some(true);
            manifests
        };
        let (said, on_envoy) = match said.split_once("; on Envoy ") {
            Some((said, on_envoy)) => (names(said), names(on_envoy)),
            None => (names(said), names(said)),
        };
        let said_on = |platform| {
            if platform == Platform::Envoy {
                &on_envoy
            } else {
                &said
            }
        };
        for platform in PLATFORMS {
            let manifests = read();
            let report = Report::new(&manifests, false, Some(platform));
            let lost: BTreeSet<&str> = report.losses().map(|loss| &*loss.field).collect();
            assert_eq!(lost, *said_on(platform), "{name} on {platform:?}");
            assert!(report.exit_status() < 2, "{name}: {:#?}", errors(&report));
        }
        let mut manifests = read();
        let args = LossArgs {
            close: !on_envoy.is_empty(),
            ..LossArgs::default()
        };
        let flags = Flags {
            on_envoy: true,
            ..Flags::default()
        };
        settle(&mut manifests, &flags, &args, Platform::Envoy).unwrap();
        let compiled = Compiled::new(&manifests, &flags).unwrap();
        let settings = EnvoySettings {
            dns: true,
            ..EnvoySettings::default()
        };
        let rendered = render(&compiled, &settings);
        rendered.text(&[]).unwrap();
        if on_envoy.is_empty() {
            whole += 1;
        }
    }
    println!(
        "{whole} of {} charts move to Envoy with nothing lost",
        files.len()
    );
    assert!(files.len() >= 30, "{}", files.len());
}

fn names(list: &str) -> BTreeSet<&str> {
    list.split(", ").filter(|name| *name != "nothing").collect()
}

fn errors(report: &Report) -> Vec<&Finding> {
    let errors = report.findings.iter();
    errors
        .filter(|one| one.level == limpet_envoy::check::Level::Error)
        .collect()
}
