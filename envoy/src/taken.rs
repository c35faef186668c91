//! The Ingresses that the module takes, each with its place in the manifests.

use std::collections::HashMap;

use limpet::annotations::Annotations;
use limpet::config::Config;
use limpet::ingress::{Backend, Ingress, PREFIX, Path};
use limpet::policy;

use crate::manifests::{Manifests, Object};

/// An Ingress that the module takes.
#[derive(Debug)]
pub struct TakenIngress<'m> {
    /// Where it stands.
    pub object: &'m Object,
    /// As the module reads it.
    pub ingress: Ingress,
    /// What the module makes of its annotations.
    pub annotations: Annotations,
}

/// A path of a [`TakenIngress`].
#[derive(Debug, Clone)]
pub struct TakenPath<'i> {
    /// The host of its rule, empty where there is none.
    pub host: &'i str,
    /// As the module reads it.
    pub path: &'i Path,
    /// Its JSON pointer in the object.
    pub pointer: String,
}

impl TakenPath<'_> {
    /// The JSON pointer of its text.
    #[must_use]
    pub fn text_pointer(&self) -> String {
        format!("{}/path", self.pointer)
    }
}

/// A backend that a [`TakenIngress`] names.
#[derive(Debug, Clone)]
pub struct TakenBackend<'i> {
    /// As the module reads it.
    pub backend: &'i Backend,
    /// Its JSON pointer in the object.
    pub pointer: String,
}

/// The Ingresses that the module takes, in its own order.
#[must_use]
pub fn ingresses<'m>(manifests: &'m Manifests, config: &Config) -> Vec<TakenIngress<'m>> {
    let mut objects: HashMap<String, Vec<&Object>> = HashMap::new();
    for object in &manifests.ingresses {
        objects.entry(object.id()).or_default().push(object);
    }
    let taken = policy::ingresses(config).into_iter().filter_map(|loaded| {
        let created = loaded.ingress.created.as_deref();
        let mut same_name = objects.get(&loaded.ingress.key)?.iter();
        let is_it = |object: &&&Object| object.text("/metadata/creationTimestamp") == created;
        Some(TakenIngress {
            object: same_name.find(is_it)?,
            ingress: loaded.ingress,
            annotations: loaded.annotations,
        })
    });
    taken.collect()
}

impl TakenIngress<'_> {
    /// `namespace/name`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.ingress.key
    }

    /// Whether it stands at this place in the manifests.
    #[must_use]
    pub fn is_at(&self, object: &Object) -> bool {
        std::ptr::eq(self.object, object)
    }

    /// An annotation as written, by its name without ingress-nginx's prefix.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        let annotations = &self.ingress.annotations;
        let value = annotations.get(&format!("{PREFIX}{name}"));
        value.map(String::as_str)
    }

    /// Every annotation under ingress-nginx's prefix as written, by its name without it.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        under_the_prefix(&self.ingress)
    }

    /// `file:line` of an annotation, by its name without the prefix.
    #[must_use]
    pub fn place_of(&self, name: &str) -> String {
        self.object.place_of(&self.object.own_pointer(name))
    }

    /// Whether its sessions are kept by a cookie.
    #[must_use]
    pub fn has_affinity(&self) -> bool {
        self.annotations.affinity == "cookie"
    }

    /// Every path with its host, in the order written.
    pub fn paths(&self) -> impl Iterator<Item = TakenPath<'_>> {
        paths(&self.ingress)
    }

    /// Every backend, the default one first.
    pub fn backends(&self) -> impl Iterator<Item = TakenBackend<'_>> {
        let default = self.ingress.default_backend.iter();
        let default = default.map(|backend| TakenBackend {
            backend,
            pointer: "/spec/defaultBackend".to_owned(),
        });
        default.chain(self.paths().filter_map(|path| {
            Some(TakenBackend {
                backend: path.path.backend.as_ref()?,
                pointer: format!("{}/backend", path.pointer),
            })
        }))
    }
}

/// Every annotation under ingress-nginx's prefix as written, by its name without it.
pub fn under_the_prefix(ingress: &Ingress) -> impl Iterator<Item = (&str, &str)> {
    let all = ingress.annotations.iter();
    all.filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value.as_str())))
}

/// Every path with its host, in the order written.
pub fn paths(ingress: &Ingress) -> impl Iterator<Item = TakenPath<'_>> {
    let rules = ingress.rules.iter().enumerate();
    rules.flat_map(|(r, rule)| {
        let paths = rule.paths.iter().flatten().enumerate();
        paths.map(move |(p, path)| TakenPath {
            host: &rule.host,
            path,
            pointer: format!("/spec/rules/{r}/http/paths/{p}"),
        })
    })
}
