//! What an Ingress does to the hosts of others. It works as under ingress-nginx, where every
//! namespace may write for every host; whoever runs the proxy should know of it.

use std::collections::{BTreeSet, HashMap};

use limpet::route::AliasPattern;

use super::neighbours;
use crate::certificates::{self, Certificates, Refused, certificates};
use crate::check::finding::{Finding, Level, Place};
use crate::compiled::Compiled;
use crate::passthrough;
use crate::taken::TakenIngress;

/// The code of a finding on who gets a host's certificate.
pub(crate) const CERTIFICATE: &str = "certificate";

/// Everything of that kind, in no order.
#[must_use]
pub(crate) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let all = certificates(compiled);
    let told = all.refused.iter().filter(|one| !has_left_out_rule(one));
    let mut findings: Vec<Finding> = told.map(refused).collect();
    findings.extend(certificates_of_others(compiled, &all));
    let mut meant = HashMap::new();
    for ingress in &compiled.ingresses {
        if ingress.annotations.canary.is_some() {
            findings.extend(canary_of_others(compiled, ingress));
        } else {
            findings.extend(alias_of_others(compiled, ingress, &mut meant));
            findings.extend(passthrough_of_others(compiled, ingress));
        }
    }
    findings
}

/// An Ingress by its name and place.
fn with_place(ingress: &TakenIngress<'_>) -> String {
    format!("ingress {} ({})", ingress.id(), ingress.object.place())
}

/// Whether it has a rule for the host, which its platform does not take.
fn has_left_out_rule(refused: &Refused<'_>) -> bool {
    let rules = refused.ingress.object.list("/spec/rules").iter();
    let mut hosts = rules.filter_map(|rule| rule.get("host")?.as_str());
    refused.older.is_none() && hosts.any(|host| *host == *refused.host)
}

fn refused(refused: &Refused<'_>) -> Finding {
    let pointer = certificates::pointer(refused.entry);
    let place = Place::at(refused.ingress.object, &pointer, "tls");
    let host = &refused.host;
    let (expected, consequence) = match refused.older {
        Some(older) => (
            format!(
                "asks for another certificate for host {host:?} than {}, which is older",
                with_place(older)
            ),
            "what the older one says counts, as under ingress-nginx",
        ),
        None => (
            format!("lists host {host:?}, for which the Ingress has no rule"),
            "the host gets no certificate from here, as under ingress-nginx",
        ),
    };
    Finding::new(Level::Note, CERTIFICATE, &place, expected, consequence)
}

/// Who has a host, and another namespace's certificate for it.
fn certificates_of_others(compiled: &Compiled<'_>, all: &Certificates<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for certificate in &all.serving {
        for host in &certificate.hosts {
            let Some(first) = ruling(compiled, host).next() else {
                continue;
            };
            if !is_elsewhere(first, certificate.ingress) {
                continue;
            }
            let pointer = certificates::pointer(certificate.entry);
            findings.push(Finding::new(
                Level::Note,
                CERTIFICATE,
                &Place::at(certificate.ingress.object, &pointer, "tls"),
                format!(
                    "gives host {host:?} the certificate of another namespace than {}, which had \
                     the host first",
                    with_place(first)
                ),
                "it serves, as under ingress-nginx",
            ));
        }
    }
    findings
}

/// Who has the path `/` of a host, and the TLS of its clients because somebody else asks for that.
///
/// Source: `getBackendServers`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d: one
/// Ingress with a rule for the host is enough.
fn passthrough_of_others(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> Vec<Finding> {
    if !passthrough::asks(compiled, ingress) {
        return Vec::new();
    }
    let hosts: BTreeSet<&str> = ingress
        .ingress
        .rules
        .iter()
        .map(|rule| &*rule.host)
        .collect();
    let finding = |host: &str| {
        let virtual_host = compiled.virtual_host(host).filter(|_| !host.is_empty())?;
        let mut locations = virtual_host.locations.iter();
        let root = locations.find(|one| one.path == "/" && !one.is_implicit)?;
        let owner = compiled.ingress(&root.ingress)?;
        is_elsewhere(owner, ingress).then(|| {
            Finding::new(
                Level::Note,
                "passthrough-of-others",
                &Place::annotation(ingress.object, passthrough::ANNOTATION),
                format!(
                    "passes the TLS of host {host:?} to pods of {}, in another namespace",
                    with_place(owner)
                ),
                "nothing else of that host is served over https, as under ingress-nginx",
            )
        })
    };
    hosts.into_iter().filter_map(finding).collect()
}

/// The primaries with a rule for `host`, the oldest first.
fn ruling<'c>(
    compiled: &'c Compiled<'_>,
    host: &str,
) -> impl Iterator<Item = &'c TakenIngress<'c>> {
    let ingresses = compiled.ingresses.iter();
    ingresses.filter(move |one| {
        let mut rules = one.ingress.rules.iter();
        one.annotations.canary.is_none() && rules.any(|rule| rule.host.eq_ignore_ascii_case(host))
    })
}

fn is_elsewhere(a: &TakenIngress<'_>, b: &TakenIngress<'_>) -> bool {
    a.ingress.namespace != b.ingress.namespace
}

/// A canary stands beside the upstream of a location, and so beside it wherever it serves.
///
/// Source: `mergeAlternativeBackends`, `internal/ingress/controller/controller.go`, ingress-nginx
/// dbb11b92d: whose the location is does not matter.
fn canary_of_others(compiled: &Compiled<'_>, canary: &TakenIngress<'_>) -> Vec<Finding> {
    let own = neighbours::services(canary);
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    let hosts = compiled.policy.virtual_hosts();
    for location in hosts.flat_map(|host| host.locations.iter()) {
        let Some(service) = neighbours::taken_from(compiled, location, &own) else {
            continue;
        };
        // An Ingress names Services of its own namespace alone.
        let home = service.split_once('/').map(|(namespace, _)| namespace);
        if home == Some(&*canary.ingress.namespace) || told.contains(service) {
            continue;
        }
        // A host's root may be a default backend's, and of no Ingress.
        let mut primaries = compiled.ingresses.iter();
        let owner = primaries.find(|one| {
            one.annotations.canary.is_none() && neighbours::services(one).contains(service)
        });
        let Some(owner) = owner.filter(|owner| is_elsewhere(owner, canary)) else {
            continue;
        };
        if told.insert(service) {
            findings.push(Finding::new(
                Level::Note,
                "canary-of-others",
                &Place::annotation(canary.object, "canary"),
                format!(
                    "takes requests from Service {service}, on every path that leads there, of {}, \
                     in another namespace",
                    with_place(owner)
                ),
                "it gets them, as under ingress-nginx",
            ));
        }
    }
    findings
}

/// An alias that another namespace has a rule for, itself or by the wildcard above it, or as an
/// alias too.
fn alias_of_others<'c>(
    compiled: &'c Compiled<'_>,
    ingress: &'c TakenIngress<'_>,
    meant: &mut Meant<'c>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for alias in &ingress.annotations.aliases {
        if alias.starts_with('~') {
            findings.extend(pattern_of_others(compiled, ingress, alias, meant));
            continue;
        }
        let wildcard = alias.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        // Of a host that is its own too the alias is another name.
        let wildcard =
            wildcard.filter(|wildcard| !alias.starts_with('.') && !has_rule(ingress, wildcard));
        let named = ruling(compiled, alias).next();
        let (owner, what, consequence) = match (named, wildcard) {
            (Some(owner), _) if !has_rule(owner, alias) => (
                Some(owner),
                "",
                "its rules count; under ingress-nginx, which compares with capitals, whoever has the first own host in the \
                 alphabet has it",
            ),
            (Some(owner), _) => (
                Some(owner),
                "",
                "its rules count and the alias has no effect, as under ingress-nginx",
            ),
            (None, wildcard) => {
                let above = wildcard.and_then(|wildcard| ruling(compiled, &wildcard).next());
                match above {
                    Some(owner) => (
                        Some(owner),
                        " by a wildcard",
                        "the alias takes the host, as under ingress-nginx",
                    ),
                    None => (
                        compiled.before_with_alias(ingress.id(), alias),
                        " for an alias too",
                        "whoever has the first own host in the alphabet has it, as under \
                         ingress-nginx",
                    ),
                }
            }
        };
        let owner = owner.filter(|owner| is_elsewhere(owner, ingress));
        if owner.is_none() {
            findings.extend(wildcard_of_others(compiled, ingress, alias));
        }
        if let Some(owner) = owner {
            findings.push(Finding::new(
                Level::Note,
                "alias-of-others",
                &Place::annotation(ingress.object, "server-alias"),
                format!(
                    "names host {alias:?}, which {} has{what}, in another namespace",
                    with_place(owner)
                ),
                consequence,
            ));
        }
    }
    findings
}

fn has_rule(ingress: &TakenIngress<'_>, host: &str) -> bool {
    let mut rules = ingress.ingress.rules.iter();
    rules.any(|rule| rule.host == host)
}

/// An alias with a star or a dot at one end, and the wildcard of another namespace whose hosts it takes. nginx
/// looks for such names before it asks regexes, which is what ingress-nginx makes of a wildcard.
///
/// Source: `ngx_http_find_virtual_server` of nginx 1.27.1; ingress-nginx 1.15 was asked.
fn wildcard_of_others(
    compiled: &Compiled<'_>,
    ingress: &TakenIngress<'_>,
    alias: &str,
) -> Option<Finding> {
    if !alias.starts_with(['*', '.']) && !alias.ends_with('*') {
        return None;
    }
    let primaries = compiled.ingresses.iter();
    let others =
        primaries.filter(|one| one.annotations.canary.is_none() && is_elsewhere(one, ingress));
    let mut wildcards = others.flat_map(|owner| {
        let rules = owner.ingress.rules.iter();
        rules.map(move |rule| (rule.host.as_str(), owner))
    });
    let (host, owner) =
        wildcards.find(|(host, _)| takes_under(alias, host) && !has_rule(ingress, host))?;
    Some(Finding::new(
        Level::Note,
        "alias-of-others",
        &Place::annotation(ingress.object, "server-alias"),
        format!(
            "stands for hosts ({alias:?}) under {host:?}, which {} has, in another namespace",
            with_place(owner)
        ),
        "the alias takes them, as under ingress-nginx",
    ))
}

/// Whether `*.x`, `.x` or `x.*` means hosts of a wildcard.
fn takes_under(alias: &str, wildcard: &str) -> bool {
    let (alias, wildcard) = (alias.to_ascii_lowercase(), wildcard.to_ascii_lowercase());
    let Some(domain) = wildcard.strip_prefix("*.") else {
        return false;
    };
    let ends_in = |tail: &str| {
        let rest = domain.strip_suffix(tail);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let suffix = alias.strip_prefix("*.").or_else(|| alias.strip_prefix('.'));
    if let Some(tail) = suffix {
        return ends_in(tail);
    }
    let Some(head) = alias.strip_suffix(".*") else {
        return false;
    };
    // The star of the wildcard is the first label.
    let behind = head.split_once('.').map_or("", |(_, behind)| behind);
    let rest = domain.strip_prefix(behind);
    rest.is_some_and(|rest| behind.is_empty() || rest.starts_with('.'))
}

/// An alias that is a regex, and the hosts of other namespaces that it means.
///
/// Source: `buildServerName`, `internal/ingress/controller/template/template.go`, and the order of servers in
/// `getBackendServers`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d: a wildcard
/// host is a regex too, and of two regexes the first counts.
fn pattern_of_others<'c>(
    compiled: &'c Compiled<'_>,
    ingress: &'c TakenIngress<'_>,
    alias: &'c str,
    meant: &mut Meant<'c>,
) -> Option<Finding> {
    let of_it = meant
        .entry((alias, &ingress.ingress.namespace))
        .or_insert_with(|| hosts_meant(compiled, ingress, alias));
    let (host, owner, count) = (*of_it)?;
    let more = match count {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    Some(Finding::new(
        Level::Note,
        "alias-of-others",
        &Place::annotation(ingress.object, "server-alias"),
        format!(
            "is a regex ({alias:?}) that means host {host:?}, which {} has{more}, in another namespace",
            with_place(owner)
        ),
        "their own names count, wildcards among them; under ingress-nginx a regex beside a host that comes \
         before a wildcard in the alphabet takes the wildcard's hosts",
    ))
}

/// By an alias and who wrote it: the first host of other namespaces that it means, whose that is, and how many there are.
type Meant<'c> = HashMap<(&'c str, &'c str), Option<(&'c str, &'c TakenIngress<'c>, usize)>>;

fn hosts_meant<'c>(
    compiled: &'c Compiled<'_>,
    ingress: &TakenIngress<'_>,
    alias: &str,
) -> Option<(&'c str, &'c TakenIngress<'c>, usize)> {
    let pattern = AliasPattern::new(alias);
    let primaries = compiled.ingresses.iter();
    let others =
        primaries.filter(|one| one.annotations.canary.is_none() && is_elsewhere(one, ingress));
    let all = others.flat_map(|owner| {
        let rules = owner.ingress.rules.iter().map(|rule| rule.host.as_str());
        let aliases = owner.annotations.aliases.iter().map(String::as_str);
        rules.chain(aliases).map(move |host| (host, owner))
    });
    let may_mean = |host: &str| !host.is_empty() && may_mean(alias, pattern.as_ref(), host);
    let mut meant = all.filter(|(host, _)| may_mean(host));
    let (host, owner) = meant.next()?;
    Some((host, owner, meant.count().saturating_add(1)))
}

/// Whether a regex means `host`, or one under it where that is a wildcard: `*` stands for the words
/// of the regex itself, and for what is often there.
fn may_mean(alias: &str, pattern: Option<&AliasPattern>, host: &str) -> bool {
    let means = |name: &str| pattern.is_some_and(|pattern| pattern.means(name));
    let host = host.to_ascii_lowercase();
    let Some(domain) = host.strip_prefix("*.") else {
        return alias.eq_ignore_ascii_case(&host) || means(&host);
    };
    let is_word = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let words = alias.split(|character| !is_word(character));
    let mut labels = words
        .filter(|word| !word.is_empty())
        .chain(["www", "a", "0"]);
    let plain = alias.replace('\\', "");
    plain.contains(domain) || labels.any(|label| means(&format!("{label}.{domain}")))
}

#[cfg(test)]
mod tests;
