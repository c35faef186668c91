//! The Ingresses as the lints read them: annotations by name, paths one by one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clusters::ServicePort;
use crate::manifests::{Manifests, Object};

/// Where every annotation of ingress-nginx starts.
pub(crate) const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// One Ingress.
#[derive(Debug)]
pub(crate) struct Ingress<'m> {
    /// As read.
    pub(crate) object: &'m Object,
    /// `namespace/name`.
    pub(crate) id: String,
    /// `metadata.creationTimestamp`, empty if there is none.
    pub(crate) created: String,
    /// By name, without the prefix.
    annotations: BTreeMap<&'m str, &'m str>,
    /// In the order written.
    pub(crate) paths: Vec<Path>,
    /// The hosts of its `tls` section; an entry without hosts counts for all of them.
    tls_hosts: Vec<String>,
    /// What every other Ingress asks, often.
    traits: Traits,
}

#[derive(Debug, Clone, Copy, Default)]
struct Traits {
    affinity: bool,
    rewrite: bool,
    regex: bool,
    canary: bool,
}

/// One path of one rule.
#[derive(Debug)]
pub(crate) struct Path {
    /// Empty where the rule has none.
    pub(crate) host: String,
    /// `/` where there is none.
    pub(crate) path: String,
    /// `pathType` as written.
    pub(crate) path_type: String,
    /// Where it goes.
    pub(crate) service: Option<ServicePort>,
    /// JSON pointer of the path in its Ingress.
    pub(crate) pointer: String,
}

/// The Ingresses of `manifests`, in ingress-nginx's order: the oldest first, of equal age the
/// greater `namespace/name` first; those that were never applied last, as given.
#[must_use]
pub(crate) fn ingresses(manifests: &Manifests) -> Vec<Ingress<'_>> {
    let mut all: Vec<Ingress<'_>> = manifests.ingresses.iter().map(Ingress::new).collect();
    all.sort_by(|a, b| match (a.created.is_empty(), b.created.is_empty()) {
        (false, false) => a.created.cmp(&b.created).then_with(|| b.id.cmp(&a.id)),
        (a_unborn, b_unborn) => a_unborn.cmp(&b_unborn),
    });
    all
}

impl<'m> Ingress<'m> {
    fn new(object: &'m Object) -> Self {
        let annotations = object.value.pointer("/metadata/annotations");
        let annotations = annotations.and_then(Value::as_object).into_iter().flatten();
        let created = object.text("/metadata/creationTimestamp");
        let mut ingress = Self {
            object,
            id: object.id(),
            created: created.unwrap_or_default().to_owned(),
            annotations: annotations
                .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value.as_str()?)))
                .collect(),
            paths: paths(object),
            tls_hosts: tls_hosts(object),
            traits: Traits::default(),
        };
        let target = ingress.annotation("rewrite-target");
        let rewrite = target.is_some_and(|target| !target.is_empty());
        ingress.traits = Traits {
            affinity: ingress.annotation("affinity") == Some("cookie"),
            rewrite,
            regex: rewrite || ingress.says_true("use-regex"),
            canary: ingress.says_true("canary"),
        };
        ingress
    }

    /// The value of an annotation, by its name without the prefix.
    #[must_use]
    pub(crate) fn annotation(&self, name: &str) -> Option<&'m str> {
        self.annotations.get(name).copied()
    }

    /// Every annotation under the prefix, by name.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&'m str, &'m str)> + '_ {
        self.annotations.iter().map(|(name, value)| (*name, *value))
    }

    /// Whether an annotation says `true`, in any of Go's spellings.
    #[must_use]
    pub(crate) fn says_true(&self, name: &str) -> bool {
        let value = self.annotation(name);
        value.is_some_and(|v| matches!(v, "1" | "t" | "T" | "TRUE" | "true" | "True"))
    }

    /// The line of an annotation, by its name without the prefix.
    #[must_use]
    pub(crate) fn annotation_line(&self, name: &str) -> u64 {
        self.object.line_of(&annotation_pointer(PREFIX, name))
    }

    /// Whether it asks for cookie affinity.
    #[must_use]
    pub(crate) fn has_affinity(&self) -> bool {
        self.traits.affinity
    }

    /// Whether it is a canary of another one.
    #[must_use]
    pub(crate) fn is_canary(&self) -> bool {
        self.traits.canary
    }

    /// Whether it rewrites paths.
    #[must_use]
    pub(crate) fn asks_for_rewrite(&self) -> bool {
        self.traits.rewrite
    }

    /// Whether it turns its hosts into regex hosts.
    #[must_use]
    pub(crate) fn asks_for_regex(&self) -> bool {
        self.traits.regex
    }

    /// The name of its session cookie.
    #[must_use]
    pub(crate) fn cookie_name(&self) -> &'m str {
        let name = self.annotation("session-cookie-name");
        name.filter(|name| !name.is_empty())
            .unwrap_or("INGRESSCOOKIE")
    }

    /// The path its session cookie gets at `path`.
    #[must_use]
    pub(crate) fn cookie_path<'p>(&self, path: &'p Path) -> &'p str
    where
        'm: 'p,
    {
        let given = self.annotation("session-cookie-path");
        given.filter(|path| !path.is_empty()).unwrap_or(&path.path)
    }

    /// Whether its `tls` section covers `host`.
    #[must_use]
    pub(crate) fn has_tls(&self, host: &str) -> bool {
        let below = |tls: &str| {
            let domain = tls.strip_prefix('*')?;
            let label = host.strip_suffix(domain)?;
            Some(!label.is_empty() && !label.contains('.'))
        };
        self.tls_hosts
            .iter()
            .any(|tls| tls.is_empty() || tls == host || below(tls) == Some(true))
    }
}

/// The JSON pointer of an annotation.
#[must_use]
pub(crate) fn annotation_pointer(prefix: &str, name: &str) -> String {
    let key = format!("{prefix}{name}")
        .replace('~', "~0")
        .replace('/', "~1");
    format!("/metadata/annotations/{key}")
}

fn paths(object: &Object) -> Vec<Path> {
    let mut all = Vec::new();
    for (r, rule) in object.list("/spec/rules").iter().enumerate() {
        let text = |value: &Value, key: &str| {
            let found = value.get(key).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (p, path) in paths.into_iter().flatten().enumerate() {
            let written = text(path, "path");
            all.push(Path {
                host: text(rule, "host"),
                path: if written.is_empty() {
                    "/".to_owned()
                } else {
                    written
                },
                path_type: text(path, "pathType"),
                service: path
                    .get("backend")
                    .and_then(|backend| ServicePort::of_backend(object.namespace(), backend)),
                pointer: format!("/spec/rules/{r}/http/paths/{p}/path"),
            });
        }
    }
    all
}

fn tls_hosts(object: &Object) -> Vec<String> {
    let mut all = Vec::new();
    for entry in object.list("/spec/tls") {
        let hosts = entry.get("hosts").and_then(Value::as_array);
        match hosts.filter(|hosts| !hosts.is_empty()) {
            Some(hosts) => all.extend(hosts.iter().filter_map(Value::as_str).map(str::to_owned)),
            None => all.push(String::new()),
        }
    }
    all
}
