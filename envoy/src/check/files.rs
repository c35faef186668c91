//! What is odd about the files themselves.

use super::finding::{Finding, Level, UNREADABLE};
use crate::manifests::Manifests;

/// Documents that cannot be read, and keys that are written twice.
#[must_use]
pub(super) fn run(manifests: &Manifests) -> Vec<Finding> {
    let mut findings = unreadable(manifests);
    let duplicates = manifests.duplicates.iter().map(|duplicate| Finding {
        level: Level::Warning,
        code: "duplicate-key",
        file: duplicate.origin.file.clone(),
        line: duplicate.origin.line,
        ingress: duplicate.ingress.clone(),
        field: duplicate.key.clone(),
        value: None,
        expected: format!("is written twice, in {} too", duplicate.first_place()),
        consequence: "the last one is taken, as kubectl does; the first has no effect".to_owned(),
        help: Vec::new(),
    });
    findings.extend(duplicates);
    findings
}

/// Documents that cannot be read. Nobody knows what they protect: `render` takes each for a loss.
#[must_use]
pub(super) fn unreadable(manifests: &Manifests) -> Vec<Finding> {
    let unreadable = manifests.unreadable.iter().map(|unreadable| Finding {
        level: Level::Error,
        code: UNREADABLE,
        file: unreadable.path.clone(),
        line: unreadable.line,
        ingress: None,
        field: "unreadable-document".to_owned(),
        value: None,
        expected: format!("column {}: {}", unreadable.column, unreadable.reason),
        consequence: "nothing of it is taken, and it may have protected something".to_owned(),
        help: Vec::new(),
    });
    unreadable.collect()
}
