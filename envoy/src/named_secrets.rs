//! The Secrets that annotations name, as far as the module needs them.

mod room;
mod variables;

use std::collections::BTreeSet;

use limpet::annotations::validator::parse_bool;
use serde_json::{Map, Value, json};

pub(crate) use self::room::MOST_VARIABLES;
pub(crate) use self::variables::{SecretVariable, hide, variables};

use self::room::Wish;
use crate::manifests::Manifests;
use crate::taken::TakenIngress;

/// What the Ingresses have of the Secrets that they name.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// `secrets` of the plugin configuration: those with users that `auth-secret` names, and of them
    /// nothing else.
    pub(crate) told: Map<String, Value>,
    /// The Ingresses that answer 503, `namespace/name`: there are too many variables.
    pub(crate) closed: BTreeSet<String>,
    /// What the operator should know.
    pub(crate) notes: Vec<String>,
}

impl Found {
    /// What `ingresses` have; `room`: how many environment variables there may be for it. `None`: any
    /// number.
    pub(crate) fn all(
        manifests: &Manifests,
        ingresses: &[TakenIngress<'_>],
        room: Option<usize>,
    ) -> Self {
        let wishes = Wish::all(ingresses.iter().filter_map(|one| {
            let (id, is_map) = named(manifests, one)?;
            Some((one, manifests.secret(&id)?, is_map))
        }));
        let mut found = Self::default();
        for (wish, refused) in room::granted(wishes, room) {
            if let Some(why) = refused {
                found.close(&wish, &why);
                continue;
            }
            let known = found.told.entry(wish.secret).or_insert_with(|| json!({}));
            if let Value::Object(known) = known {
                known.extend(wish.data);
            }
        }
        found
    }

    fn close(&mut self, wish: &Wish<'_>, why: &str) {
        for ingress in &wish.ingresses {
            let (place, id) = (ingress.place_of("auth-secret"), ingress.id());
            self.closed.insert(id.to_owned());
            self.notes.push(format!(
                "{place}: ingress {id} answers 503: Secret {} {why}",
                wish.secret
            ));
        }
    }
}

/// The Secret with users that an Ingress names, `namespace/name`, and whether each key is one. `None`: it
/// names none, or one that it may not.
fn named(manifests: &Manifests, ingress: &TakenIngress<'_>) -> Option<(String, bool)> {
    let said = |name: &str| ingress.annotation(name).unwrap_or_default().trim();
    let (own, named) = (&ingress.ingress.namespace, said("auth-secret"));
    if said("auth-type") != "basic" || named.is_empty() {
        return None;
    }
    let (namespace, name) = match named.split_once('/') {
        None | Some(("", _)) => (own.as_str(), named.trim_start_matches('/')),
        Some(both) => both,
    };
    let of_others = || {
        let may = manifests.setting("allow-cross-namespace-resources");
        may.and_then(parse_bool).unwrap_or_default()
    };
    let may = namespace == own || of_others();
    let is_map = said("auth-secret-type") == "auth-map";
    may.then(|| (format!("{namespace}/{name}"), is_map))
}

#[cfg(test)]
mod tests;
