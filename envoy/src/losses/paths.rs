//! The paths of what is accepted: whoever keeps somebody out there now may go by them.

use limpet::protection::Protection;
use limpet::route::location::Kind;

use crate::check::{Finding, goes_by_path};
use crate::compiled::Compiled;
use crate::inert;
use crate::taken::TakenIngress;

/// What `protect` gets.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Hosts with paths.
    pub(super) prefixes: Vec<String>,
    /// Paths that no prefix can stand for: the operator knows the rules.
    pub(super) unnamed: Vec<String>,
}

/// The paths of the Ingresses whose losses `accepted` are.
pub(super) fn of(compiled: &Compiled<'_>, accepted: &[&Finding]) -> Paths {
    let mut paths = Paths::default();
    let is_accepted = |ingress: &&TakenIngress<'_>| {
        let of = |loss: &&&Finding| loss.ingress.as_deref() == Some(ingress.id());
        let mut losses = accepted.iter().filter(of);
        losses.any(|loss| goes_by_path(&loss.field))
    };
    for ingress in compiled.ingresses.iter().filter(is_accepted) {
        for path in ingress.paths() {
            let text = path.path.path.as_str();
            // A rule on all of a host needs no path.
            if matches!(text, "" | "/") {
                continue;
            }
            let aliases = ingress.annotations.aliases.iter().map(String::as_str);
            for host in std::iter::once(path.host).chain(aliases) {
                let prefix = format!("{host}{text}");
                if paths.prefixes.contains(&prefix) {
                    continue;
                }
                if is_fit(compiled, host, &prefix, &paths.prefixes) {
                    paths.prefixes.push(prefix);
                } else {
                    let prefix = inert::line(&prefix);
                    paths
                        .unnamed
                        .push(format!("{prefix} of ingress {}", ingress.id()));
                }
            }
        }
    }
    paths
}

/// Whether `prefix` can stand in `protect` beside these, and refuses no path that an Ingress names.
fn is_fit(compiled: &Compiled<'_>, host: &str, prefix: &str, others: &[String]) -> bool {
    let known = compiled.virtual_host(host).filter(|_| !host.is_empty());
    let Some(known) = known.filter(|known| !known.is_regex) else {
        return false;
    };
    let mut all = others.to_vec();
    all.push(prefix.to_owned());
    let Ok(protection) = Protection::read(&all) else {
        return false;
    };
    let mut locations = known.locations.iter();
    locations.all(|location| {
        let is_plain = location.kind != Kind::Regex;
        let path = location.name.as_bytes();
        is_plain && !protection.is_ambiguous(Some(host.as_bytes()), path)
    })
}
