//! Kubernetes resources as text: comments first, then the object.

use anyhow::Context;
use serde_json::{Value, json};

use super::yaml::{comments, to_yaml};
use crate::inert;

/// What a resource is.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// `apiVersion`.
    pub api_version: &'static str,
    /// `kind`.
    pub name: &'static str,
}

/// One resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// What it is for and what cannot be said in it, one line each.
    pub comments: Vec<String>,
    /// The object.
    pub value: Value,
}

impl Resource {
    /// A resource; an empty namespace for those that have none.
    #[must_use]
    pub fn new(kind: Kind, namespace: &str, name: &str, spec: Value) -> Self {
        Self::flat(kind, namespace, name, json!({ "spec": spec }))
    }

    /// One whose fields stand beside its metadata.
    #[must_use]
    pub fn flat(kind: Kind, namespace: &str, name: &str, fields: Value) -> Self {
        let metadata = match namespace {
            "" => json!({ "name": name }),
            _ => json!({ "name": name, "namespace": namespace }),
        };
        let mut value = json!({
            "apiVersion": kind.api_version,
            "kind": kind.name,
            "metadata": metadata,
        });
        if let (Some(value), Value::Object(fields)) = (value.as_object_mut(), fields) {
            value.extend(fields);
        }
        Self {
            comments: Vec::new(),
            value,
        }
    }

    /// The same, with a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        let metadata = self.value.get_mut("metadata");
        if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
            let labels = metadata.entry("labels").or_insert_with(|| json!({}));
            if let Some(labels) = labels.as_object_mut() {
                labels.insert(key.to_owned(), json!(value));
            }
        }
        self
    }

    /// The same, with a line of comment.
    #[must_use]
    pub fn comment(mut self, line: impl Into<String>) -> Self {
        self.comments.push(line.into());
        self
    }

    /// Whether the API server is likely to refuse it for its size.
    pub(super) fn is_too_large(&self) -> bool {
        self.size() > LARGEST
    }

    /// How many bytes it takes in etcd: the API server keeps beside it who set which field, by the names of all
    /// but those in lists.
    pub(super) fn size(&self) -> usize {
        self.value.to_string().len() + names_of_fields(&self.value)
    }

    /// Its `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.value
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// What etcd takes by default, with room for what the API server adds.
pub(super) const LARGEST: usize = 1_400_000;

/// A note for each resource that the API server is likely to refuse for its size.
#[must_use]
pub fn too_large(resources: &[Resource]) -> Vec<String> {
    let note = |resource: &Resource| {
        let size = resource.size();
        (size > LARGEST).then(|| {
            let name = resource.value.pointer("/metadata/name");
            let mut note = format!(
                "the {} {} has {} KiB, and Kubernetes keeps no object above 1.5 MiB: it is refused, and what was \
                 applied before stays. Render a part of the Ingresses for a gateway of its own",
                resource.kind(),
                name.and_then(Value::as_str).unwrap_or_default(),
                size / 1024
            );
            let largest = largest(&resource.value);
            if !largest.is_empty() {
                note.push_str(&format!("; the largest of them: {}", largest.join(", ")));
            }
            note
        })
    };
    resources.iter().filter_map(note).collect()
}

/// Of each `"f:NAME":{},`.
pub(super) const AROUND_A_NAME: usize = 8;

/// Source: `fieldsV1`, Kubernetes' `managedFields`.
pub(super) fn names_of_fields(value: &Value) -> usize {
    let fields = value.as_object().into_iter().flatten();
    fields
        .map(|(name, field)| name.len() + AROUND_A_NAME + names_of_fields(field))
        .sum()
}

/// The largest Ingresses in a resource that holds them.
fn largest(resource: &Value) -> Vec<String> {
    let places = [
        "/spec/pluginConfig/ingresses",
        "/spec/wasm/0/config/ingresses",
    ];
    let ingresses = places.iter().find_map(|place| resource.pointer(place));
    let ingresses = ingresses.and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<(usize, String)> = ingresses
        .map(|ingress| {
            let text = |place: &str| ingress.pointer(place).and_then(Value::as_str);
            let namespace = text("/metadata/namespace").unwrap_or("default");
            let name = text("/metadata/name").unwrap_or_default();
            let size = ingress.to_string().len();
            (
                size,
                inert::line(&format!("{namespace}/{name} ({} KiB)", size / 1024)),
            )
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| b.cmp(a));
    all.into_iter().take(3).map(|(_, told)| told).collect()
}

/// All of them in one YAML text; `head`: lines of comment above everything.
///
/// # Errors
/// When a value cannot be written as YAML.
pub fn yaml(head: &[String], resources: &[Resource]) -> anyhow::Result<String> {
    let mut text = String::new();
    comments(&mut text, head);
    for resource in resources {
        text.push_str("---\n");
        comments(&mut text, &resource.comments);
        let object = to_yaml(&resource.value)
            .with_context(|| format!("{} cannot be written as YAML", resource.kind()))?;
        text.push_str(object.trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// Sets a field of an object.
pub(super) fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
