//! What is in the module besides limpet, and under which terms everything is used.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Every crate of the module: each is paid for in size and in start-up time, so each says what
/// it is there for.
const MODULE: [(&str, &str); 23] = [
    ("base64", "the session filter's header"),
    ("block-buffer", "of digest"),
    ("cfg-if", "of digest"),
    ("crypto-common", "of digest"),
    ("digest", "what sha1 and md-5 have in common"),
    ("equivalent", "of indexmap"),
    ("foldhash", "of hashbrown"),
    ("generic-array", "of digest"),
    ("hashbrown", "of indexmap"),
    ("indexmap", "objects of the configuration keep their order"),
    ("itoa", "numbers of serde_json"),
    ("limpet", "itself"),
    (
        "md-5",
        "session-cookie-hash: md5, persistent sessions, backend keys",
    ),
    (
        "memchr",
        "searching answers of the admin; regex has it anyway",
    ),
    ("regex", "paths of regex hosts, in linear time"),
    ("regex-automata", "of regex"),
    ("regex-syntax", "of regex"),
    (
        "serde",
        "answers of the admin, read without what is not needed",
    ),
    ("serde_core", "of serde"),
    ("serde_json", "the configuration"),
    ("sha1", "session-cookie-hash: sha1, keyed cookies"),
    ("typenum", "of generic-array"),
    ("zmij", "numbers of serde_json"),
];

/// Terms under which somebody else's code may be used here, built and shipped.
const LICENCES: [&str; 7] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// `cargo tree` with these arguments, a line per crate: name, version, licence.
fn tree(arguments: &[&str]) -> BTreeSet<(String, String, String)> {
    let cargo = std::env::var_os("CARGO").unwrap();
    let format = ["--offline", "--prefix", "none", "--format", "{p}|{l}"];
    let said = Command::new(cargo)
        .arg("tree")
        .args(format)
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{errors}");
    let lines = String::from_utf8(said.stdout).unwrap();
    let lines = lines.lines().filter_map(|line| {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split(' ').map(str::to_owned);
        let licence = licence.trim_end_matches(" (*)").to_owned();
        Some((words.next()?, words.next()?, licence))
    });
    lines.collect()
}

#[test]
fn whatever_is_in_the_module_is_there_for_a_reason_and_once() {
    let edges = ["--edges", "normal,no-proc-macro"];
    let target = ["--target", "wasm32-unknown-unknown"];
    let crates = tree(&[&["--package", "limpet"], &edges[..], &target[..]].concat());
    let inside: Vec<&str> = crates.iter().map(|(name, ..)| name.as_str()).collect();
    let known: Vec<&str> = MODULE.iter().map(|(name, _)| *name).collect();
    assert_eq!(inside, known);
}

#[test]
fn everything_may_be_used_under_its_terms() {
    let all = tree(&["--workspace", "--target", "all", "--edges", "normal,build"]);
    assert!(all.len() > 100, "{all:?}");
    for (name, version, licence) in all {
        // A package's path stands where the version's words end: those are ours.
        let ours = name.starts_with("limpet") || name == "host-harness" || name == "xtask";
        assert!(
            ours || is_allowed(&licence),
            "{name} {version}: {licence:?}"
        );
    }
}

#[test]
fn everything_comes_from_one_registry() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let sources = lock.lines().filter(|line| line.starts_with("source = "));
    let sources: BTreeSet<&str> = sources.collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.contains("\"registry+")));
}

/// Whether an expression of SPDX leaves a choice that is allowed. Old ones separate by slashes.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace(" / ", " OR ").replace('/', " OR ");
    expression.split(" AND ").all(|part| {
        let part = part.trim_start_matches('(').trim_end_matches(')');
        part.split(" OR ").any(|one| LICENCES.contains(&one))
    })
}

#[test]
fn an_expression_is_allowed_where_every_part_leaves_a_choice() {
    for (expression, allowed) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression), allowed, "{expression}");
    }
}
