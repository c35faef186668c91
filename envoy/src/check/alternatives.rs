//! What does the job of an annotation that is not limpet's business.
//!
//! The table is `alternatives.yaml`, compiled in.

use std::sync::LazyLock;

use serde::Deserialize;

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alternatives {
    /// By job.
    pub(crate) jobs: Vec<Job>,
    /// Annotations that ingress-nginx itself dropped.
    pub(crate) retired: Vec<Retired>,
}

/// A job that several annotations do together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    /// In a few words.
    pub(crate) does: String,
    /// Without their prefix.
    pub(crate) annotations: Vec<String>,
    /// What does it in Envoy.
    pub(crate) envoy: Option<String>,
    /// What does it in Istio.
    pub(crate) istio: Option<String>,
    /// What does it in Gateway API with Envoy Gateway's policies.
    pub(crate) gateway: Option<String>,
}

/// An annotation of an older controller.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retired {
    /// Without its prefix.
    pub(crate) annotation: String,
    /// The first version without it; `None`: it never was one, or nobody remembers.
    pub(crate) since: Option<String>,
    /// What to do now.
    pub(crate) now: String,
}

static TABLE: LazyLock<Alternatives> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("alternatives.yaml")).unwrap_or_else(|_| Alternatives {
        jobs: Vec::new(),
        retired: Vec::new(),
    })
});

/// The job of the annotation `name`.
#[must_use]
pub(crate) fn job(name: &str) -> Option<&'static Job> {
    TABLE
        .jobs
        .iter()
        .find(|job| job.annotations.iter().any(|annotation| annotation == name))
}

/// The annotation `name` of an older controller.
#[must_use]
pub(crate) fn retired(name: &str) -> Option<&'static Retired> {
    TABLE
        .retired
        .iter()
        .find(|retired| retired.annotation == name)
}

impl Job {
    /// One line for each platform that has something for it.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        [
            ("Envoy", &self.envoy),
            ("Istio", &self.istio),
            ("Gateway API", &self.gateway),
        ]
        .into_iter()
        .filter_map(|(platform, what)| Some(format!("{platform}: {}", what.as_ref()?)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpet::annotations::catalogue::{ANNOTATIONS, Support, find};

    #[test]
    fn every_annotation_that_limpet_leaves_has_an_alternative_and_no_other() {
        let left: Vec<&str> = ANNOTATIONS
            .iter()
            .filter(|annotation| matches!(annotation.support, Support::No(_)))
            .map(|annotation| annotation.name)
            .collect();
        assert!(!left.is_empty());
        let without: Vec<&&str> = left
            .iter()
            .filter(|name| job(name).is_none() && retired(name).is_none())
            .collect();
        assert!(without.is_empty(), "no alternative for {without:?}");
        for name in TABLE.jobs.iter().flat_map(|job| &job.annotations) {
            let annotation = find(name);
            assert!(
                annotation.is_some_and(|a| matches!(a.support, Support::No(_))),
                "{name} has an alternative, and limpet honours it or nobody knows it"
            );
        }
    }

    #[test]
    fn the_table_is_read_and_names_each_annotation_once() {
        let mut names: Vec<&String> = TABLE.jobs.iter().flat_map(|job| &job.annotations).collect();
        assert!(names.len() > 85, "{}", names.len());
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(TABLE.jobs.iter().all(|job| job.lines().len() == 3));
        assert_eq!(
            retired("secure-backends").and_then(|r| r.since.as_deref()),
            Some("0.21.0")
        );
    }
}
