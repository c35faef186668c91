//! What the module does not read of the Ingresses in its configuration: left out where the whole may be
//! more than Kubernetes keeps in one object, which is one object of all tenants.

use limpet::ingress::{CLASS, OWN_PREFIX, PREFIX};
use serde_json::Value;

use super::resource::LARGEST;

/// What it reads of the metadata.
const READ: [&str; 5] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "annotations",
];

/// Makes a large configuration smaller; `prefix`: that of ingress-nginx's annotations.
pub(super) fn left_out(config: &mut Value, prefix: &str) {
    // There are other things in the object.
    if config.to_string().len() < LARGEST / 2 {
        return;
    }
    let ingresses = config.get_mut("ingresses").and_then(Value::as_array_mut);
    for ingress in ingresses.into_iter().flatten() {
        left_out_of(ingress, prefix);
    }
}

/// Makes an Ingress smaller.
pub(super) fn left_out_of(ingress: &mut Value, prefix: &str) {
    if let Some(fields) = ingress.as_object_mut() {
        fields.remove("status");
    }
    let metadata = ingress.get_mut("metadata").and_then(Value::as_object_mut);
    let Some(metadata) = metadata else { return };
    metadata.retain(|name, _| READ.contains(&name.as_str()));
    let annotations = metadata.get_mut("annotations");
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.retain(|name, _| is_read(name, prefix));
    }
}

fn is_read(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix);
    name == CLASS
        || name.starts_with(PREFIX)
        || name.starts_with(OWN_PREFIX)
        || rest.is_some_and(|rest| rest.starts_with('/'))
}
