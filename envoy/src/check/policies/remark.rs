//! What is said of a policy.

use crate::check::finding::{Finding, Level, Place};
use crate::compiled::Compiled;
use crate::manifests::Object;

/// Whether an Ingress gives its pods another path than the client sent.
pub(super) fn rewrites(compiled: &Compiled<'_>) -> bool {
    let mut ingresses = compiled.ingresses.iter();
    ingresses.any(|one| !one.annotations.rewrite.target.is_empty())
}

/// What is said of a policy, at a field of it.
pub(super) fn finding(
    level: Level,
    policy: &Object,
    pointer: &str,
    expected: impl Into<String>,
    consequence: impl Into<String>,
) -> Finding {
    let field = format!("{} {}", policy.kind(), policy.id());
    let place = Place::at(policy, pointer, &field);
    Finding {
        ingress: None,
        value: None,
        ..Finding::new(level, "policy", &place, expected, consequence)
    }
}
