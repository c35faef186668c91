//! Protection that is lost: nothing is rendered until the operator accepts the loss, or closes what
//! was protected.

mod acceptance;
mod error;
mod hosts;
mod identity;
mod paths;

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};

use crate::check::{Finding, Platform, is_written, left_to_others, taken_over};
use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;

pub use acceptance::Acceptance;
pub use error::LossError;

/// What to do about protection that is lost.
#[derive(Debug, Clone, Default, Args)]
pub struct LossArgs {
    /// Render although NAME is lost, an annotation or a key of ingress-nginx's ConfigMap; may be
    /// repeated
    #[arg(long, value_name = "NAME[@NAMESPACE/INGRESS]")]
    pub accept_loss: Vec<Acceptance>,

    /// Answer 503 where protection would be lost, and move the rest
    #[arg(long)]
    pub close: bool,
}

/// The key of the plugin configuration with the Ingresses that answer 503.
pub(crate) const CLOSE: &str = "close";

/// The key of the plugin configuration with the headers that no client may send.
const STRIP_HEADERS: &str = "strip_headers";

/// The key of the plugin configuration with the paths by which others decide.
const PROTECT: &str = "protect";

/// Decides about every loss on the platform `on`. What follows for the module goes into `manifests.given`; what was
/// decided, one line each, is noted in `manifests` and returned.
///
/// # Errors
/// When something is lost that is neither accepted nor closed, or nothing is that was accepted.
pub fn settle(
    manifests: &mut Manifests,
    flags: &Flags,
    args: &LossArgs,
    on: Platform,
) -> Result<Vec<String>, LossError> {
    let compiled = Compiled::new(manifests, flags)?;
    let left = left_to_others(&compiled).into_iter();
    let left = left.filter(|finding| !is_written(&compiled, finding, Some(on)));
    let (mut losses, harmless): (Vec<Finding>, Vec<Finding>) = left.partition(Finding::is_loss);
    losses.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    let mut acceptances = args.accept_loss.clone();
    let given = acceptance::given(manifests.accept_loss.as_ref());
    acceptances.extend(given.map_err(|value| LossError::Malformed(value.clone()))?);
    if let Some(unmatched) = acceptances.iter().find(|one| !one.is_of_any(&losses)) {
        return Err(LossError::Unmatched {
            meant: unmatched.meant(&losses),
            acceptance: unmatched.clone(),
        });
    }
    let mut closed = texts(manifests.given.get(CLOSE));
    let is_closed = |loss: &Finding| closed.contains(hosts::EVERY) || closed.contains(&scope(loss));
    let is_accepted = |loss: &Finding| acceptances.iter().any(|one| one.is_of(loss, &losses));
    let (accepted, rest): (Vec<&Finding>, Vec<&Finding>) =
        losses.iter().partition(|loss| is_accepted(loss));
    let open: Vec<&Finding> = rest
        .iter()
        .copied()
        .filter(|loss| !is_closed(loss))
        .collect();
    if !open.is_empty() && !args.close {
        return Err(LossError::Refused(open.into_iter().cloned().collect()));
    }
    let is_served = |loss: &&Finding| {
        let ingress = loss.ingress.as_deref();
        ingress.is_none_or(|ingress| compiled.ingress(ingress).is_some())
    };
    closed.extend(open.into_iter().filter(is_served).map(scope));
    let beside = hosts::beside(&compiled, &rest, &closed);
    closed.extend(beside.iter().map(|one| one.closed.clone()));
    let is_told_stripped = manifests.given.contains_key(STRIP_HEADERS);
    let identities = BTreeSet::from_iter(identity::headers(&losses));
    let given = manifests.given.get(STRIP_HEADERS);
    let stripped = given.map_or_else(|| identities.clone(), |given| texts(Some(given)));
    let is_told = manifests.given.contains_key(PROTECT);
    let paths = (!is_told).then(|| paths::of(&compiled, &accepted));
    let paths = paths.unwrap_or_default();

    let accepted = accepted.into_iter().map(|loss| {
        let consequence = &loss.consequence;
        format!("accepted loss: {}: {consequence}", named(loss))
    });
    let rest = rest.into_iter();
    let rest = rest.map(|loss| {
        let is = if is_served(&loss) {
            "closed, answers 503"
        } else {
            "not served"
        };
        format!("{is}: {}", named(loss))
    });
    let beside = beside.iter().map(ToString::to_string);
    let mut lines: Vec<String> = accepted.chain(rest).chain(beside).collect();
    if !losses.is_empty() {
        lines.extend(identity::lines(&stripped));
    }
    let kept: Vec<&str> = identities
        .difference(&stripped)
        .map(String::as_str)
        .collect();
    if !kept.is_empty() {
        lines.push(format!(
            "NOT taken off, for strip_headers (--config) does not name them; who authenticates has to \
             overwrite or remove a client's own: {}",
            kept.join(", ")
        ));
    }
    lines.extend(identity::unknown(&losses).filter(|_| !is_told_stripped));
    let protected = BTreeSet::from_iter(paths.prefixes);
    for (what, list) in [
        ("refused in other spellings (protect)", &protected),
        (
            "NOT refused in other spellings, name in protect (--config) what rules are about",
            &paths.unnamed,
        ),
    ] {
        if !list.is_empty() {
            let list = Vec::from_iter(list.iter().map(String::as_str));
            lines.push(format!("{what}: {}", list.join(", ")));
        }
    }
    manifests.notes.extend(lines.iter().cloned());
    manifests.notes.extend(elsewhere(&harmless, on));
    for (key, list) in [
        (CLOSE, closed),
        (STRIP_HEADERS, stripped),
        (PROTECT, protected),
    ] {
        if !list.is_empty() {
            manifests.given.insert(key.to_owned(), json!(list));
        }
    }
    Ok(lines)
}

/// Closes further Ingresses, by `namespace/name`.
pub(crate) fn close(manifests: &mut Manifests, ingresses: BTreeSet<String>) {
    if !ingresses.is_empty() {
        let mut closed = texts(manifests.given.get(CLOSE));
        closed.extend(ingresses);
        manifests.given.insert(CLOSE.to_owned(), json!(closed));
    }
}

/// What else limpet leaves to others on `on`, by name; `None`: nothing.
fn elsewhere(harmless: &[Finding], on: Platform) -> Option<String> {
    let left = harmless.iter().filter(|one| taken_over(one, on).is_none());
    let names: BTreeSet<&str> = left.map(|one| one.field.as_str()).collect();
    let names = Vec::from_iter(names).join(", ");
    (!names.is_empty()).then(|| format!("left to others, limpet check says to whom: {names}"))
}

/// The entry of `close` that closes what was protected.
fn scope(loss: &Finding) -> String {
    loss.ingress
        .clone()
        .unwrap_or_else(|| hosts::EVERY.to_owned())
}

/// Which loss, in words.
fn named(loss: &Finding) -> String {
    let of = loss.owner();
    format!("{} of {of} ({}:{})", loss.field, loss.file, loss.line)
}

/// The strings of a list.
fn texts(list: Option<&Value>) -> BTreeSet<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
