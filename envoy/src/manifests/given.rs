//! `--config`: keys of the plugin configuration that manifests do not say.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

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

/// Reads the file, YAML or JSON; without one nothing is given.
///
/// # Errors
/// When it cannot be read, is no object, or has a key that may not be given.
pub(super) fn load(path: Option<&Path>) -> anyhow::Result<Map<String, Value>> {
    let Some(path) = path else {
        return Ok(Map::new());
    };
    let place = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{place}: cannot be read"))?;
    let value: Value = serde_saphyr::from_str(&text)
        .with_context(|| format!("{place}: is neither YAML nor JSON"))?;
    let Value::Object(given) = value else {
        bail!("{place}: expected one object of keys of the plugin configuration");
    };
    match given.keys().find(|key| !KEYS.contains(&key.as_str())) {
        Some(key) => bail!(
            "{place}: {key:?} cannot be given, expected {}",
            KEYS.join(", ")
        ),
        None => Ok(given),
    }
}
