//! A cluster without nodes: a real API server, what is applied to it as a user does, and what it says.

use super::api::{Api, namespace_exists};
use super::place::Place;
use super::processes::Process;
use crate::process;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KUBECONFIG: &str = r#"{
  "apiVersion": "v1", "kind": "Config", "current-context": "c",
  "clusters": [{ "name": "c", "cluster": { "server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": true } }],
  "users": [{ "name": "u", "user": { "token": "admin" } }],
  "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }]
}"#;

/// Everything that is applied for one input goes again before the next.
const KINDS: [&str; 32] = [
    "ingresses",
    "ingressclasses",
    "services",
    "endpointslices",
    "configmaps",
    "secrets",
    "deployments",
    "serviceaccounts",
    "horizontalpodautoscalers",
    "poddisruptionbudgets",
    "gatewayclasses",
    "gateways.gateway.networking.k8s.io",
    "httproutes",
    "tlsroutes",
    "referencegrants",
    "backendtlspolicies",
    "envoyproxies",
    "httproutefilters",
    "clienttrafficpolicies",
    "backendtrafficpolicies",
    "envoyextensionpolicies",
    "securitypolicies",
    "envoypatchpolicies",
    "gateways.networking.istio.io",
    "virtualservices",
    "serviceentries",
    "destinationrules",
    "envoyfilters",
    "wasmplugins",
    "authorizationpolicies",
    "requestauthentications",
    "peerauthentications",
];

/// What the Secrets of Envoy Gateway's own are called and begin with: they stay.
const KEPT: (&str, &str) = ("envoy-gateway-system", "envoy");

/// What an API server said to a manifest.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) accepted: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) refused: Vec<String>,
}

/// The API server, with its etcd.
#[derive(Debug)]
pub(super) struct Cluster {
    kubectl: PathBuf,
    folder: PathBuf,
    api: Api,
    _server: Process,
}

impl Cluster {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// It does not come up.
    pub(super) fn start(place: &Place) -> Result<Cluster> {
        let folder = &place.folder;
        fs::write(folder.join("kubeconfig"), KUBECONFIG)?;
        fs::write(folder.join("tokens"), "admin,admin,admin,system:masters\n")?;
        let openssl = |arguments: &[&str]| {
            let mut command = Command::new("openssl");
            process::output(command.args(arguments).current_dir(folder))
        };
        openssl(&["genrsa", "-out", "sa.key", "2048"])?;
        openssl(&["rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"])?;
        let mut server = Command::new(place.programs.api_server());
        server
            .arg(folder.join("etcd"))
            .args(["http://127.0.0.1:2379", "http://127.0.0.1:2380"])
            .args(["--bind-address=127.0.0.1", "--advertise-address=10.0.0.1"])
            .args(["--secure-port=6443", "--cert-dir=certs"])
            .args(["--service-account-key-file=sa.pub"])
            .args(["--service-account-signing-key-file=sa.key"])
            .args(["--service-account-issuer=https://kubernetes.default.svc"])
            .args(["--service-cluster-ip-range=10.96.0.0/16"])
            .args(["--authorization-mode=RBAC", "--token-auth-file=tokens"])
            .args(["--endpoint-reconciler-type=none"])
            .args(["--disable-admission-plugins=ServiceAccount"]);
        let server = Process::start(place, "apiserver", &mut server)?;
        Ok(Cluster {
            kubectl: place.programs.kubectl(),
            folder: folder.clone(),
            api: Api::start(place, &folder.join("kubeconfig"))?,
            _server: server,
        })
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .current_dir(&self.folder)
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(["--cache-dir", "kubectl-cache"]);
        command
    }

    /// # Errors
    /// kubectl's own.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        process::output(self.command().args(arguments))
    }

    /// Every object of these kinds, with commas between; none where one is not known.
    ///
    /// # Errors
    /// No answer.
    pub(super) fn all(&self, kinds: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for kind in kinds.split(',') {
            all.extend(self.api.all(kind)?);
        }
        Ok(all)
    }

    /// Strict server-side apply; fields that others manage are taken over.
    ///
    /// # Errors
    /// kubectl cannot be run.
    pub(super) fn apply(&self, manifests: &str) -> Result<Applied> {
        for name in namespaces(manifests) {
            namespace_exists(name)?;
        }
        self.give(manifests)
    }

    fn give(&self, manifests: &str) -> Result<Applied> {
        let mut command = self.command();
        command
            .args(["apply", "--server-side", "--force-conflicts"])
            .args(["--validate=strict", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start kubectl")?;
        let mut input = child.stdin.take().context("no standard input")?;
        let manifests = manifests.to_owned();
        let writer = std::thread::spawn(move || input.write_all(manifests.as_bytes()));
        let done = child.wait_with_output()?;
        // A kubectl that ends early reads no further: what it says is what counts.
        drop(writer.join());
        let mut applied = Applied::default();
        for line in String::from_utf8_lossy(&done.stdout).lines() {
            let name = line.strip_suffix(" serverside-applied").unwrap_or(line);
            applied.accepted.push(name.to_owned());
        }
        for line in String::from_utf8_lossy(&done.stderr).lines() {
            match line.strip_prefix("Warning: ") {
                Some(warning) => applied.warnings.push(warning.to_owned()),
                None => told(&mut applied.refused, line),
            }
        }
        applied.accepted.sort();
        applied.warnings.sort();
        applied.warnings.dedup();
        applied.refused.sort();
        Ok(applied)
    }

    /// Applies what has to be taken.
    ///
    /// # Errors
    /// Something is refused.
    pub(super) fn set_up(&self, objects: &[Value]) -> Result<()> {
        objects.iter().try_for_each(|one| self.api.set_up(one))
    }

    /// Applies a folder of resource definitions and waits until they are served.
    ///
    /// # Errors
    /// One is refused.
    pub(super) fn define(&mut self, folder: &Path) -> Result<()> {
        let folder = folder.to_string_lossy();
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &folder])?;
        self.api.learn()
    }

    /// Takes an object away.
    ///
    /// # Errors
    /// It does not go.
    pub(super) fn delete(&self, kind: &str, object: &Value) -> Result<()> {
        self.api.delete(kind, object)
    }

    /// Takes away what was applied.
    ///
    /// # Errors
    /// It does not go.
    pub(super) fn clear(&self) -> Result<()> {
        for kind in KINDS {
            for object in self.api.all(kind)? {
                let text = |path| object.pointer(path).and_then(Value::as_str);
                let is_kept = kind == "secrets"
                    && text("/metadata/namespace") == Some(KEPT.0)
                    && text("/metadata/name").is_some_and(|name| name.starts_with(KEPT.1));
                if !is_kept {
                    self.api.delete(kind, &object)?;
                }
            }
        }
        Ok(())
    }
}

/// A line that is indented goes on with the one before.
fn told(refused: &mut Vec<String>, line: &str) {
    match refused.last_mut() {
        Some(last) if line.starts_with([' ', '\t']) => {
            last.push(' ');
            last.push_str(line.trim());
        }
        _ if line.trim().is_empty() => {}
        _ => refused.push(line.to_owned()),
    }
}

/// What stands after `namespace:` or `"namespace":`, wherever.
fn namespaces(manifests: &str) -> Vec<&str> {
    let mut all: Vec<&str> = manifests
        .split("namespace")
        .skip(1)
        .filter_map(|rest| {
            let rest = rest.strip_prefix('"').unwrap_or(rest).strip_prefix(':')?;
            let rest = rest.trim_start_matches([' ', '"']);
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-')?;
            rest.get(..end).filter(|name| !name.is_empty())
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}
