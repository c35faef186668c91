//! `--config`: keys of the plugin configuration that manifests do not say.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::document::{DuplicateKey, read_one};
use super::selection::{Selection, object_id, prefix};
use super::source;

/// What may be given. The other keys are what the manifests and the other flags say.
const KEYS: [&str; 17] = [
    "cookie_keys",
    "cookie_keys_only",
    "cookie_format",
    "path_decoding",
    "trust_forwarded_proto",
    "discovery",
    "report",
    "close",
    "strip_headers",
    "protect",
    "default_backend",
    "accept_loss",
    "ssl_passthrough",
    "ingress_classes",
    "controllers",
    "annotations_prefix",
    "configmap",
];

/// Reads the file, YAML or JSON, and tells which keys are written twice in it; without one nothing is
/// given.
///
/// # Errors
/// When it cannot be read, is no object, or has a key that may not be given.
pub(super) fn load(path: Option<&Path>) -> anyhow::Result<(Map<String, Value>, Vec<DuplicateKey>)> {
    let Some(path) = path else {
        return Ok((Map::new(), Vec::new()));
    };
    let (name, text) = source::read(&path.to_string_lossy())?;
    let (value, duplicates) = read_one(&name, &text)?;
    let Value::Object(given) = value else {
        bail!("{name}: expected one object of keys of the plugin configuration");
    };
    match given.keys().find(|key| !KEYS.contains(&key.as_str())) {
        Some(key) => bail!(
            "{name}: {key:?} cannot be given, expected {}",
            KEYS.join(", ")
        ),
        None => Ok((given, duplicates)),
    }
}

/// Takes out whether the controller has `--enable-ssl-passthrough`; `None`: nobody says.
///
/// # Errors
/// When it is neither `true` nor `false`.
pub(super) fn ssl_passthrough(given: &mut Map<String, Value>) -> anyhow::Result<Option<bool>> {
    match given.remove("ssl_passthrough") {
        None => Ok(None),
        Some(Value::Bool(said)) => Ok(Some(said)),
        Some(_) => bail!("ssl_passthrough: expected true or false"),
    }
}

/// Takes out what says whose Ingresses are taken.
///
/// # Errors
/// When a value is of another kind.
pub(super) fn selection(given: &mut Map<String, Value>) -> anyhow::Result<Selection> {
    let mut names = |key: &str| -> anyhow::Result<Vec<String>> {
        let list = given
            .remove(key)
            .unwrap_or_else(|| Value::Array(Vec::new()));
        serde_json::from_value(list).with_context(|| format!("{key}: expected a list of names"))
    };
    Ok(Selection {
        classes: names("ingress_classes")?,
        controllers: names("controllers")?,
        annotations_prefix: match given.remove("annotations_prefix") {
            None => None,
            Some(value) => match prefix(value.as_str().unwrap_or_default()) {
                Ok(prefix) => Some(prefix),
                Err(expected) => bail!("annotations_prefix: {expected}"),
            },
        },
        config_map: match given.remove("configmap") {
            None => None,
            Some(value) => match object_id(value.as_str().unwrap_or_default()) {
                Ok(id) => Some(id),
                Err(expected) => bail!("configmap: {expected}"),
            },
        },
    })
}
