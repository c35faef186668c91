//! What is rendered is what real control planes were asked about: `cargo xtask platforms` recorded
//! their answers under `tests/control-planes/recorded/`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file of a folder and of those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all.sort();
    all
}

fn recordings() -> Vec<(String, Value)> {
    let files = files(&root().join("tests/control-planes/recorded"));
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        (name, serde_json::from_str(&text).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// As `cargo xtask platforms` writes it: the rendering without its comments, or why there is none.
fn rendering(command: &[&str]) -> String {
    let mut limpet = Command::new(env!("CARGO_BIN_EXE_limpet"));
    let out = limpet.args(command).current_dir(root()).output().unwrap();
    if !out.status.success() {
        let said = String::from_utf8(out.stderr).unwrap();
        return said.lines().next().unwrap().to_owned();
    }
    let text = String::from_utf8(out.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("{:x}", Sha256::digest(lines.as_bytes()))
}

#[test]
fn control_planes_were_asked_about_what_is_rendered_now() {
    let mut wrong = Vec::new();
    for (name, recording) in recordings() {
        let command = recording["command"].as_array().unwrap().iter();
        let command: Vec<&str> = command.map(|word| word.as_str().unwrap()).collect();
        if rendering(&command) != recording["rendering"].as_str().unwrap() {
            wrong.push(name);
        }
    }
    assert!(
        wrong.is_empty(),
        "another rendering than was recorded; run: cargo xtask platforms\n{}",
        wrong.join("\n")
    );
}

#[test]
fn control_planes_were_asked_about_every_manifest_with_an_ingress() {
    let mut known = BTreeSet::new();
    for (_, recording) in recordings() {
        let words = recording["command"].as_array().unwrap().iter();
        known.extend(words.map(|word| word.as_str().unwrap().to_owned()));
    }
    let folders = [
        "tests/cases/ingresses",
        "tests/reports",
        "tests/control-planes/ingresses",
    ];
    for file in folders
        .iter()
        .flat_map(|folder| files(&root().join(folder)))
    {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        let is_asked = known.contains(&name) || !text.contains("kind: Ingress\n");
        assert!(
            is_asked,
            "no recording of {name}; run: cargo xtask platforms"
        );
    }
}
