//! Fields of an Ingress that are of another kind than Kubernetes has them: it refuses the whole
//! Ingress, and here what is no text would be none, and the rule one for every host.

use serde_json::Value;

use super::finding::{Finding, LOSS, Level, Place};
use crate::manifests::Object;

/// Kinds of values.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Map,
    List,
    Text,
    Number,
}

/// Source: `IngressSpec`, `networking.k8s.io/v1`.
const FIELDS: [(&str, Shape); 28] = [
    ("metadata/name", Shape::Text),
    ("metadata/namespace", Shape::Text),
    ("spec", Shape::Map),
    ("spec/ingressClassName", Shape::Text),
    ("spec/defaultBackend", Shape::Map),
    ("spec/defaultBackend/service", Shape::Map),
    ("spec/defaultBackend/service/name", Shape::Text),
    ("spec/defaultBackend/service/port", Shape::Map),
    ("spec/defaultBackend/service/port/name", Shape::Text),
    ("spec/tls", Shape::List),
    ("spec/tls/*", Shape::Map),
    ("spec/tls/*/hosts", Shape::List),
    ("spec/tls/*/hosts/*", Shape::Text),
    ("spec/tls/*/secretName", Shape::Text),
    ("spec/rules", Shape::List),
    ("spec/rules/*", Shape::Map),
    ("spec/rules/*/host", Shape::Text),
    ("spec/rules/*/http", Shape::Map),
    ("spec/rules/*/http/paths", Shape::List),
    ("spec/rules/*/http/paths/*", Shape::Map),
    ("spec/rules/*/http/paths/*/path", Shape::Text),
    ("spec/rules/*/http/paths/*/pathType", Shape::Text),
    ("spec/rules/*/http/paths/*/backend", Shape::Map),
    ("spec/rules/*/http/paths/*/backend/service", Shape::Map),
    (
        "spec/rules/*/http/paths/*/backend/service/name",
        Shape::Text,
    ),
    ("spec/rules/*/http/paths/*/backend/service/port", Shape::Map),
    (
        "spec/rules/*/http/paths/*/backend/service/port/name",
        Shape::Text,
    ),
    (
        "spec/rules/*/http/paths/*/backend/service/port/number",
        Shape::Number,
    ),
];

/// What is of another kind.
pub(super) fn wrong(object: &Object) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(nameless(object));
    for (field, shape) in FIELDS {
        let steps: Vec<&str> = field.split('/').collect();
        let mut pointers = Vec::new();
        find(&object.value, "", &steps, shape, &mut pointers);
        let name = steps.iter().rev().find(|step| **step != "*");
        let name = name.copied().unwrap_or_default();
        findings.extend(pointers.iter().map(|pointer| {
            Finding::new(
                Level::Error,
                LOSS,
                &Place::at(object, pointer, name),
                format!("is no {}", shape.word()),
                "nothing of it is read, and what is left may serve more than was meant; Kubernetes \
                 refuses the whole Ingress",
            )
        }));
    }
    findings
}

/// An object without a name; one of another kind is told as such.
fn nameless(object: &Object) -> Option<Finding> {
    let name = object.value.pointer("/metadata/name");
    let is_none = name.is_none_or(|name| name.is_null() || name == "");
    is_none.then(|| {
        Finding::new(
            Level::Error,
            LOSS,
            &Place::at(object, "/metadata", "metadata.name"),
            "is missing",
            "nothing of the Ingress is served, and what lay under its paths falls to others; Kubernetes \
             refuses the whole Ingress",
        )
    })
}

/// The pointers of values at `steps` that are not of `shape`.
fn find(value: &Value, at: &str, steps: &[&str], shape: Shape, found: &mut Vec<String>) {
    let Some((step, rest)) = steps.split_first() else {
        if !shape.is_that_of(value) {
            found.push(at.to_owned());
        }
        return;
    };
    if *step == "*" {
        let items = value.as_array().into_iter().flatten().enumerate();
        items.for_each(|(n, item)| find(item, &format!("{at}/{n}"), rest, shape, found));
    } else if let Some(value) = value.get(step).filter(|value| !value.is_null()) {
        find(value, &format!("{at}/{step}"), rest, shape, found);
    }
}

impl Shape {
    fn is_that_of(self, value: &Value) -> bool {
        match self {
            Self::Map => value.is_object(),
            Self::List => value.is_array(),
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::List => "list",
            Self::Text => "string",
            Self::Number => "number",
        }
    }
}
