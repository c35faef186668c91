//! What ingress-nginx did that is not limpet's business: what is missing without it, and what does
//! it elsewhere.
//!
//! The table is `alternatives.yaml`, compiled in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use limpet::annotations::validator::parse_bool;
use limpet::nearest::nearest;
use serde::Deserialize;

use super::finding::{LOSS, Level};

/// The whole table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alternatives {
    /// By job.
    pub(crate) jobs: Vec<Job>,
    /// Keys of the ConfigMap that limpet takes over.
    honoured: BTreeMap<String, Honoured>,
    /// Keys that ingress-nginx declares, and reads from no ConfigMap.
    without_effect: Vec<String>,
    /// What holds on one platform otherwise, by annotation and key.
    platforms: BTreeMap<String, BTreeMap<String, String>>,
    /// Annotations that ingress-nginx itself dropped.
    retired: Vec<Retired>,
    /// Keys that it dropped.
    retired_keys: Vec<RetiredKeys>,
}

/// A job that several annotations and keys of the ConfigMap do together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    /// In a few words.
    pub(crate) does: String,
    /// Without their prefix.
    #[serde(default)]
    pub(crate) annotations: Vec<String>,
    /// Keys of the ConfigMap.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, Key>,
    /// What switches the job on; what else there is goes with that. Empty: each for itself.
    #[serde(default)]
    pub(crate) heads: Vec<String>,
    /// Values of its annotations that ask for nothing.
    #[serde(default = "empty_value")]
    off: Vec<String>,
    /// Honoured annotations, each but for one value.
    #[serde(default)]
    only: BTreeMap<String, String>,
    /// Those of its annotations that hold for the whole host, in the Ingresses of others too.
    #[serde(default)]
    of_host: Vec<String>,
    /// How much its absence matters.
    #[serde(default)]
    pub(crate) weight: Weight,
    /// What does it elsewhere may go by paths, where it has to know of `protect`.
    #[serde(default)]
    pub(crate) by_path: bool,
    /// What its absence means.
    pub(crate) without: String,
    /// What ingress-nginx does where nobody wrote a key: told to all who wrote none.
    unsaid: Option<String>,
    /// What does it in Envoy.
    envoy: String,
    /// What does it in Istio.
    istio: String,
    /// What does it in Gateway API with Envoy Gateway's policies.
    gateway: String,
}

/// How much it matters that a job is not done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Weight {
    /// Nobody notices, but in speed, logs and figures.
    Nothing,
    /// Something is different.
    #[default]
    Difference,
    /// It kept somebody out, or decided what is passed on, or the Service does not work without it.
    Loss,
}

/// A key of the ConfigMap that has a job.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// ingress-nginx's.
    pub(crate) default: String,
    /// What it did.
    pub(crate) did: String,
    /// The values with which nothing is missing, where these are not the default alone.
    same: Option<Vec<String>>,
}

/// A key of the ConfigMap that limpet takes over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Honoured {
    /// ingress-nginx's.
    pub(crate) default: String,
    /// What it does.
    pub(crate) did: String,
    /// With which difference; empty: none.
    #[serde(default)]
    pub(crate) differs: String,
    /// It keeps somebody out: lost where its ConfigMap is not used.
    #[serde(default)]
    pub(crate) protects: bool,
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

/// Keys of an older controller.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetiredKeys {
    keys: Vec<String>,
    /// The first version without them.
    pub(crate) since: String,
    /// What to do now.
    pub(crate) now: String,
}

/// What is known of a key of the ConfigMap.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known {
    /// limpet takes it over.
    Honoured(&'static Honoured),
    /// It has a job that is not limpet's business.
    Job(&'static Job, &'static Key),
    /// ingress-nginx reads it from no ConfigMap.
    WithoutEffect,
    /// ingress-nginx dropped it.
    Retired(&'static RetiredKeys),
}

/// A rule compares bytes, and a pod does not.
const BY_PATH: &str = "where it goes by paths: name them in protect (--config), or /z/../admin, \
                       //admin and /%61dmin get past a rule on /admin";

static TABLE: LazyLock<Alternatives> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("alternatives.yaml")).unwrap_or_default());

fn empty_value() -> Vec<String> {
    vec![String::new()]
}

/// Every job.
#[must_use]
pub(crate) fn jobs() -> &'static [Job] {
    &TABLE.jobs
}

/// The job of the annotation `name` with the value `value`.
#[must_use]
pub(crate) fn job(name: &str, value: &str) -> Option<&'static Job> {
    let is_lost = |job: &&Job| {
        let only = job.only.get(name);
        job.annotations.iter().any(|annotation| annotation == name)
            || only.is_some_and(|only| only.eq_ignore_ascii_case(value.trim()))
    };
    TABLE.jobs.iter().find(is_lost)
}

/// The annotation `name` of an older controller.
#[must_use]
pub(crate) fn retired(name: &str) -> Option<&'static Retired> {
    TABLE
        .retired
        .iter()
        .find(|retired| retired.annotation == name)
}

/// The key `name` of the ConfigMap; `None`: no ingress-nginx has it.
#[must_use]
pub(crate) fn key(name: &str) -> Option<Known> {
    let of_job = |job: &'static Job| Some(Known::Job(job, job.keys.get(name)?));
    let retired = || {
        let is_it = |retired: &&RetiredKeys| retired.keys.iter().any(|key| key == name);
        TABLE.retired_keys.iter().find(is_it).map(Known::Retired)
    };
    let without_effect = || TABLE.without_effect.iter().any(|key| key == name);
    TABLE
        .honoured
        .get(name)
        .map(Known::Honoured)
        .or_else(|| TABLE.jobs.iter().find_map(of_job))
        .or_else(|| without_effect().then_some(Known::WithoutEffect))
        .or_else(retired)
}

/// What ingress-nginx takes where its ConfigMap does not say the key `name`; `None`: no such key has any effect.
#[must_use]
pub(crate) fn default_of(name: &str) -> Option<&'static str> {
    match key(name)? {
        Known::Honoured(known) => Some(&known.default),
        Known::Job(_, known) => Some(&known.default),
        Known::WithoutEffect | Known::Retired(_) => None,
    }
}

/// What holds of the annotation or key `name` on the platform alone, `exact` or a difference.
pub(crate) fn on_platform(name: &str, platform: &str) -> Option<&'static str> {
    let text = TABLE.platforms.get(name)?.get(platform)?;
    Some(text)
}

/// What the annotation or key `name` goes with, where it does not switch its job on itself: nothing
/// is lost with it that is not lost with them.
pub(crate) fn heads_of(name: &str) -> impl Iterator<Item = &'static str> {
    let has_it = |job: &&Job| {
        job.keys.contains_key(name) || job.annotations.iter().any(|annotation| annotation == name)
    };
    let job = TABLE.jobs.iter().find(has_it);
    let job = job.filter(|job| !job.is_head(name));
    job.into_iter()
        .flat_map(|job| job.heads.iter().map(String::as_str))
}

/// Whether what does the job of the annotation or key `name` elsewhere may go by paths.
pub(crate) fn goes_by_path(name: &str) -> bool {
    let mut jobs = TABLE.jobs.iter().filter(|job| job.by_path);
    jobs.any(|job| {
        let is_key = job.keys.contains_key(name) || job.only.contains_key(name);
        is_key || job.annotations.iter().any(|annotation| annotation == name)
    })
}

/// Whether the annotation `name` holds for the whole host, in the Ingresses of others too.
///
/// Source: `getBackendServers` and `createServers`, `internal/ingress/controller/controller.go`,
/// ingress-nginx dbb11b92d.
pub(crate) fn is_of_host(name: &str) -> bool {
    let mut names = TABLE.jobs.iter().flat_map(|job| &job.of_host);
    names.any(|annotation| annotation == name)
}

/// Whether `name` is a key of the ConfigMap, of this ingress-nginx or an older one.
pub(crate) fn is_key(name: &str) -> bool {
    key(name).is_some()
}

/// The key that `name` was probably meant to be.
pub(crate) fn nearest_key(name: &str) -> Option<&'static str> {
    nearest(name, keys())
}

/// Every annotation that loses protection, some with one value alone.
#[cfg(test)]
pub(crate) fn lost_annotations() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    let losses = TABLE.jobs.iter().filter(|job| job.weight == Weight::Loss);
    losses.flat_map(|job| {
        let any = job.annotations.iter().map(|name| (name.as_str(), None));
        let only = job.only.iter();
        any.chain(only.map(|(name, value)| (name.as_str(), Some(value.as_str()))))
    })
}

/// Every key that loses protection.
#[cfg(test)]
pub(crate) fn lost_keys() -> impl Iterator<Item = &'static str> {
    let losses = TABLE.jobs.iter().filter(|job| job.weight == Weight::Loss);
    losses.flat_map(|job| job.keys.keys().map(String::as_str))
}

/// Every key of ingress-nginx 1.15.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    let of_jobs = TABLE.jobs.iter().flat_map(|job| job.keys.keys());
    let others = TABLE.honoured.keys().chain(&TABLE.without_effect);
    of_jobs.chain(others).map(String::as_str)
}

impl Weight {
    /// How much it matters to `check`.
    #[must_use]
    pub(crate) fn level(self) -> Level {
        match self {
            Self::Nothing => Level::Note,
            Self::Difference | Self::Loss => Level::Warning,
        }
    }

    /// The code of a remark; `other`: where nothing is lost.
    #[must_use]
    pub(crate) fn code(self, other: &'static str) -> &'static str {
        match self {
            Self::Nothing | Self::Difference => other,
            Self::Loss => LOSS,
        }
    }

    /// What is said of an annotation or key.
    #[must_use]
    pub(crate) fn is_what(self) -> &'static str {
        match self {
            Self::Nothing | Self::Difference => "is not limpet's business",
            Self::Loss => "is lost",
        }
    }
}

impl Job {
    /// Whether the annotation `name` with the value `value` asks for something; `given` looks up the
    /// other annotations of its Ingress.
    #[must_use]
    pub(crate) fn is_asked<'v>(
        &self,
        name: &str,
        value: &str,
        given: impl Fn(&str) -> Option<&'v str>,
    ) -> bool {
        let on = |value: &str| !self.is_off(value);
        on(value) && !self.is_switched_off(name, |head| given(head).map(on))
    }

    /// The same for a key of the ConfigMap, which `given` looks up.
    #[must_use]
    pub(crate) fn is_set<'v>(
        &self,
        name: &str,
        value: &str,
        given: impl Fn(&str) -> Option<&'v str>,
    ) -> bool {
        let on = |name: &str, value: &str| {
            let key = self.keys.get(name);
            key.is_some_and(|key| !key.is_same(value))
        };
        on(name, value) && !self.is_switched_off(name, |head| Some(on(head, given(head)?)))
    }

    /// Whether this value of its annotations asks for nothing.
    #[must_use]
    pub(crate) fn is_off(&self, value: &str) -> bool {
        is_among(&self.off, value)
    }

    /// Whether the key `name`, if it is one of the job's, asks for something; `value`: `None` where nobody wrote it.
    #[must_use]
    pub(crate) fn is_key_on(&self, name: &str, value: Option<&str>) -> bool {
        let key = self.keys.get(name);
        key.is_some_and(|key| !key.is_same(value.unwrap_or(&key.default)))
    }

    /// Whether `name` goes with a head, and none is on.
    #[must_use]
    pub(crate) fn lacks_head(&self, name: &str, is_on: impl Fn(&str) -> bool) -> bool {
        let has_heads = !self.heads.is_empty() && !self.is_head(name);
        has_heads && !self.heads.iter().any(|head| is_on(head))
    }

    /// Whether a head is there, and none is on.
    fn is_switched_off(&self, name: &str, on: impl Fn(&str) -> Option<bool>) -> bool {
        let mut there = self.heads.iter().filter_map(|head| on(head)).peekable();
        !self.is_head(name) && there.peek().is_some() && there.all(|on| !on)
    }

    /// Whether `name` switches the job on.
    fn is_head(&self, name: &str) -> bool {
        self.heads.iter().any(|head| head == name)
    }

    /// The line for those who wrote no key of it.
    #[must_use]
    pub(crate) fn unsaid(&self) -> Option<&str> {
        self.unsaid.as_deref()
    }

    /// One line for each platform.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        [
            ("Envoy", &self.envoy),
            ("Istio", &self.istio),
            ("Gateway API", &self.gateway),
        ]
        .map(|(platform, what)| format!("{platform}: {what}"))
        .into()
    }

    /// The same, and what has to be said to limpet about it.
    #[must_use]
    pub(crate) fn help(&self) -> Vec<String> {
        let mut lines = self.lines();
        if self.by_path {
            lines.push(BY_PATH.to_owned());
        }
        lines
    }
}

impl Honoured {
    /// Whether it says what holds anyway.
    #[must_use]
    pub(crate) fn is_default(&self, value: &str) -> bool {
        value.trim().is_empty() || is_among(std::slice::from_ref(&self.default), value)
    }
}

impl Key {
    /// Whether nothing is missing with this value.
    pub(crate) fn is_same(&self, value: &str) -> bool {
        let value = value.trim();
        let default = std::slice::from_ref(&self.default);
        let same = self.same.as_deref().unwrap_or(default);
        is_among(
            same,
            if value.is_empty() {
                &self.default
            } else {
                value
            },
        )
    }
}

/// Whether `value` is one of `values`; `false` in any of Go's spellings.
fn is_among(values: &[String], value: &str) -> bool {
    let value = value.trim();
    let truth = parse_bool(value);
    values
        .iter()
        .any(|one| one == value || (truth.is_some() && parse_bool(one) == truth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpet::annotations::catalogue::{ANNOTATIONS, Support, find};
    use std::collections::BTreeSet;

    #[test]
    fn every_annotation_that_limpet_leaves_has_an_alternative_and_no_other() {
        let left: Vec<&str> = ANNOTATIONS
            .iter()
            .filter(|annotation| {
                matches!(annotation.support, Support::Rendered(_) | Support::No(_))
            })
            .map(|annotation| annotation.name)
            .collect();
        assert!(!left.is_empty());
        let without: Vec<&&str> = left
            .iter()
            .filter(|name| job(name, "").is_none() && retired(name).is_none())
            .collect();
        assert!(without.is_empty(), "no alternative for {without:?}");
        for name in jobs().iter().flat_map(|job| &job.annotations) {
            let annotation = find(name);
            assert!(
                annotation
                    .is_some_and(|a| matches!(a.support, Support::Rendered(_) | Support::No(_))),
                "{name} has an alternative, and limpet honours it or nobody knows it"
            );
        }
    }

    #[test]
    fn the_table_is_read_and_names_each_annotation_and_each_key_once() {
        let mut names: Vec<&String> = jobs().iter().flat_map(|job| &job.annotations).collect();
        assert!(names.len() > 50, "{}", names.len());
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        let once: BTreeSet<&str> = keys().collect();
        assert_eq!(once.len(), keys().count());
        assert!(once.len() > 190, "{}", once.len());
        let dropped = TABLE.retired_keys.iter().flat_map(|retired| &retired.keys);
        for name in dropped {
            assert!(!once.contains(name.as_str()), "{name}");
            assert!(matches!(key(name), Some(Known::Retired(_))), "{name}");
        }
        assert_eq!(
            retired("secure-backends").and_then(|r| r.since.as_deref()),
            Some("0.21.0")
        );
    }

    #[test]
    fn heads_are_of_their_own_job_and_what_is_lost_can_be_switched_off() {
        for job in jobs() {
            for head in &job.heads {
                assert!(
                    job.annotations.contains(head) || job.keys.contains_key(head),
                    "{head}"
                );
            }
            for name in &job.annotations {
                let switched_off = job.off.iter().any(|off| !job.is_asked(name, off, |_| None));
                assert!(switched_off || job.off.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn a_value_that_asks_for_nothing_is_known_in_any_spelling() {
        let asks = |name: &str, value: &str| {
            let nothing_else = |_: &str| None;
            job(name, value).is_some_and(|job| job.is_asked(name, value, nothing_else))
        };
        for (name, value, wanted) in [
            ("enable-modsecurity", "false", false),
            ("enable-modsecurity", "F", false),
            ("enable-modsecurity", "true", true),
            ("auth-type", "", false),
            ("auth-type", "basic", false),
            ("auth-type", "digest", true),
            ("limit-rate", "0", false),
            ("limit-rate", "5", true),
            ("proxy-ssl-verify", "off", false),
            ("backend-protocol", "FCGI", true),
            ("backend-protocol", "HTTPS", false),
        ] {
            assert_eq!(asks(name, value), wanted, "{name}: {value:?}");
        }
    }

    #[test]
    fn what_goes_with_a_head_that_is_off_is_off() {
        let given = |name: &str| (name == "enable-modsecurity").then_some("false");
        let (name, value) = ("modsecurity-snippet", "SecRuleEngine On");
        let job = job(name, value).unwrap();
        assert!(!job.is_asked(name, value, given));
        assert!(job.is_asked(name, value, |_| None));
    }
}
