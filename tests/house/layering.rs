//! The house keeps its shape: who may know what, and the plan names real files.

mod modules;
mod tokens;

use modules::Modules;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
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

/// The core from the top to the bottom: a module names only what stands in a lower row. A name
/// stands for all beneath it that has no row of its own.
const CORE: &[&[&str]] = &[
    &["shell"],
    &["plugin"],
    &["stream"],
    &["decision"],
    &["route"],
    &["redirect"],
    &["policy::compile"],
    &["policy::hosts"],
    &["policy::error_pages"],
    &[
        "policy::authorizers",
        "policy::budget",
        "policy::certificates",
        "policy::clusters",
        "policy::headers",
        "policy::listed",
    ],
    &["policy::load"],
    &["policy::merge"],
    &["policy", "balancer"],
    &["route::host"],
    &["route::lookup"],
    &["route::location"],
    &["route::tenants"],
    &["error_pages"],
    &["redirect::response", "cluster"],
    &["authorizer"],
    &["redirect::destination", "fields"],
    &["rewrite", "affinity", "canary", "access::clients"],
    &["client_certificate"],
    &[
        "route::openings",
        "route::pattern",
        "route::target",
        "discovery",
    ],
    &["endpoints", "session_cookie"],
    &["annotations"],
    &["config::environment"],
    &["config"],
    &["config::settings"],
    &["remark::wording"],
    &["ingress"],
    &["remark"],
    &["annotations::catalogue"],
    &["annotations::validator"],
    &["limits"],
    &[
        "nearest",
        "pairs",
        "protection",
        "access",
        "authentication",
        "body",
        "cors",
        "head",
    ],
    &["edit", "facts", "same_site", "sorted"],
    &["byte_kind", "zone"],
    &["words"],
];

#[test]
fn the_cores_arrows_point_down() {
    let edges = Modules::read(&root().join("src/lib.rs")).edges();
    let place = |module: &str| {
        let rows = CORE.iter().enumerate();
        let names = rows.flat_map(|(row, names)| names.iter().map(move |name| (row, *name)));
        let above = names.filter(|(_, name)| is_in(module, name));
        above.max_by_key(|(_, name)| name.len())
    };
    let mut wrong = Vec::new();
    for (module, others) in edges.iter().filter(|(module, _)| *module != modules::ROOT) {
        let (row, name) = place(module).unwrap_or_else(|| panic!("{module} has no row"));
        for other in others {
            let (lower, below) = place(other).unwrap_or_else(|| panic!("{other} has no row"));
            if name != below && lower <= row {
                wrong.push(format!("{module} names something of {other}"));
            }
        }
    }
    nobody(&wrong, "arrows of the core point down");
}

/// Whether `module` is `folder` or beneath it.
fn is_in(module: &str, folder: &str) -> bool {
    let rest = module.strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A circle is one of files, judged by what they name: `use`d, or by a path in the code. A name
/// counts for the file where the item is written, however many `pub use`s pass it on; to declare
/// a module or to pass on its items is no use of them, but to name one of them in one's own code
/// is. So a parent may put its children together, and a child may take the parent's types, and
/// not both. What tests in the source name does not count.
#[test]
fn nothing_goes_in_circles() {
    let mut found = Vec::new();
    for (target, file) in targets() {
        for circle in circles_of(&Modules::read(&file).edges()) {
            found.push(format!("{target}: {}", circle.join(" -> ")));
        }
    }
    nobody(&found, "modules that go in circles");
}

#[test]
fn circles_are_found_through_what_is_passed_on_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    for (file, source) in [
        (
            "lib.rs",
            "mod a; mod b; mod c; // use crate::c::C;\npub use a::A;",
        ),
        (
            "a.rs",
            "use crate::b::Two; pub struct A; #[cfg(test)] mod tests { use super::*; }",
        ),
        (
            "b.rs",
            "mod one; pub use one::One; pub struct Two(super::c::C);",
        ),
        (
            "b/one.rs",
            "pub struct One(&'static str, char); const X: One = One(\"\\\"\", '{');",
        ),
        ("c.rs", "pub struct C(Box<crate::A>, crate::b::One);"),
    ] {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, source).unwrap();
    }
    let edges = Modules::read(&folder.path().join("lib.rs")).edges();
    assert_eq!(circles_of(&edges), [["a", "b", "c", "a"]]);
}

/// Every target of the workspace, with its root file.
fn targets() -> Vec<(String, PathBuf)> {
    let cargo = std::env::var_os("CARGO").unwrap();
    let metadata = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&metadata.stderr);
    assert!(metadata.status.success(), "{said}");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let targets = packages.iter().flat_map(|package| {
        let name = package["name"].as_str().unwrap();
        let targets = package["targets"].as_array().unwrap();
        targets.iter().map(move |target| {
            let target_name = target["name"].as_str().unwrap();
            let file = target["src_path"].as_str().unwrap();
            (format!("{name}/{target_name}"), PathBuf::from(file))
        })
    });
    targets.collect()
}

/// The shortest circle through each module that is in one; those of one circle once.
fn circles_of(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<&str>> {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let mut circles = Vec::new();
    for start in edges.keys() {
        if told.contains(start.as_str()) {
            continue;
        }
        if let Some(circle) = circle_through(start, edges) {
            told.extend(&circle);
            circles.push(circle);
        }
    }
    circles
}

fn circle_through<'e>(
    start: &'e str,
    edges: &'e BTreeMap<String, BTreeSet<String>>,
) -> Option<Vec<&'e str>> {
    let mut from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(module) = open.pop_front() {
        for next in &edges[module] {
            if next == start {
                let back = |at: &&'e str| from.get(at).copied();
                let mut circle: Vec<&str> = std::iter::successors(Some(module), back).collect();
                circle.reverse();
                circle.push(start);
                return Some(circle);
            }
            if next != start && !from.contains_key(next.as_str()) {
                from.insert(next, module);
                open.push_back(next);
            }
        }
    }
    None
}
