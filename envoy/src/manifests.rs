//! The operator's manifests: read, sorted by kind, nothing dropped, every object with its place.

mod config_map;
mod document;
mod encoding;
mod error;
mod given;
mod source;
mod split;
mod tree;

use std::path::Path;

use serde_json::Value;

pub use document::{DuplicateKey, Object, Origin, annotation_pointer};
pub use error::{ManifestError, Unreadable};

/// The class that ingress-nginx takes where nothing else is said.
const CLASS: &str = "nginx";

/// What an IngressClass of ingress-nginx names as its controller.
pub(crate) const CONTROLLER: &str = "k8s.io/ingress-nginx";

/// What makes an IngressClass the default one, where it says `true`.
const DEFAULT_CLASS: &str = "/metadata/annotations/ingressclass.kubernetes.io~1is-default-class";

/// Every object that was read, by kind, in the order read.
#[derive(Debug, Default)]
pub struct Manifests {
    /// networking.k8s.io/v1 Ingresses, as written.
    pub ingresses: Vec<Object>,
    /// Ingresses of the API's beta versions, which nothing here reads.
    pub old_ingresses: Vec<Object>,
    /// Services.
    pub services: Vec<Object>,
    /// discovery.k8s.io EndpointSlices.
    pub endpoint_slices: Vec<Object>,
    /// Every ConfigMap; see [`Manifests::config_map`].
    pub config_maps: Vec<Object>,
    /// Deployments: what `run --pods` starts.
    pub deployments: Vec<Object>,
    /// Secrets of type kubernetes.io/tls.
    pub tls_secrets: Vec<Object>,
    /// IngressClasses.
    pub ingress_classes: Vec<Object>,
    /// Keys of the plugin configuration that they do not say: `--config`.
    pub given: serde_json::Map<String, Value>,
    /// `accept_loss` there, which is no key of the plugin configuration: which losses `render` is to
    /// accept.
    pub accept_loss: Option<Value>,
    /// Keys that are written twice.
    pub duplicates: Vec<DuplicateKey>,
    /// Documents that are neither YAML nor JSON.
    pub unreadable: Vec<Unreadable>,
    /// What was skipped or assumed, one line each, for the operator.
    pub notes: Vec<String>,
}

impl Manifests {
    /// Reads every path of `-f`: a file, a folder (its .yaml, .yml and .json files by name, not
    /// its subfolders), or `-`.
    ///
    /// # Errors
    /// When a path cannot be read.
    pub fn load(paths: &[String]) -> Result<Self, ManifestError> {
        let mut manifests = Self::default();
        for (name, text) in source::read_all(paths)? {
            manifests.add(&name, &text);
        }
        manifests.finish();
        Ok(manifests)
    }

    /// Reads one text, as if it were the file `name`.
    ///
    /// # Errors
    /// When a document of it is neither YAML nor JSON.
    pub fn parse(name: &str, text: &str) -> Result<Self, ManifestError> {
        let mut manifests = Self::default();
        manifests.add(name, text);
        manifests.finish();
        match manifests.unreadable.first() {
            Some(unreadable) => Err(unreadable.clone().into()),
            None => Ok(manifests),
        }
    }

    /// The same with the keys in the file of `--config`, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or has a key that may not be given there.
    pub fn with_config(mut self, file: Option<&Path>) -> anyhow::Result<Self> {
        let (given, duplicates) = given::load(file)?;
        self.duplicates.extend(duplicates);
        self.given = given;
        self.accept_loss = self.given.remove("accept_loss");
        Ok(self)
    }

    /// The same, for a command that has nothing to do without an Ingress.
    ///
    /// # Errors
    /// When there is none.
    pub fn with_ingresses(self) -> Result<Self, ManifestError> {
        let read = self.with_anything()?;
        if read.ingresses.is_empty() {
            Err(ManifestError::NoIngress)
        } else {
            Ok(read)
        }
    }

    /// The same, for one that has nothing to do where no document with an Ingress can be read.
    ///
    /// # Errors
    /// When there is no Ingress, and a document that cannot be read.
    pub fn with_anything(self) -> Result<Self, Unreadable> {
        match self.unreadable.first() {
            Some(unreadable) if self.ingresses.is_empty() => Err(unreadable.clone()),
            _ => Ok(self),
        }
    }

    /// What the operator should know, one line each: of what was skipped or assumed, and of what
    /// could not be read or is written twice.
    pub fn all_notes(&self) -> impl Iterator<Item = String> {
        let unreadable = self.unreadable.iter().map(ToString::to_string);
        let duplicates = self.duplicates.iter().map(ToString::to_string);
        let notes = self.notes.iter().cloned();
        unreadable.chain(duplicates).chain(notes)
    }

    /// ingress-nginx's own settings: the `data` of the ConfigMap that is meant, if there is one.
    #[must_use]
    pub fn config_map(&self) -> Option<&Object> {
        config_map::choose(&self.config_maps).0
    }

    /// What it says.
    #[must_use]
    pub fn settings(&self) -> Option<&Value> {
        self.config_map()?.value.get("data")
    }

    /// One of its settings, if it is a string.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings()?.get(key)?.as_str()
    }

    /// The classes whose Ingresses are ingress-nginx's: `nginx`, and what the IngressClasses among
    /// the manifests say; the empty name where one of its own is the cluster's default, which the
    /// API server gives to an Ingress without a class. `None`: they say nothing else than `nginx`.
    #[must_use]
    pub fn classes(&self) -> Option<Vec<&str>> {
        let (ours, foreign): (Vec<&Object>, Vec<&Object>) = self
            .ingress_classes
            .iter()
            .partition(|class| class.text("/spec/controller") == Some(CONTROLLER));
        let mut names = vec![CLASS];
        names.extend(
            ours.iter()
                .map(|class| class.name())
                .filter(|name| *name != CLASS),
        );
        names.retain(|name| !foreign.iter().any(|class| class.name() == *name));
        let is_default = |class: &&Object| class.text(DEFAULT_CLASS) == Some("true");
        if ours.iter().any(is_default) {
            names.push("");
        }
        (names != [CLASS]).then_some(names)
    }

    /// The Service `namespace/name`.
    #[must_use]
    pub fn service(&self, id: &str) -> Option<&Object> {
        self.services.iter().find(|service| service.id() == id)
    }

    /// The TLS Secret `namespace/name`.
    #[must_use]
    pub fn tls_secret(&self, id: &str) -> Option<&Object> {
        self.tls_secrets.iter().find(|secret| secret.id() == id)
    }

    fn add(&mut self, name: &str, text: &str) {
        let contents = document::read(name, text);
        self.duplicates.extend(contents.duplicates);
        self.unreadable.extend(contents.unreadable);
        contents.objects.into_iter().for_each(|one| self.sort(one));
    }

    fn sort(&mut self, object: Object) {
        let group = object.group().to_owned();
        match (group.as_str(), object.kind()) {
            ("networking.k8s.io", "Ingress") if object.version() == "v1" => {
                self.ingresses.push(object);
            }
            (_, "Ingress") => {
                self.notes.push(format!(
                    "{}: ingress {}: apiVersion {:?} is not networking.k8s.io/v1 (Kubernetes 1.22 \
                     removed the older ones, and their backend is written differently); skipped, \
                     `kubectl convert` rewrites it",
                    object.place(),
                    object.id(),
                    object.api_version()
                ));
                self.old_ingresses.push(object);
            }
            ("", "Service") => self.services.push(object),
            ("discovery.k8s.io", "EndpointSlice") => self.endpoint_slices.push(object),
            ("", "ConfigMap") => self.config_maps.push(object),
            ("apps", "Deployment") => self.deployments.push(object),
            ("networking.k8s.io", "IngressClass") => self.ingress_classes.push(object),
            ("", "Secret") if object.text("/type") == Some("kubernetes.io/tls") => {
                self.tls_secrets.push(object);
            }
            _ => self.notes.push(format!(
                "{}: {}: not needed here, skipped",
                object.place(),
                match object.kind() {
                    "" => "an object without a kind".to_owned(),
                    kind => format!("{kind} {}", object.id()),
                },
            )),
        }
    }

    fn finish(&mut self) {
        let note = config_map::choose(&self.config_maps).1;
        self.notes.extend(note);
    }
}

#[cfg(test)]
mod tests;
