//! Every command that the README and `docs/` give to their reader, run as it stands there.
//!
//! What needs a cluster, a registry or a build is not run here: of `cargo xtask` the task and its
//! flags have to exist, of other programs nothing is known but their names.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs of somebody else.
const OTHERS: [&str; 4] = ["kubectl", "curl", "skopeo", "target/envoy"];

const SETTINGS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
data: {use-forwarded-headers: \"true\"}
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|name| name == "md"));
    let mut documents: Vec<PathBuf> = docs.chain([root().join("README.md")]).collect();
    documents.sort();
    documents
}

/// The lines of its `sh` blocks, without comments; a backslash joins lines.
fn commands(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(|block| {
        let block = block.replace("\\\n", " ");
        block.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let bare = lines.map(|line| {
        line.split(" #")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    });
    bare.filter(|line| !line.is_empty()).collect()
}

/// A folder with what a reader has: the repository, and the files of an earlier step.
fn desk(name: &str) -> PathBuf {
    let desk = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("documented")
        .join(name);
    drop(fs::remove_dir_all(&desk)); // there is none the first time
    fs::create_dir_all(&desk).unwrap();
    let root = root().canonicalize().unwrap();
    for name in ["envoy", "docs", "target"] {
        symlink(root.join(name), desk.join(name)).unwrap();
    }
    let sample = root.join("envoy/examples/sample-ingress.yaml");
    fs::copy(sample, desk.join("cluster.yaml")).unwrap();
    fs::write(desk.join("settings.yaml"), SETTINGS).unwrap();
    fs::write(desk.join("policies.yaml"), "").unwrap();
    desk
}

fn shell(desk: &Path, command: &str) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_limpet")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", command]);
    shell
        .current_dir(desk)
        .env("PATH", path)
        .stdin(Stdio::null());
    shell
}

/// Runs it to its end. `check` may find something.
fn run(desk: &Path, command: &str) {
    let out = shell(desk, command).output().unwrap();
    let status = out.status.code().unwrap_or(-1);
    let fine = status == 0 || status == 1 && command.contains("limpet check");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(fine, "{command}: {status}: {said}");
}

/// Runs what stays up until it says where.
fn stays_up(desk: &Path, command: &str) {
    let command = format!("exec {command} --listen 127.0.0.1:0");
    let mut running = shell(desk, &command)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(running.stderr.take().unwrap()).lines();
    let said: Vec<String> = said
        .map_while(Result::ok)
        .take_while(|line| !line.starts_with("page on http://127.0.0.1:"))
        .collect();
    let ended = running.try_wait().unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(ended.is_none(), "{command}: {}", said.join("\n"));
}

/// Whether `cargo xtask` has this task and these flags.
fn is_a_task(command: &str) -> bool {
    let mut words = command.split_whitespace().skip(2);
    let task = words.next().unwrap();
    let sources = root().join("xtask/src");
    let main = fs::read_to_string(sources.join("main.rs")).unwrap();
    let mut capital = task.to_owned();
    capital[..1].make_ascii_uppercase();
    let has_task = main.contains(&format!("Task::{capital}"));
    let flags = words.all(|flag| {
        let help = shell(&root(), "limpet demo --help").output().unwrap();
        let of_demo = String::from_utf8_lossy(&help.stdout).contains(flag);
        let field = format!("    {}: ", flag.trim_start_matches('-').replace('-', "_"));
        let source = fs::read_to_string(sources.join(format!("{task}.rs"))).unwrap();
        of_demo && task == "demo" || source.contains(&field)
    });
    has_task && flags
}

#[test]
fn every_command_of_the_documents_does_what_it_is_there_for() {
    let mut done = 0;
    for document in documents() {
        let name = document.file_stem().unwrap().to_str().unwrap().to_owned();
        let desk = desk(&name);
        for command in commands(&document) {
            let program = command.split_whitespace().next().unwrap();
            let stays = ["limpet run ", "limpet demo"];
            if stays.iter().any(|start| command.starts_with(start)) {
                stays_up(&desk, &command);
            } else if matches!(program, "limpet" | "echo") {
                run(&desk, &command);
            } else if command.starts_with("cargo xtask ") {
                assert!(is_a_task(&command), "{name}: {command}");
                continue;
            } else {
                assert!(OTHERS.contains(&program), "{name}: {command}");
                continue;
            }
            done += 1;
        }
    }
    assert!(done >= 30, "{done} commands");
}
