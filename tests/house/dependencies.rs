//! What is in the module besides limpet. Terms and sources of everything: `cargo xtask deny`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Every crate of the module: each is paid for in size and in start-up time, so each says what
/// it is there for.
const MODULE: [(&str, &str); 29] = [
    ("allocator-api2", "of hashbrown for proxy-wasm"),
    ("base64", "the session filter's header"),
    ("block-buffer", "of digest"),
    ("cfg-if", "of digest"),
    ("crypto-common", "of digest"),
    ("digest", "what sha1 and md-5 have in common"),
    ("equivalent", "of indexmap"),
    ("foldhash", "of hashbrown"),
    ("generic-array", "of digest"),
    ("hashbrown", "of proxy-wasm: the version before indexmap's"),
    ("hashbrown", "of indexmap"),
    ("hmac", "keyed cookies"),
    ("indexmap", "objects of the configuration keep their order"),
    ("itoa", "numbers of serde_json"),
    ("limpet", "itself"),
    ("log", "of proxy-wasm"),
    (
        "md-5",
        "session-cookie-hash: md5, persistent sessions, backend keys",
    ),
    (
        "memchr",
        "searching answers of the admin; regex has it anyway",
    ),
    ("proxy-wasm", "what a module for Envoy is made with"),
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
    ("subtle", "of digest for hmac"),
    ("typenum", "of generic-array"),
    ("zmij", "numbers of serde_json"),
];

#[test]
fn whatever_is_in_the_module_is_there_for_a_reason() {
    let tree = Command::new(std::env::var_os("CARGO").unwrap())
        .args([
            "tree",
            "--locked",
            "--prefix",
            "none",
            "--package",
            "limpet",
        ])
        .args(["--edges", "normal,no-proc-macro"])
        .args(["--target", "wasm32-unknown-unknown"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let inside: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    let inside: Vec<&str> = inside.iter().map(|(name, _version)| *name).collect();
    let known: Vec<&str> = MODULE.iter().map(|(name, _)| *name).collect();
    assert_eq!(inside, known);
}
