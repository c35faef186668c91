//! The README tells what is true: its tables are the code's.

use limpet::annotations::catalogue::{ANNOTATIONS, Support};
use limpet::plugin::metric::NAMES;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- annotations: begin -->\n";
const END: &str = "<!-- annotations: end -->";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// First what limpet does, then what it leaves to others, one row per remedy.
fn table() -> String {
    let mut honoured = String::from("| annotation | honoured | difference |\n|---|---|---|\n");
    let mut left: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for annotation in ANNOTATIONS {
        let name = format!("`{}`", annotation.name);
        match annotation.support {
            Support::Yes => writeln!(honoured, "| {name} | yes | |").unwrap(),
            Support::Partly(how) => writeln!(honoured, "| {name} | partly | {how} |").unwrap(),
            Support::No(instead) => left.entry(instead).or_default().push(name),
        }
    }
    let mut others = String::from("| not honoured | instead |\n|---|---|\n");
    for (instead, names) in left {
        writeln!(others, "| {} | {instead} |", names.join(", ")).unwrap();
    }
    let summary = "<summary>The rest is not limpet's business: what does it in Envoy</summary>";
    format!("{honoured}\n<details>\n{summary}\n\n{others}\n</details>\n")
}

#[test]
fn the_annotation_table_is_the_codes() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once(BEGIN).expect("README.md has the table");
    let (written, _) = rest.split_once(END).expect("README.md ends the table");
    let table = table();
    if written != table {
        let fresh = root().join("target/annotations.md");
        fs::write(&fresh, &table).unwrap();
        panic!("README.md's table of annotations is old; the new one is in target/annotations.md");
    }
}

#[test]
fn the_tables_of_what_is_lost_are_the_codes() {
    let page = root().join("envoy/losses.md");
    let written = fs::read_to_string(page).unwrap();
    let (_, tables) = written
        .split_once("\n\n|")
        .expect("envoy/losses.md has tables");
    let fresh = limpet_envoy::check::documented();
    if fresh != format!("|{tables}") {
        fs::write(root().join("target/losses.md"), fresh).unwrap();
        panic!("envoy/losses.md is old; the new tables are in target/losses.md");
    }
}

#[test]
fn every_metric_is_named() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for (name, _) in NAMES {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_key_of_the_configuration_is_named() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let source = fs::read_to_string(root().join("src/config/read.rs")).unwrap();
    let (_, keys) = source.split_once("const KEYS").expect("the keys");
    let (keys, _) = keys.split_once("];").expect("the end of the keys");
    let names: Vec<&str> = keys.split('"').skip(1).step_by(2).collect();
    assert!(names.contains(&"ingresses"), "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}
