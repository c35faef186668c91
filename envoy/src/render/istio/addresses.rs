//! Who lets clients in, or counts them, by their addresses, which sidecars do not know: where it is written.

use std::collections::BTreeSet;

use crate::compiled::Compiled;

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

fn shortened(value: &str) -> String {
    value.chars().take(LONGEST).collect()
}

/// Why nothing is rendered for sidecars, each place in a line of its own.
pub(super) fn refusal(compiled: &Compiled<'_>) -> String {
    let asking: BTreeSet<&str> = compiled.policy.asking_for_address().collect();
    let asking = asking.into_iter().filter_map(|id| compiled.ingress(id));
    let of_ingresses = asking.flat_map(|ingress| {
        let said = ANNOTATIONS.iter().filter_map(move |name| {
            let value = ingress.annotation(name)?.trim();
            let is_said = !value.is_empty() && value != "0";
            is_said.then(|| {
                let (place, id) = (ingress.place_of(name), ingress.id());
                format!("{place}: ingress {id}: {name}: {:?}", shortened(value))
            })
        });
        said.collect::<Vec<_>>()
    });
    let of_map = KEYS.iter().filter_map(|key| {
        let value = compiled.manifests.setting(key)?.trim();
        let place = compiled
            .manifests
            .config_map()?
            .place_of(&format!("/data/{key}"));
        (!value.is_empty())
            .then(|| format!("{place}: the ConfigMap: {key}: {:?}", shortened(value)))
    });
    let all: Vec<String> = of_ingresses.chain(of_map).collect();
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
