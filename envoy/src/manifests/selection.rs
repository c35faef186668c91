//! Whose Ingresses are taken, under which prefix their annotations are read, and which ConfigMap has the settings.

use clap::Args;
use limpet::ingress::DEFAULT_PREFIX;

use super::document::Object;

/// The class that ingress-nginx takes where nothing else is said.
pub(super) const CLASS: &str = "nginx";

/// What an IngressClass of ingress-nginx names as its controller.
const CONTROLLER: &str = "k8s.io/ingress-nginx";

/// What makes an IngressClass the default one, where it says `true`.
const DEFAULT_CLASS: &str = "/metadata/annotations/ingressclass.kubernetes.io~1is-default-class";

/// How the ingress-nginx in question was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Selection {
    /// Take Ingresses of this class instead of nginx; may be repeated
    #[arg(long = "ingress-class", value_name = "NAME")]
    pub classes: Vec<String>,

    /// Take the classes whose IngressClass names this controller instead of k8s.io/ingress-nginx, as
    /// its --controller-class; may be repeated
    #[arg(long = "controller", value_name = "VALUE")]
    pub controllers: Vec<String>,

    /// Read ingress-nginx's annotations under this prefix, as its flag of that name
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    pub annotations_prefix: Option<String>,

    /// The ConfigMap that holds ingress-nginx's settings, as its flag of that name
    #[arg(long = "configmap", value_name = "NAMESPACE/NAME", value_parser = object_id)]
    pub config_map: Option<String>,
}

/// What annotations may begin with, without the slash.
///
/// # Errors
/// What was expected.
pub(super) fn prefix(text: &str) -> Result<String, &'static str> {
    let prefix = text.trim_end_matches('/');
    if crate::names::is_subdomain(prefix) {
        Ok(prefix.to_owned())
    } else {
        Err("expected a name such as ingress.kubernetes.io")
    }
}

/// The namespace and the name of an object.
///
/// # Errors
/// What was expected.
pub(super) fn object_id(text: &str) -> Result<String, &'static str> {
    match text.split_once('/') {
        Some((namespace, name))
            if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
        {
            Ok(text.to_owned())
        }
        _ => Err("expected NAMESPACE/NAME"),
    }
}

/// Whether the API server gives this class to an Ingress without one.
fn is_default(class: &Object) -> bool {
    class.text(DEFAULT_CLASS) == Some("true")
}

impl Selection {
    /// The same, with what flags say in place of what was said before.
    pub(super) fn replace(&mut self, flags: &Self) {
        if !flags.classes.is_empty() || !flags.controllers.is_empty() {
            self.classes.clone_from(&flags.classes);
            self.controllers.clone_from(&flags.controllers);
        }
        if flags.annotations_prefix.is_some() {
            self.annotations_prefix
                .clone_from(&flags.annotations_prefix);
        }
        if flags.config_map.is_some() {
            self.config_map.clone_from(&flags.config_map);
        }
    }

    /// The prefix of ingress-nginx's annotations, without the slash.
    pub(super) fn prefix(&self) -> &str {
        self.annotations_prefix.as_deref().unwrap_or(DEFAULT_PREFIX)
    }

    /// Whether `class`, an IngressClass, is one of the controllers'.
    fn is_ours(&self, class: &Object) -> bool {
        let controller = class.text("/spec/controller").unwrap_or_default();
        if self.controllers.is_empty() {
            controller == CONTROLLER
        } else {
            self.controllers.iter().any(|ours| ours == controller)
        }
    }

    /// The classes that are taken: those named, else `nginx`; and those whose IngressClass among
    /// `declared` names the controller, unless classes alone were asked for. The empty name where one
    /// of them is the cluster's default, which the API server gives to an Ingress without a class.
    /// `None`: `nginx` alone.
    ///
    /// Source: `GetIngressClass` and the handlers of IngressClasses,
    /// `internal/ingress/controller/store/store.go`, ingress-nginx dbb11b92d.
    pub(super) fn classes<'c>(&'c self, declared: &'c [Object]) -> Option<Vec<&'c str>> {
        let mut names: Vec<&str> = self.classes.iter().map(String::as_str).collect();
        if self.classes.is_empty() && self.controllers.is_empty() {
            let is_foreign = |class: &Object| class.name() == CLASS && !self.is_ours(class);
            names.extend((!declared.iter().any(is_foreign)).then_some(CLASS));
        }
        if self.classes.is_empty() || !self.controllers.is_empty() {
            let ours = declared.iter().filter(|class| self.is_ours(class));
            for class in ours.map(Object::name) {
                if !names.contains(&class) {
                    names.push(class);
                }
            }
        }
        let is_ours = |class: &Object| is_default(class) && names.contains(&class.name());
        if declared.iter().any(is_ours) && !names.contains(&"") {
            names.push("");
        }
        (names != [CLASS]).then_some(names)
    }

    /// The default IngressClass among `declared`, unless one that is taken is a default too.
    pub(super) fn foreign_default_class<'c>(&self, declared: &'c [Object]) -> Option<&'c Object> {
        let taken = self.classes(declared).unwrap_or_else(|| vec![CLASS]);
        let mut defaults = declared.iter().filter(|class| is_default(class));
        let first = defaults.next()?;
        (!taken.contains(&"") && !taken.contains(&first.name())).then_some(first)
    }
}
