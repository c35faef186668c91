//! What nobody is to read, in the configuration or in the environment.

use super::{Entries, SHORTEST_KEY, Secret};
use serde_json::Value;

/// A secret, or `{"environment": "NAME"}`.
pub(super) fn cookie_key(value: &Value) -> Option<Secret> {
    match value.as_str() {
        Some(secret) if secret.len() >= SHORTEST_KEY => {
            Some(Secret::Value(secret.as_bytes().to_vec()))
        }
        Some(_) => None,
        None => variable(value),
    }
}

/// A Secret of Kubernetes: its texts by key, each as above. `None`: it is none.
pub(super) fn entries(name: &str, value: &Value) -> Option<Entries> {
    let mut data = Vec::new();
    for (key, value) in value.as_object()? {
        let value = match value {
            Value::String(text) => Secret::Value(text.clone().into_bytes()),
            other => variable(other)?,
        };
        data.push((key.clone(), value));
    }
    let name = name.to_owned();
    Some(Entries {
        name,
        data,
        users: Default::default(),
    })
}

fn variable(value: &Value) -> Option<Secret> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let name = object.get("environment")?.as_str()?;
    (!name.is_empty()).then(|| Secret::Variable(name.to_owned()))
}
