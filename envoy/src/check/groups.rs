//! Notes that say one thing of many places, told once.

use std::collections::HashMap;

use super::finding::{Finding, Level};

/// The findings in their order; a note that an earlier one says of another place stands with that one.
pub(super) fn groups<'f>(findings: impl Iterator<Item = &'f Finding>) -> Vec<Vec<&'f Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let mut known = HashMap::new();
    for finding in findings {
        let what = (
            finding.code,
            &finding.field,
            &finding.expected,
            &finding.consequence,
            &finding.help,
        );
        let is_note = finding.level == Level::Note;
        let at = known.get(&what).filter(|_| is_note).copied();
        match at.and_then(|at: usize| groups.get_mut(at)) {
            Some(group) => group.push(finding),
            None => {
                known.insert(what, groups.len());
                groups.push(vec![finding]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(level: Level, line: u64, field: &str) -> Finding {
        Finding {
            level,
            code: "path-in-front",
            file: "shop.yaml".into(),
            line,
            ingress: Some("prod/shop".into()),
            field: field.into(),
            value: Some(format!("/{line}")),
            expected: "is not rewritten".into(),
            consequence: "seen otherwise".into(),
            help: Vec::new(),
        }
    }

    #[test]
    fn a_note_on_many_places_is_one_and_warnings_stay_apart() {
        let findings = [
            finding(Level::Note, 1, "path"),
            finding(Level::Warning, 2, "host"),
            finding(Level::Note, 3, "path"),
            finding(Level::Warning, 4, "host"),
            finding(Level::Note, 5, "tls"),
        ];
        let groups = groups(findings.iter());
        let lines: Vec<Vec<u64>> = groups
            .iter()
            .map(|group| group.iter().map(|one| one.line).collect())
            .collect();
        assert_eq!(lines, [vec![1, 3], vec![2], vec![4], vec![5]]);
    }
}
