//! `--config`: keys of the plugin configuration that manifests do not say.

use std::path::Path;

use anyhow::bail;
use serde_json::{Map, Value};

use super::document::{DuplicateKey, read_one};
use super::source;

/// What may be given. The other keys are what the manifests and the other flags say.
const KEYS: [&str; 10] = [
    "cookie_keys",
    "cookie_keys_only",
    "cookie_format",
    "path_decoding",
    "trust_forwarded_proto",
    "discovery",
    "report",
    "close",
    "strip_headers",
    "accept_loss",
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
