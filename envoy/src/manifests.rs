//! The operator's manifests: read, sorted by kind, nothing dropped, every object with its place.

mod breaks;
mod config_map;
mod document;
mod encoding;
mod error;
mod given;
mod objects;
mod plain;
mod secret;
mod selection;
mod source;
mod split;
mod tabs;
mod tree;

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use crate::names;

pub use document::{Crowded, DuplicateKey, Object, Origin, Room, annotation_pointer};
pub use error::{ManifestError, Unreadable};
pub use objects::Objects;
pub use selection::Selection;

/// Kinds that are made into manifests elsewhere.
const HOLDS_VALUES: [&str; 6] = [
    "Addon",
    "Application",
    "HelmChart",
    "HelmChartConfig",
    "HelmRelease",
    "Kustomization",
];

/// What may stand beside what is rendered, and act on it.
const POLICIES: [(&str, &str); 9] = [
    ("gateway.envoyproxy.io", "SecurityPolicy"),
    ("gateway.envoyproxy.io", "BackendTrafficPolicy"),
    ("gateway.envoyproxy.io", "ClientTrafficPolicy"),
    ("gateway.envoyproxy.io", "EnvoyExtensionPolicy"),
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("security.istio.io", "AuthorizationPolicy"),
    ("security.istio.io", "RequestAuthentication"),
    ("networking.istio.io", "EnvoyFilter"),
    ("networking.istio.io", "Gateway"),
];

/// Every object that was read, by kind, in the order read.
#[derive(Debug, Default)]
pub struct Manifests {
    /// networking.k8s.io/v1 Ingresses, as written.
    pub ingresses: Vec<Object>,
    /// Ingresses of the API's beta versions, which nothing here reads.
    pub old_ingresses: Vec<Object>,
    /// Services.
    pub services: Objects,
    /// discovery.k8s.io EndpointSlices.
    pub endpoint_slices: Vec<Object>,
    /// Every ConfigMap; see [`Manifests::config_map`].
    pub config_maps: Objects,
    /// Which of them holds ingress-nginx's settings.
    settings: config_map::Choice,
    /// Deployments and StatefulSets: what `run --pods` starts.
    pub deployments: Vec<Object>,
    /// Secrets with a certificate and its key, and those of type kubernetes.io/tls.
    pub tls_secrets: Objects,
    /// All other Secrets.
    pub secrets: Objects,
    /// IngressClasses.
    pub ingress_classes: Vec<Object>,
    /// Policies of Istio and Envoy Gateway, and HTTPRoutes: what `check --on` looks at.
    pub policies: Vec<Object>,
    /// Keys of the plugin configuration that they do not say: `--config`.
    pub given: serde_json::Map<String, Value>,
    /// `accept_loss` there, which is no key of the plugin configuration: which losses `render` is to
    /// accept.
    pub accept_loss: Option<Value>,
    /// `ssl_passthrough` there: whether the controller has `--enable-ssl-passthrough`.
    pub ssl_passthrough: Option<bool>,
    /// Whose Ingresses are taken: `ingress_classes`, `controllers` and `annotations_prefix` there, or
    /// the flags of those names.
    pub selection: Selection,
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
        self.ssl_passthrough = given::ssl_passthrough(&mut self.given)?;
        let selection = given::selection(&mut self.given)?;
        Ok(self.with_selection(&selection))
    }

    /// The same, with what `flags` say about whose Ingresses are taken.
    #[must_use]
    pub fn with_selection(mut self, flags: &Selection) -> Self {
        self.selection.replace(flags);
        self.choose_settings();
        for ingress in self.ingresses.iter_mut().chain(&mut self.old_ingresses) {
            self.selection.prefix().clone_into(&mut ingress.prefix);
        }
        self
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
        let unreadable = few(&self.unreadable);
        let duplicates = few(&self.duplicates);
        let notes = few(&self.notes);
        let rest = self.note_of_settings().iter().cloned();
        unreadable.chain(duplicates).chain(notes).chain(rest)
    }

    /// ingress-nginx's own settings: the `data` of the ConfigMap that is meant, if there is one.
    #[must_use]
    pub fn config_map(&self) -> Option<&Object> {
        self.config_maps.get(self.settings.map?)
    }

    /// What was assumed of the ConfigMap that is meant; at most one line.
    #[must_use]
    pub fn note_of_settings(&self) -> &[String] {
        self.settings.note.as_slice()
    }

    /// ConfigMaps that look like ingress-nginx's settings too: nobody knows of which ingress-nginx.
    #[must_use]
    pub fn other_config_maps(&self) -> Vec<&Object> {
        let others = self.settings.others.iter();
        others.filter_map(|at| self.config_maps.get(*at)).collect()
    }

    /// ConfigMaps that look like them beside Ingresses, whose authors would decide for everybody: they hold for nobody.
    #[must_use]
    pub fn set_aside_config_maps(&self) -> Vec<&Object> {
        let aside = self.settings.set_aside.iter();
        aside.filter_map(|at| self.config_maps.get(*at)).collect()
    }

    /// What it says.
    #[must_use]
    pub fn settings(&self) -> Option<&Value> {
        self.config_map()?.value.get("data")
    }

    /// The same, where it is no guess that these are ingress-nginx's settings, and its only ones.
    #[must_use]
    pub fn known_settings(&self) -> Option<&Value> {
        let map = self.config_map().filter(|map| config_map::is_known(map))?;
        let data = map.value.get("data").unwrap_or(&Value::Null);
        self.settings.others.is_empty().then_some(data)
    }

    /// One of its settings, if it is a string.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings()?.get(key)?.as_str()
    }

    /// The classes whose Ingresses are taken. `None`: `nginx` alone.
    #[must_use]
    pub fn classes(&self) -> Option<Vec<&str>> {
        self.selection.classes(&self.ingress_classes)
    }

    /// Ingresses of a class that is taken of which nothing is: those of the API's beta versions, those
    /// with a name that no platform takes, and those without room. What lay under their paths falls to
    /// others.
    pub fn left_out(&self) -> impl Iterator<Item = &Object> {
        let classes = self.classes();
        let is_ours = move |object: &&Object| {
            let ingress = object.ingress();
            ingress.is_some_and(|ingress| match (&ingress.class, &classes) {
                (None, _) => true,
                (Some(class), Some(classes)) => classes.contains(&class.as_str()),
                (Some(class), None) => class == selection::CLASS,
            })
        };
        let unfit = |object: &&Object| !is_fit(object);
        let unfit = self.ingresses.iter().filter(unfit);
        self.old_ingresses.iter().chain(unfit).filter(is_ours)
    }

    /// The IngressClass `name`.
    #[must_use]
    pub fn ingress_class(&self, name: &str) -> Option<&Object> {
        let mut classes = self.ingress_classes.iter();
        classes.find(|class| class.name() == name)
    }

    /// The cluster's default IngressClass, where it is none of those whose Ingresses are taken.
    #[must_use]
    pub fn foreign_default_class(&self) -> Option<&Object> {
        self.selection.foreign_default_class(&self.ingress_classes)
    }

    /// The Service `namespace/name`.
    #[must_use]
    pub fn service(&self, id: &str) -> Option<&Object> {
        self.services.named(id)
    }

    /// The TLS Secret `namespace/name`.
    #[must_use]
    pub fn tls_secret(&self, id: &str) -> Option<&Object> {
        self.tls_secrets.named(id)
    }

    /// The Secret `namespace/name`, whatever it holds.
    #[must_use]
    pub fn secret(&self, id: &str) -> Option<&Object> {
        let plain = self.secrets.named(id);
        plain.or_else(|| self.tls_secret(id))
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
            ("", "Service") => self.add_to(|all| &mut all.services, object),
            ("discovery.k8s.io", "EndpointSlice") => self.endpoint_slices.push(object),
            ("", "ConfigMap") => self.add_to(|all| &mut all.config_maps, object),
            ("apps", "Deployment" | "StatefulSet") => self.deployments.push(object),
            ("networking.k8s.io", "IngressClass") => self.ingress_classes.push(object),
            ("", "Secret") if object.is_of_type_tls() || object.holds_a_pair() => {
                self.add_to(|all| &mut all.tls_secrets, object);
            }
            (group, kind) if POLICIES.contains(&(group, kind)) => self.policies.push(object),
            ("", "Secret") => self.add_to(|all| &mut all.secrets, object),
            (_, kind) if HOLDS_VALUES.contains(&kind) => self.notes.push(format!(
                "{}: {kind} {}: holds values from which a controller makes manifests, a ConfigMap with \
                 ingress-nginx's settings perhaps; skipped, give what it made (kubectl get, helm template)",
                object.place(),
                object.id(),
            )),
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

    fn add_to(&mut self, kind: impl FnOnce(&mut Self) -> &mut Objects, object: Object) {
        let twice = kind(self).push(object);
        self.duplicates.extend(twice);
    }

    fn finish(&mut self) {
        self.choose_settings();
    }

    fn choose_settings(&mut self) {
        let with_ingresses: HashSet<&str> = self.ingresses.iter().map(Object::namespace).collect();
        let said = self.selection.config_map.as_deref();
        self.settings = config_map::choose(&self.config_maps, said, &with_ingresses);
    }
}

/// No more lines than anybody reads, and how many there are besides.
pub(crate) fn few<T: ToString>(all: &[T]) -> impl Iterator<Item = String> {
    const FEW: usize = 100;
    let more = all.len().saturating_sub(FEW);
    let more =
        (more > 0).then(|| format!("{more} more of this kind, which `limpet check --json` lists"));
    all.iter().take(FEW).map(ToString::to_string).chain(more)
}

/// Whether something can be made of an Ingress.
pub(crate) fn is_fit(ingress: &Object) -> bool {
    matches!(ingress.room, Room::All | Room::Paths) && names::unfit(ingress).is_none()
}

#[cfg(test)]
mod tests;
