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

    /// Whether others answer requests for a host of an Ingress that is left out.
    #[must_use]
    pub fn answers_for(&self, left_out: &Object) -> bool {
        let rules = left_out.ingress().map(|ingress| ingress.rules);
        let mut hosts = rules.into_iter().flatten().map(|rule| rule.host);
        hosts.any(|host| self.answers(&host)) || self.answers_an_alias(left_out)
    }

    /// Whether an Ingress answers requests for an alias of one; a pattern may be anybody's.
    #[must_use]
    pub fn answers_an_alias(&self, ingress: &Object) -> bool {
        let mut aliases = aliases(ingress);
        aliases.any(|alias| alias.starts_with('~') || self.answers(alias))
    }
}

/// The aliases of an Ingress, as written.
pub(crate) fn aliases(ingress: &Object) -> impl Iterator<Item = &str> {
    let aliases = ingress.text(&ingress.own_pointer("server-alias"));
    let aliases = aliases.unwrap_or_default().split(',').map(str::trim);
    aliases.filter(|alias| !alias.is_empty())
}
