//! A Kubernetes Ingress as it is written: `networking.k8s.io/v1`, and the older forms that
//! people still keep. No meaning, unknown fields passed over.

use crate::annotations::catalogue;
use crate::remark::{Effect, Expected, Field, Problem, Remark};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What stands before the `/` of ingress-nginx's annotations, unless its `--annotations-prefix` says
/// otherwise.
pub const DEFAULT_PREFIX: &str = "nginx.ingress.kubernetes.io";
/// What every annotation of ingress-nginx begins with once it is read, whatever its prefix is.
pub const PREFIX: &str = "nginx.ingress.kubernetes.io/";
/// What limpet's own begin with.
pub const OWN_PREFIX: &str = "limpet.dev/";

/// One Ingress.
#[derive(Debug, Clone, Default)]
pub struct Ingress {
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
    /// `namespace/name`.
    pub key: String,
    /// `metadata.creationTimestamp` as written; `None`: a manifest that was never applied.
    pub created: Option<String>,
    /// `metadata.uid`; empty where it is not there.
    pub uid: String,
    /// `metadata.annotations`, full names; those of ingress-nginx under [`PREFIX`].
    pub annotations: BTreeMap<String, String>,
    /// `spec.ingressClassName`, or the annotation `kubernetes.io/ingress.class`.
    pub class: Option<String>,
    /// `spec.rules`.
    pub rules: Vec<Rule>,
    /// `spec.defaultBackend`.
    pub default_backend: Option<Backend>,
    /// `spec.tls`.
    pub tls: Vec<Tls>,
    /// What Kubernetes would not take.
    pub remarks: Vec<Remark>,
}

/// One of `spec.tls`.
#[derive(Debug, Clone)]
pub struct Tls {
    /// `hosts`: the names of its certificate, as far as is known.
    pub hosts: Vec<String>,
    /// `secretName`; without one the controller's own certificate serves.
    pub secret: Option<String>,
}

/// One of `spec.rules`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `host`, empty where absent.
    pub host: String,
    /// `http.paths`; `None`: there is no `http`.
    pub paths: Option<Vec<Path>>,
}

/// One of `http.paths`.
#[derive(Debug, Clone)]
pub struct Path {
    /// `path` as written, `/` where empty.
    pub path: String,
    /// `pathType` is Exact. ImplementationSpecific and none are Prefix
    /// (`SetDefaultNGINXPathType`, `internal/k8s/main.go`).
    pub exact: bool,
    /// `backend.service`; `None`: another kind of backend.
    pub backend: Option<Backend>,
}

/// A Service and one of its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// The Service's name.
    pub service: String,
    /// The port's number or name as written; empty: none.
    pub port: String,
}

impl Ingress {
    /// Reads one object, with ingress-nginx's annotations under `prefix`. `Err`: it is not a usable
    /// Ingress, and is ignored as a whole.
    ///
    /// # Errors
    /// It has no name, or is of another kind.
    pub fn read(value: &Value, prefix: &str) -> Result<Self, Box<Remark>> {
        let metadata = value.get("metadata");
        let text = |key: &str| {
            metadata
                .and_then(|data| data.get(key))
                .and_then(Value::as_str)
        };
        let kind = value.get("kind").and_then(Value::as_str);
        if let Some(kind) = kind.filter(|kind| *kind != "Ingress") {
            let problem = Problem::Not(Expected::Ingress);
            return Err(unusable(Some(kind.to_owned()), problem));
        }
        let Some(name) = text("name") else {
            return Err(unusable(None, Problem::Nameless));
        };
        let namespace = text("namespace").filter(|namespace| !namespace.is_empty());
        let namespace = namespace.unwrap_or("default").to_owned();
        let spec = value.get("spec").unwrap_or(&Value::Null);
        let key = format!("{namespace}/{name}");
        let mut remarks = Vec::new();
        let annotations = annotations(metadata, prefix, &key, &mut remarks);
        let class = spec.get("ingressClassName").and_then(Value::as_str);
        let class = class.or_else(|| annotations.get(CLASS).map(String::as_str));
        let default_backend = spec.get("defaultBackend").or_else(|| spec.get("backend"));
        Ok(Self {
            key,
            namespace,
            created: text("creationTimestamp").map(str::to_owned),
            uid: text("uid").unwrap_or_default().to_owned(),
            class: class.map(str::to_owned),
            annotations,
            rules: items(spec.get("rules")).map(rule).collect(),
            default_backend: default_backend.and_then(backend),
            tls: items(spec.get("tls")).map(tls).collect(),
            remarks,
        })
    }
}

impl Ingress {
    /// The Services of its paths, in order; the default backend is not among them.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        let paths = self.rules.iter().flat_map(|rule| &rule.paths).flatten();
        paths.filter_map(|path| path.backend.as_ref())
    }
}

/// The annotation that older manifests name their class with.
pub const CLASS: &str = "kubernetes.io/ingress.class";

fn unusable(value: Option<String>, problem: Problem) -> Box<Remark> {
    Box::new(Remark::key("ingresses", value, problem, Effect::Ingress))
}

/// The API server wants strings; a manifest that says `true` means "true".
fn annotations(
    metadata: Option<&Value>,
    prefix: &str,
    ingress: &str,
    remarks: &mut Vec<Remark>,
) -> BTreeMap<String, String> {
    let map = metadata.and_then(|data| data.get("annotations"));
    let map = map.and_then(Value::as_object).into_iter().flatten();
    // One by one: to collect is to sort, which is 6 KiB of the module for each kind of map.
    let mut annotations = BTreeMap::new();
    for (name, value) in map {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let effect = match value {
            Value::String(_) => None,
            Value::Bool(_) | Value::Number(_) => Some(Effect::Tolerated),
            _ => Some(Effect::Setting),
        };
        let Some(name) = under_the_prefix(name, prefix) else {
            let read = prefix.to_owned();
            let problem = Problem::OtherPrefix { read };
            let remark = Remark::new(Field::annotation(name), &text, problem, Effect::Setting);
            remarks.push(remark.of(ingress));
            continue;
        };
        if let Some(effect) = effect {
            let field = Field::annotation(name.strip_prefix(PREFIX).unwrap_or(&name));
            let problem = Problem::NotAString;
            remarks.push(Remark::new(field, &text, problem, effect).of(ingress));
        }
        // What is no text closes what it protected.
        let known = name.strip_prefix(PREFIX).and_then(catalogue::find);
        if effect != Some(Effect::Setting) || known.is_some_and(|row| row.protects()) {
            annotations.insert(name.into_owned(), text);
        }
    }
    annotations
}

/// The name of an annotation where ingress-nginx's own are those under `prefix`; `None`: it is under
/// the prefix that they have elsewhere.
///
/// Source: `TrimAnnotationPrefix`, `internal/ingress/annotations/parser/main.go`.
fn under_the_prefix<'n>(name: &'n str, prefix: &str) -> Option<Cow<'n, str>> {
    if prefix == DEFAULT_PREFIX || name == CLASS {
        return Some(Cow::Borrowed(name));
    }
    let rest = name.strip_prefix(prefix);
    match rest.and_then(|rest| rest.strip_prefix('/')) {
        Some(own) => Some(Cow::Owned([PREFIX, own].concat())),
        None if name.starts_with(PREFIX) => None,
        None => Some(Cow::Borrowed(name)),
    }
}

fn rule(value: &Value) -> Rule {
    let http = value.get("http").filter(|http| http.is_object());
    Rule {
        host: value
            .get("host")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        paths: http.map(|http| items(http.get("paths")).map(path).collect()),
    }
}

fn path(value: &Value) -> Path {
    let path = value
        .get("path")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Path {
        path: if path.is_empty() { "/" } else { path }.to_owned(),
        exact: value.get("pathType").and_then(Value::as_str) == Some("Exact"),
        backend: value.get("backend").and_then(backend),
    }
}

/// `service.name` and `service.port.number|name`, or v1beta1's `serviceName`, `servicePort`.
fn backend(value: &Value) -> Option<Backend> {
    if let Some(service) = value.get("service") {
        let port = service.get("port");
        let number = port
            .and_then(|port| port.get("number"))
            .and_then(Value::as_u64);
        let name = port
            .and_then(|port| port.get("name"))
            .and_then(Value::as_str);
        let number = number
            .filter(|number| *number > 0)
            .map(|number| number.to_string());
        return Some(Backend {
            service: service.get("name")?.as_str()?.to_owned(),
            port: number
                .or_else(|| name.map(str::to_owned))
                .unwrap_or_default(),
        });
    }
    let port = match value.get("servicePort") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    Some(Backend {
        service: value.get("serviceName")?.as_str()?.to_owned(),
        port,
    })
}

fn tls(value: &Value) -> Tls {
    let hosts = items(value.get("hosts")).filter_map(Value::as_str);
    let secret = value.get("secretName").and_then(Value::as_str);
    Tls {
        hosts: hosts.map(str::to_owned).collect(),
        secret: secret.filter(|name| !name.is_empty()).map(str::to_owned),
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}
