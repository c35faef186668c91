//! What environment variables with texts of Secrets are called.

use limpet::config::Config;
use limpet::endpoints::digest::Digest;
use serde_json::{Value, json};

/// The longest name that a WasmPlugin may have.
///
/// Source: `EnvVar`, `extensions/v1alpha1/wasm.proto`, istio/api b8f8791d.
const LONGEST: usize = 256;

const PREFIX: &str = "LIMPET_SECRET";

/// Of a name that would say too little: how much of it is there for people.
const READABLE: usize = 100;

/// A text of a Secret that goes to the module through the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretVariable {
    /// The environment variable.
    pub(crate) name: String,
    /// The Secret, `namespace/name`.
    pub(crate) secret: String,
    /// Its key.
    pub(crate) key: String,
}

/// What the environment of a proxy has to have, where its configuration is no place for secrets.
#[must_use]
pub(crate) fn variables(config: &Config) -> Vec<SecretVariable> {
    let secrets = config.secrets.iter();
    let all = secrets.flat_map(|secret| {
        secret.data.iter().map(|(key, _)| SecretVariable {
            name: name(&secret.name, key),
            secret: secret.name.clone(),
            key: key.clone(),
        })
    });
    all.collect()
}

/// The variable of a key of the Secret `namespace/name`, whatever else there is: a tenant whose Secret had
/// another's variable would say who comes in there.
///
/// `_` parts the three, `-` is `__`. What is not made of lower-case letters, digits and inner `-` alone, or
/// is too long, has `___` and the SHA-1 of `namespace/name/key` at its end.
pub(super) fn name(secret: &str, key: &str) -> String {
    let parts: Vec<&str> = secret.split('/').chain([key]).collect();
    let plain = parts.iter().map(|part| part.replace('-', "__"));
    let plain = [PREFIX.to_owned()].into_iter().chain(plain);
    let plain = plain.collect::<Vec<_>>().join("_").to_ascii_uppercase();
    if parts.len() == 3 && parts.iter().all(|part| is_plain(part)) && plain.len() <= LONGEST {
        return plain;
    }
    let is_of_name = |one: char| one.is_ascii_alphanumeric() || one == '_';
    let readable: String = plain.chars().take(READABLE).collect();
    let readable = readable.replace(|one: char| !is_of_name(one), "_");
    let digest = Digest::Sha1.of(&[secret, "/", key].concat());
    let digest = digest.as_str().to_ascii_uppercase();
    format!("{}___{digest}", readable.trim_end_matches('_'))
}

/// Whether it can be read back: a single `_` is next to nothing of it that is written as one.
fn is_plain(part: &str) -> bool {
    let is_of_it = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    !part.is_empty() && part.chars().all(is_of_it) && !part.starts_with('-') && !part.ends_with('-')
}

/// The same plugin configuration, with the names of variables in place of secrets.
pub(crate) fn hide(config: &mut Value, variables: &[SecretVariable]) {
    for variable in variables {
        let place = config.pointer_mut("/secrets");
        let place = place.and_then(|all| all.get_mut(&variable.secret));
        if let Some(value) = place.and_then(|data| data.get_mut(&variable.key)) {
            *value = json!({ "environment": variable.name });
        }
    }
}
