//! The Secrets that annotations name, as far as the module needs them.

use std::collections::BTreeMap;

use limpet::config::Config;
use serde_json::{Map, Value, json};

use crate::manifests::Manifests;
use crate::taken::TakenIngress;

/// `secrets` of the plugin configuration: those with users that `auth-secret` names, and of them
/// nothing else.
#[must_use]
pub(crate) fn secrets(manifests: &Manifests, ingresses: &[TakenIngress<'_>]) -> Map<String, Value> {
    let mut all = Map::new();
    for ingress in ingresses {
        let said = |name: &str| ingress.annotation(name).unwrap_or_default().trim();
        let named = said("auth-secret");
        if said("auth-type") != "basic" || named.is_empty() {
            continue;
        }
        let id = if named.contains('/') {
            named.trim_start_matches('/').to_owned()
        } else {
            format!("{}/{named}", ingress.ingress.namespace)
        };
        let Some(secret) = manifests.secret(&id) else {
            continue;
        };
        let mut data = secret.secret_texts();
        if said("auth-secret-type") != "auth-map" {
            data.retain(|key, _| key == "auth");
        }
        match all.entry(id).or_insert_with(|| json!({})) {
            Value::Object(known) => known.extend(data),
            _ => continue,
        }
    }
    all
}

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
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for secret in &config.secrets {
        for (key, _) in &secret.data {
            let plain = format!("LIMPET_SECRET_{}_{key}", secret.name);
            let is_of_name = |c: char| c.is_ascii_alphanumeric();
            let plain = plain.replace(|c: char| !is_of_name(c), "_");
            let plain = plain.to_ascii_uppercase();
            let times = taken.entry(plain.clone()).or_default();
            *times += 1;
            let name = match times {
                1 => plain,
                times => format!("{plain}_{times}"),
            };
            all.push(SecretVariable {
                name,
                secret: secret.name.clone(),
                key: key.clone(),
            });
        }
    }
    all
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
