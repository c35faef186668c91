//! The API server by its own paths: what a run does for itself, where starting a kubectl each time
//! would cost more than all the rest.

use super::http::{self, Request, Response};
use super::place::Place;
use super::processes::{Process, wait_for};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Where `kubectl proxy` answers: without TLS, and as the user of its file.
const PORT: u16 = 8001;

/// All of a group at once, as kubectl asks for it.
const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A kind of objects, and where they are.
#[derive(Debug)]
struct Resource {
    kind: String,
    /// `httproutes`
    plural: String,
    group: String,
    /// `/apis/gateway.networking.k8s.io/v1`
    base: String,
    is_namespaced: bool,
}

/// What it serves now.
#[derive(Debug)]
pub(super) struct Api {
    resources: Vec<Resource>,
    _proxy: Process,
}

impl Api {
    /// Starts `kubectl proxy` and waits until the API server behind it is ready.
    ///
    /// # Errors
    /// It does not come up.
    pub(super) fn start(place: &Place, kubeconfig: &Path) -> Result<Api> {
        let mut proxy = Command::new(place.programs.kubectl());
        proxy
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("proxy")
            .arg(format!("--port={PORT}"));
        let mut api = Api {
            resources: Vec::new(),
            _proxy: Process::start(place, "proxy", &mut proxy)?,
        };
        wait_for("the API server is ready", || Ok(http::get(PORT, "/readyz")))?;
        api.resources = discovered()?;
        Ok(api)
    }

    /// Waits until everything that is defined is served.
    ///
    /// # Errors
    /// It never is.
    pub(super) fn learn(&mut self) -> Result<()> {
        let of = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let defined = items(of)?;
        self.resources = wait_for("what is defined is served", || {
            let resources = discovered()?;
            let is_served = |definition: &Value| is_as_defined(&resources, definition);
            Ok(defined.iter().all(is_served).then_some(resources))
        })?;
        Ok(())
    }

    /// Every object of a kind, by its plural or with the group after it; none where it is not known.
    ///
    /// # Errors
    /// No answer.
    pub(super) fn all(&self, name: &str) -> Result<Vec<Value>> {
        let Some(resource) = self.named(name) else {
            return Ok(Vec::new());
        };
        let mut all = items(&format!("{}/{}", resource.base, resource.plural))?;
        for object in &mut all {
            // Lists of Kubernetes' own kinds do not say what they are of.
            object["kind"] = json!(resource.kind);
        }
        Ok(all)
    }

    /// Strict server-side apply of what has to be taken, and its namespace before.
    ///
    /// # Errors
    /// It is refused.
    pub(super) fn set_up(&self, object: &Value) -> Result<()> {
        let text = |path| object.pointer(path).and_then(Value::as_str);
        let (version, kind) = (text("/apiVersion"), text("/kind"));
        let resource = self.resources.iter().find(|resource| {
            Some(resource.kind.as_str()) == kind
                && version.is_some_and(|version| resource.is_of(version))
        });
        let resource = resource.with_context(|| format!("unknown: {kind:?} of {version:?}"))?;
        if let Some(namespace) = text("/metadata/namespace") {
            namespace_exists(namespace)?;
        }
        let path = resource.path(object)?;
        accepted(Request {
            method: "PATCH",
            path: &format!("{path}?fieldManager=limpet&force=true&fieldValidation=Strict"),
            headers: &[("Content-Type", "application/apply-patch+yaml")],
            body: &object.to_string(),
        })
    }

    /// Takes it away, whoever would have to agree.
    ///
    /// # Errors
    /// It does not go.
    pub(super) fn delete(&self, name: &str, object: &Value) -> Result<()> {
        let resource = self.named(name).context("of a kind that is known")?;
        let path = &resource.path(object)?;
        if object.pointer("/metadata/finalizers").is_some() {
            accepted(Request {
                method: "PATCH",
                path,
                headers: &[("Content-Type", "application/merge-patch+json")],
                body: r#"{"metadata":{"finalizers":null}}"#,
            })?;
        }
        accepted(Request {
            method: "DELETE",
            path,
            headers: &[],
            body: "",
        })
    }

    fn named(&self, name: &str) -> Option<&Resource> {
        let (plural, group) = name.split_once('.').unwrap_or((name, ""));
        let mut all = self.resources.iter();
        all.find(|resource| {
            resource.plural == plural && (group.is_empty() || resource.group == group)
        })
    }
}

impl Resource {
    /// Whether it is served as this `apiVersion`.
    fn is_of(&self, version: &str) -> bool {
        self.base.strip_prefix("/apis/") == Some(version) || self.base == format!("/api/{version}")
    }

    fn path(&self, object: &Value) -> Result<String> {
        let text = |path| object.pointer(path).and_then(Value::as_str);
        let name = text("/metadata/name").context("an object without a name")?;
        let Self { base, plural, .. } = self;
        if !self.is_namespaced {
            return Ok(format!("{base}/{plural}/{name}"));
        }
        let namespace = text("/metadata/namespace").context("an object without a namespace")?;
        Ok(format!("{base}/namespaces/{namespace}/{plural}/{name}"))
    }
}

/// Whether what is served of a kind are the versions of its definition: it may have had others before.
fn is_as_defined(resources: &[Resource], definition: &Value) -> bool {
    let text = |path| definition.pointer(path).and_then(Value::as_str);
    let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
    let of_it = resources
        .iter()
        .filter(|resource| group == Some(&resource.group) && plural == Some(&resource.plural));
    let served: BTreeSet<&str> = of_it
        .filter_map(|one| one.base.rsplit('/').next())
        .collect();
    let spec = definition.get("spec").unwrap_or(&Value::Null);
    let defined = array(spec, "versions").filter(|one| one.get("served") == Some(&json!(true)));
    served == defined.map(|version| self::text(version, "name")).collect()
}

/// Makes it, where it is not there yet.
///
/// # Errors
/// It is refused.
pub(super) fn namespace_exists(name: &str) -> Result<()> {
    let body = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    let answer = send(Request {
        method: "POST",
        path: "/api/v1/namespaces",
        headers: &[("Content-Type", "application/json")],
        body: &body.to_string(),
    })?;
    match answer.status {
        201 | 409 => Ok(()),
        status => bail!("namespace {name}: {status} {}", answer.body),
    }
}

fn items(path: &str) -> Result<Vec<Value>> {
    let request = Request {
        method: "GET",
        path,
        headers: &[],
        body: "",
    };
    let answer = wait_for("a list", || {
        let answer = send(request)?;
        // Of what was defined just now: not yet.
        Ok((answer.status != 429).then_some(answer))
    })?;
    let told = || format!("{path}: {} {}", answer.status, answer.body);
    let mut list: Value = serde_json::from_str(&answer.body).with_context(told)?;
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => bail!(told()),
    }
}

fn accepted(request: Request<'_>) -> Result<()> {
    let answer = send(request)?;
    match answer.status {
        200..300 => Ok(()),
        status => bail!(
            "{} {}: {status} {}",
            request.method,
            request.path,
            answer.body
        ),
    }
}

fn send(request: Request<'_>) -> Result<Response> {
    http::send((http::HERE, PORT), request)
}

/// Of each group the version that it prefers, which comes first, and then the others.
fn discovered() -> Result<Vec<Resource>> {
    let mut all = Vec::new();
    for root in ["/api", "/apis"] {
        let answer = send(Request {
            method: "GET",
            path: root,
            headers: &[("Accept", DISCOVERY)],
            body: "",
        })?;
        let list: Value = serde_json::from_str(&answer.body)?;
        for group in array(&list, "items") {
            let name = group.pointer("/metadata/name").and_then(Value::as_str);
            let name = name.unwrap_or_default();
            for version in array(group, "versions") {
                let number = text(version, "version");
                let base = if name.is_empty() {
                    format!("{root}/{number}")
                } else {
                    format!("{root}/{name}/{number}")
                };
                all.extend(array(version, "resources").map(|resource| {
                    Resource {
                        kind: resource
                            .pointer("/responseKind/kind")
                            .and_then(Value::as_str)
                            .unwrap_or_default()
                            .to_owned(),
                        plural: text(resource, "resource").to_owned(),
                        group: name.to_owned(),
                        base: base.clone(),
                        is_namespaced: text(resource, "scope") == "Namespaced",
                    }
                }));
            }
        }
    }
    Ok(all)
}

fn array<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
