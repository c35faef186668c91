//! The house keeps its shape: who may know what, and the plan names real files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Words of limpet's own trade, which the host must never learn.
const TRADE: [&str; 4] = ["ingress", "cookie", "affinity", "annotation"];

/// Names that say nothing about what is inside.
const NAMELESS: [&str; 5] = ["mod.rs", "utils.rs", "common.rs", "helpers.rs", "types.rs"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|name| name == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "no sources in {folder}");
    files.sort();
    files
}

/// Every line of code in `folder` that `wrong` accuses, as `file:line: text`.
fn accused(folder: &str, wrong: impl Fn(&Path, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources(folder) {
        let name = file.strip_prefix(root()).unwrap();
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            if wrong(name, line) {
                found.push(format!(
                    "{}:{}: {}",
                    name.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    found
}

fn nobody(accused: &[String], why: &str) {
    assert!(accused.is_empty(), "{why}:\n{}", accused.join("\n"));
}

#[test]
fn the_host_knows_nothing_of_limpets_trade() {
    let found = accused("host-harness/src", |_, line| {
        let line = line.to_lowercase();
        TRADE.iter().any(|word| line.contains(word))
    });
    nobody(&found, "host-harness is a proxy-wasm host for any module");
}

#[test]
fn only_the_shell_calls_a_host() {
    let found = accused("src", |file, line| {
        let shell = file.starts_with("src/shell") || file == Path::new("src/shell.rs");
        !shell && (line.contains("extern \"C\"") || line.contains("crate::shell"))
    });
    nobody(&found, "the core is values in, values out");
}

#[test]
fn a_native_build_of_the_core_can_do_no_io() {
    let cargo = std::env::var_os("CARGO").unwrap();
    let tree = Command::new(cargo)
        .args(["tree", "--locked", "--package", "limpet"])
        .args(["--edges", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{said}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.starts_with("limpet v"), "{tree}");
    for name in ["proxy-wasm", "log", "rand", "tokio", "wasmtime"] {
        let depends = tree
            .lines()
            .any(|line| line.split(' ').next() == Some(name));
        assert!(!depends, "the core depends on {name}:\n{tree}");
    }
}

#[test]
fn files_are_named_for_what_they_hold() {
    for folder in [
        "src",
        "host-harness/src",
        "host-harness/cli/src",
        "envoy/src",
        "xtask/src",
    ] {
        for file in sources(folder) {
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(!NAMELESS.contains(&name), "{}", file.display());
        }
    }
}

#[test]
fn no_file_is_longer_than_a_mind_can_hold() {
    for folder in [
        "src",
        "host-harness/src",
        "host-harness/cli/src",
        "envoy/src",
        "xtask/src",
    ] {
        for file in sources(folder) {
            if file.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().count();
            assert!(
                lines <= 500,
                "{}: {lines} lines without its tests",
                file.display()
            );
        }
    }
}

#[test]
fn every_file_that_the_documents_name_exists() {
    for document in ["ARCHITECTURE.md", "README.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(is_file).collect();
        assert!(!named.is_empty(), "{document} names no file");
        for name in named {
            assert!(root().join(name).exists(), "{document} names {name}");
        }
    }
}

/// `src/stream.rs`, `tests/cases/`; not `namespace/name` or `target/envoy`.
fn is_file(quoted: &&str) -> bool {
    let top = [
        "src/",
        "host-harness/",
        "tests/",
        "xtask/",
        "envoy/",
        ".ci/",
    ];
    let path = !quoted.contains([' ', '<', '*', ':', '\n']);
    path && (top.iter().any(|top| quoted.starts_with(top)) || quoted.ends_with(".md"))
}
