//! Lists of addresses and questions for passwords are honoured; where they hold nevertheless for
//! somebody else, or for nobody.

use std::collections::HashSet;

use limpet::annotations::catalogue;
use limpet::ingress::PREFIX;
use limpet::remark::{Effect, Problem, Remark};

use super::finding::{Finding, LOSS, Level, Place};
use crate::compiled::Compiled;
use crate::manifests::Object;
use crate::taken::under_the_prefix;

/// What is lost of them.
#[must_use]
pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let left_out = compiled.falling_to_others();
    let left_out = left_out.filter(|object| compiled.ingress(&object.id()).is_none());
    let left_out = left_out.flat_map(|object| lists(object, "nothing of its Ingress is served"));
    let unusable = compiled.remarks.iter();
    let is_unserved = |remark: &&Remark| {
        remark.effect == Effect::Path
            && matches!(remark.problem, Problem::Unusable(_))
            && !remark.denies()
    };
    let unusable = unusable.filter(is_unserved);
    let unusable: HashSet<&str> = unusable.filter_map(|one| one.ingress.as_deref()).collect();
    let taken = compiled.ingresses.iter();
    let taken = taken.filter(|one| unusable.contains(one.id()));
    let unserved = "a path of its Ingress is not served";
    let unserved = taken.flat_map(|one| lists(one.object, unserved));
    left_out
        .chain(unserved)
        .chain(given_twice(compiled))
        .collect()
}

/// What of them is lost, where the rest holds: users whose passwords take too long to compare do not come in
/// any more.
pub(super) fn in_part<'c>(compiled: &'c Compiled<'_>) -> impl Iterator<Item = Finding> + 'c {
    compiled.remarks.iter().filter_map(|remark| {
        if !matches!(remark.problem, Problem::CostlyUsers { .. }) {
            return None;
        }
        let taken = compiled.ingress(remark.ingress.as_deref()?)?;
        let place = Place::annotation(taken.object, remark.field.name());
        let expected = format!("is lost in part: it {}", remark.expectation());
        Some(
            Finding::new(
                Level::Warning,
                LOSS,
                &place,
                expected,
                "they are not let in",
            )
            .help("give them digests that take less: htpasswd -m, or openssl passwd -6"),
        )
    })
}

/// Lists of a second text of an Ingress, of which the first one is taken. Applied one after the
/// other, the second one holds.
fn given_twice<'c>(compiled: &'c Compiled<'_>) -> impl Iterator<Item = Finding> + 'c {
    compiled.manifests.ingresses.iter().flat_map(|object| {
        let taken = compiled.ingress(&object.id());
        let taken = taken.filter(|one| !one.is_at(object));
        let Some((taken, ingress)) = taken.zip(object.ingress()) else {
            return Vec::new();
        };
        let mut found = lists(
            object,
            "its Ingress is given twice, and the other text counts",
        );
        let value = |name: &str| ingress.annotations.get(&format!("{PREFIX}{name}"));
        found.retain(|one| value(&one.field).map(String::as_str) != taken.annotation(&one.field));
        found
    })
}

/// A finding on each list of an Ingress, of which something falls to others.
fn lists(object: &Object, why: &str) -> Vec<Finding> {
    let Some(ingress) = object.ingress() else {
        return Vec::new();
    };
    let names = under_the_prefix(&ingress).map(|(name, _)| name);
    let protects = |name: &&str| catalogue::find(name).is_some_and(|row| row.protects());
    let finding = |name: &str| {
        Finding::new(
            Level::Warning,
            LOSS,
            &Place::annotation(object, name),
            format!("is lost: {why}"),
            "what lay under it falls to others, whoever asks",
        )
    };
    names.filter(protects).map(finding).collect()
}
