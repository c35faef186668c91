//! Whose requests others would answer, where an Ingress is left out.

use std::collections::BTreeSet;

use super::Compiled;
use crate::manifests::{Object, Room};

impl Compiled<'_> {
    /// The Ingresses of which nothing is taken, and whose paths fall to others: those without room only where
    /// others have their hosts, unless that is settled.
    pub(crate) fn falling_to_others(&self) -> impl Iterator<Item = &Object> {
        let left_out = self.manifests.left_out();
        left_out.filter(|object| match object.room {
            Room::All => true,
            Room::Nothing | Room::Paths => self.answers_for(object),
            Room::NotItsPaths => false,
        })
    }

    /// By which names requests for a host are answered: its own, else those of a wildcard and of no host.
    pub(crate) fn answered_as(&self, host: &str) -> Vec<String> {
        if self.virtual_host(host).is_some() {
            return vec![host.to_owned()];
        }
        let wildcard = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let further = wildcard.into_iter().chain([String::new()]);
        [host.to_owned()].into_iter().chain(further).collect()
    }

    /// Whether an Ingress answers requests for the host.
    #[must_use]
    pub fn answers(&self, host: &str) -> bool {
        let names = self.answered_as(host).into_iter();
        let known = names.filter_map(|name| self.virtual_host(&name));
        let mut locations = known.flat_map(|known| known.locations.iter());
        locations.any(|location| !location.ingress.is_empty())
    }

    /// The Ingresses that answer requests for the hosts or aliases of those of their namespace that are left
    /// out, `namespace/name`.
    pub(crate) fn answering_beside<'m>(
        &self,
        left_out: impl Iterator<Item = &'m Object>,
    ) -> BTreeSet<String> {
        let (mut names, mut of_patterns) = (BTreeSet::new(), BTreeSet::new());
        for one in left_out {
            let namespace = one.namespace();
            let rules = one.ingress().map(|ingress| ingress.rules);
            let hosts = rules.into_iter().flatten().map(|rule| rule.host);
            for host in hosts.chain(aliases(one).map(str::to_owned)) {
                // A pattern may be anybody's.
                if host.starts_with('~') {
                    of_patterns.insert(namespace);
                }
                let answered = self.answered_as(&host).into_iter();
                names.extend(answered.map(|name| (namespace, name)));
            }
        }
        let all = self.ingresses.iter();
        let all = all.filter(|one| of_patterns.contains(&*one.ingress.namespace));
        let mut beside: BTreeSet<String> = all.map(|one| one.id().to_owned()).collect();
        for (namespace, name) in names {
            let known = self.virtual_host(&name).into_iter();
            let ids = known.flat_map(|known| known.locations.iter().map(|one| &one.ingress));
            let own = ids.filter(|id| id.split_once('/').is_some_and(|(own, _)| own == namespace));
            beside.extend(own.cloned());
        }
        beside
    }

    /// Whether others answer requests for a host of an Ingress that is left out.
    fn answers_for(&self, left_out: &Object) -> bool {
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
