//! A certificate, as the Secret in which Ingresses find theirs; clients that have some.

mod hello;
mod made;
mod pods;
mod relay;

pub use hello::shown;
pub use made::{Kind, Made, made};
pub use pods::{TlsPod, TlsPods};
pub use relay::{Greeting, Relay};

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What `secretName` of an Ingress in the namespace `default` names.
pub const SECRET: &str = "shop-tls";

/// The same, and its key, as files.
#[must_use]
pub fn files() -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/tls");
    (folder.join("cert.pem"), folder.join("key.pem"))
}

/// The certificate and the key of the client `name` of the recordings.
///
/// # Panics
/// There is no such client.
#[must_use]
pub fn of_client(name: &str) -> (String, String) {
    (read(&format!("{name}.crt")), read(&format!("{name}.key")))
}

/// What the authorities of the recordings say of themselves: `ca.crt`, `ca2.crt`, `ca.crl`.
///
/// # Panics
/// There is no such file.
#[must_use]
pub fn of_authority(file: &str) -> String {
    read(file)
}

fn read(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/rest/certs");
    let path = format!("{folder}/{file}");
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// The Secret; signed by nobody.
#[must_use]
pub fn secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": SECRET, "namespace": "default" },
        "stringData": {
            "tls.crt": include_str!("tls/cert.pem"),
            "tls.key": include_str!("tls/key.pem"),
        },
    })
}

/// The file `name` of those of pods: certificates, each for `web.pods.example` but where it is called for
/// what is otherwise, and the key of all of them. `ca.crt` signed them but for `foreign`, and two of them by
/// authorities in between; they end in 2046, and `expired` did in 2021.
///
/// # Panics
/// There is no such file.
#[must_use]
pub fn of_pod(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/support/tls/pods");
    let path = format!("{folder}/{name}");
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}
