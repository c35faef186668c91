//! Whose requests others would answer, where an Ingress is left out.

use super::Compiled;
use crate::manifests::Object;

impl Compiled<'_> {
    /// Whether an Ingress answers requests for the host: by its name, by a wildcard, or as one without
    /// a host.
    #[must_use]
    pub fn answers(&self, host: &str) -> bool {
        let wildcard = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let names = [Some(host), wildcard.as_deref(), Some("")];
        let known = names.into_iter().flatten();
        let known = known.filter_map(|name| self.virtual_host(name));
        let mut locations = known.flat_map(|known| known.locations.iter());
        locations.any(|location| !location.ingress.is_empty())
    }

    /// The same for an alias of an Ingress; a pattern may be anybody's.
    #[must_use]
    pub fn answers_an_alias(&self, ingress: &Object) -> bool {
        let aliases = ingress.text(&ingress.own_pointer("server-alias"));
        let aliases = aliases.unwrap_or_default().split(',').map(str::trim);
        let mut aliases = aliases.filter(|alias| !alias.is_empty());
        aliases.any(|alias| alias.starts_with('~') || self.answers(alias))
    }
}
