//! ConfigMaps with headers, which ingress-nginx's own one names.

use super::finding::{Finding, LOSS, Level, Place, SETTING};
use crate::compiled::{Compiled, HEADER_MAPS};

/// A finding on each that is not among the manifests: nobody knows what it says.
#[must_use]
pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let manifests = compiled.manifests;
    let finding = |key: &&str| {
        let map = manifests.config_map()?;
        let id = manifests.settings()?.get(key)?.as_str()?;
        let is_given = manifests.config_maps.named(id).is_some();
        if id.is_empty() || is_given {
            return None;
        }
        let (code, expected, consequence) = if *key == "proxy-set-headers" {
            (
                LOSS,
                "is lost: that ConfigMap is not among the manifests",
                "pods get what clients send under the names of its headers",
            )
        } else {
            (
                SETTING,
                "names a ConfigMap that is not among the manifests",
                "answers go out without its headers",
            )
        };
        let place = Place::at(map, &format!("/data/{key}"), key);
        let finding = Finding::new(Level::Warning, code, &place, expected, consequence);
        Some(
            Finding {
                ingress: None,
                ..finding
            }
            .help("give it with -f; where there is none, remove the key"),
        )
    };
    HEADER_MAPS.iter().filter_map(finding).collect()
}
