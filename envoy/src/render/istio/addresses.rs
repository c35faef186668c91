//! Who lets clients in, or counts them, by their addresses, which sidecars do not know: where it is written.

use std::collections::BTreeSet;

use crate::compiled::Compiled;
use crate::manifests::Object;

/// The annotations that ask for a client's address.
const ANNOTATIONS: [&str; 6] = [
    "allowlist-source-range",
    "whitelist-source-range",
    "denylist-source-range",
    "limit-connections",
    "limit-rpm",
    "limit-rps",
];

/// The keys of ingress-nginx's ConfigMap that do.
const KEYS: [&str; 3] = [
    "whitelist-source-range",
    "denylist-source-range",
    "block-cidrs",
];

/// More than these many lines nobody reads.
const MOST: usize = 20;

/// So much of a list tells which one is meant, in characters.
const LONGEST: usize = 80;

/// Where something is asked for by clients' addresses.
pub(crate) struct Asked<'m> {
    /// The Ingress, or the ConfigMap.
    pub(crate) object: &'m Object,
    pub(crate) is_ingress: bool,
    /// The annotation, or the key.
    pub(crate) name: &'static str,
    pub(crate) pointer: String,
    value: String,
}

impl Asked<'_> {
    fn line(&self) -> String {
        let (name, place) = (self.name, self.object.place_of(&self.pointer));
        let value: String = self.value.chars().take(LONGEST).collect();
        if self.is_ingress {
            let id = self.object.id();
            format!("{place}: ingress {id}: {name}: {value:?}")
        } else {
            format!("{place}: the ConfigMap: {name}: {value:?}")
        }
    }
}

/// All of those, those of Ingresses first.
pub(crate) fn asked<'m>(compiled: &Compiled<'m>) -> Vec<Asked<'m>> {
    let asking: BTreeSet<&str> = compiled.policy.asking_for_address().collect();
    let mut all = Vec::new();
    for ingress in asking.iter().filter_map(|id| compiled.ingress(id)) {
        for name in ANNOTATIONS {
            let value = ingress.annotation(name).unwrap_or_default().trim();
            if !value.is_empty() && value != "0" {
                all.push(Asked {
                    object: ingress.object,
                    is_ingress: true,
                    name,
                    pointer: ingress.object.own_pointer(name),
                    value: value.to_owned(),
                });
            }
        }
    }
    for name in KEYS {
        let value = compiled.manifests.setting(name).unwrap_or_default().trim();
        if let Some(object) = compiled
            .manifests
            .config_map()
            .filter(|_| !value.is_empty())
        {
            all.push(Asked {
                object,
                is_ingress: false,
                name,
                pointer: format!("/data/{name}"),
                value: value.to_owned(),
            });
        }
    }
    all
}

/// Why nothing is rendered for sidecars, each place in a line of its own.
pub(super) fn refusal(compiled: &Compiled<'_>) -> String {
    let all: Vec<String> = asked(compiled).iter().map(Asked::line).collect();
    let more = all.len().saturating_sub(MOST);
    let more = (more > 0).then(|| format!("and {more} more"));
    let lines: Vec<String> = all.into_iter().take(MOST).chain(more).collect();
    format!(
        "lists of client addresses and limits by them cannot be kept by sidecars: on its way out of a pod a request has no \
         client but that pod.\n  {}\nTake these away, and say the same by an AuthorizationPolicy at the Service; --close \
         answers 503 where Ingresses have them",
        lines.join("\n  ")
    )
}
