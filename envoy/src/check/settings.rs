//! One verdict for each key of ingress-nginx's own ConfigMap.

use limpet::annotations::catalogue;
use serde::Serialize;
use serde_json::{Map, Value};

use super::alternatives::{self, Known};
use super::annotations::Verdict;
use super::finding::{ELSEWHERE, Finding, LOSS, Level, Place, SETTING};
use super::idle::{self, Idle};
use crate::manifests::{Manifests, Object};
use crate::values;

/// One key of the ConfigMap.
#[derive(Debug, Clone, Serialize)]
pub struct JudgedKey {
    /// As written.
    pub key: String,
    /// As written.
    pub value: String,
    /// The file.
    pub file: String,
    /// The line.
    pub line: u64,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Which difference; empty where there is none to tell.
    pub difference: &'static str,
}

/// Every key with its verdict, and what is to be said about it and about the other ConfigMaps.
#[must_use]
pub(crate) fn judge(manifests: &Manifests) -> (Vec<JudgedKey>, Vec<Finding>) {
    let mut judged = Vec::new();
    let mut findings = Vec::new();
    let settings = manifests.config_map();
    for entry in settings.into_iter().flat_map(entries) {
        let (verdict, difference) = verdict(&entry);
        findings.extend(finding(&entry, verdict));
        judged.push(JudgedKey {
            key: entry.key.to_owned(),
            file: entry.map.origin.file.clone(),
            line: entry.map.line_of(&entry.pointer()),
            value: entry.value,
            verdict,
            difference,
        });
    }
    for map in manifests.other_config_maps() {
        findings.push(unused(
            map,
            "it is not used, and what would be lost of it is told",
        ));
        let of_it = entries(map).filter_map(|entry| finding(&entry, verdict(&entry).0));
        findings.extend(of_it.filter(Finding::is_loss));
        findings.extend(entries(map).filter_map(|entry| unread(&entry)));
    }
    let aside = manifests.set_aside_config_maps().into_iter();
    findings.extend(aside.map(|map| unused(map, "it holds for nobody")));
    let is_settings = |map: &&Object| settings.is_some_and(|settings| std::ptr::eq(settings, *map));
    let others = manifests.config_maps.iter().filter(|map| !is_settings(map));
    findings.extend(others.flat_map(entries).filter_map(stream_service));
    (judged, findings)
}

/// What ingress-nginx does where nobody wrote anything, and nothing does after the move.
#[must_use]
pub(crate) fn defaults(manifests: &Manifests) -> Vec<&'static str> {
    let given = manifests.config_map().and_then(data);
    let is_given = |key: &String| given.is_some_and(|data| data.contains_key(key));
    let unsaid = alternatives::jobs().iter().filter_map(|job| {
        let line = job.unsaid()?;
        (!job.keys.keys().any(is_given)).then_some(line)
    });
    unsaid.collect()
}

/// A second ConfigMap that looks like ingress-nginx's settings.
fn unused(map: &Object, consequence: &str) -> Finding {
    let finding = Finding::new(
        Level::Warning,
        "second-config-map",
        &Place::at(map, "/metadata/name", "metadata.name"),
        "is a ConfigMap that looks like ingress-nginx's settings, and nothing says that it is meant",
        consequence,
    );
    Finding {
        ingress: None,
        ..finding
    }
    .help("say --configmap NAMESPACE/NAME of the one that is")
}

/// What a ConfigMap protects that is not used.
fn unread(entry: &Entry<'_>) -> Option<Finding> {
    let Some(Known::Honoured(known)) = alternatives::key(entry.key) else {
        return None;
    };
    let is_lost = known.protects && !known.is_default(&entry.value);
    let expected = format!("is lost (it {})", known.did);
    let consequence = "this ConfigMap is not used";
    is_lost.then(|| entry.finding(Level::Warning, LOSS, expected, consequence))
}

/// One key.
struct Entry<'m> {
    map: &'m Object,
    key: &'m str,
    value: String,
}

impl Entry<'_> {
    fn pointer(&self) -> String {
        let key = self.key.replace('~', "~0").replace('/', "~1");
        format!("/data/{key}")
    }

    fn finding(
        &self,
        level: Level,
        code: &'static str,
        expected: impl Into<String>,
        consequence: impl Into<String>,
    ) -> Finding {
        let place = Place::at(self.map, &self.pointer(), self.key);
        Finding {
            ingress: None,
            ..Finding::new(level, code, &place, expected, consequence)
        }
    }

    /// Why it does nothing, if it does not.
    fn idle(&self) -> Option<Idle> {
        match alternatives::key(self.key)? {
            Known::Job(job, key) if !key.is_same(&self.value) => {
                idle::key(job, self.key, self.map.value.get("data")?)
            }
            _ => None,
        }
    }

    /// Another key of the same ConfigMap.
    fn beside(&self, key: &str) -> Option<&str> {
        data(self.map)?.get(key)?.as_str()
    }
}

fn data(map: &Object) -> Option<&Map<String, Value>> {
    map.value.get("data")?.as_object()
}

fn entries(map: &Object) -> impl Iterator<Item = Entry<'_>> {
    let entries = data(map).into_iter().flatten();
    entries.map(move |(key, value)| Entry {
        map,
        key,
        value: value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
    })
}

fn verdict(entry: &Entry<'_>) -> (Verdict, &'static str) {
    let value = &entry.value;
    if !values::is_read(entry.key, value) {
        return (Verdict::Honoured, "");
    }
    match alternatives::key(entry.key) {
        Some(Known::Job(..)) if entry.idle().is_some_and(|idle| idle.level == Level::Note) => {
            (Verdict::Honoured, "")
        }
        Some(Known::Honoured(known)) if known.differs.is_empty() || known.is_default(value) => {
            (Verdict::Honoured, "")
        }
        Some(Known::Honoured(known)) => (Verdict::Differs, known.differs.as_str()),
        Some(Known::Job(job, _)) if job.is_set(entry.key, value, |key| entry.beside(key)) => {
            (Verdict::Elsewhere, "")
        }
        Some(Known::Job(..) | Known::WithoutEffect) => (Verdict::Honoured, ""),
        Some(Known::Retired(_)) => (Verdict::Retired, ""),
        None => (Verdict::Unknown, ""),
    }
}

fn finding(entry: &Entry<'_>, verdict: Verdict) -> Option<Finding> {
    // What reads it says so.
    if !values::is_read(entry.key, &entry.value) {
        return None;
    }
    if let Some(idle) = entry.idle() {
        let code = if idle.code == ELSEWHERE {
            SETTING
        } else {
            idle.code
        };
        return Some(entry.finding(idle.level, code, idle.expected, idle.consequence));
    }
    match (verdict, alternatives::key(entry.key)) {
        (Verdict::Elsewhere, Some(Known::Job(job, key))) => {
            let expected = format!("{} (it {})", job.weight.is_what(), key.did);
            let mut finding = entry.finding(
                job.weight.level(),
                job.weight.code(SETTING),
                expected,
                job.without.as_str(),
            );
            finding.help = job.help();
            Some(finding)
        }
        (_, Some(Known::WithoutEffect)) => Some(entry.finding(
            Level::Note,
            "as-before",
            "has no effect in the ConfigMap",
            "ignored, as under ingress-nginx",
        )),
        (_, Some(Known::Retired(retired))) => {
            let expected = format!("is a key that ingress-nginx dropped in {}", retired.since);
            let finding = entry.finding(Level::Note, "retired", expected, "ignored");
            Some(finding.help(retired.now.as_str()))
        }
        (_, None) => {
            let finding = entry.finding(
                Level::Warning,
                "unknown",
                "is no key of ingress-nginx's ConfigMap",
                "ignored, by ingress-nginx too",
            );
            Some(match alternatives::nearest_key(entry.key) {
                Some(known) => finding.help(format!("did you mean {known}?")),
                None if catalogue::find(entry.key).is_some() => {
                    finding.help("it is an annotation: Ingresses say it")
                }
                None => finding,
            })
        }
        _ => None,
    }
}

/// A TCP or UDP Service of ingress-nginx: `"5432": "database/postgres:5432"` in a ConfigMap of its
/// own.
///
/// Source: `getStreamServices`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.
fn stream_service(entry: Entry<'_>) -> Option<Finding> {
    let (service, port) = entry.value.split_once(':')?;
    let is_port = entry.key.parse::<u16>().is_ok();
    let is_service = service.split('/').count() == 2 && !service.contains(char::is_whitespace);
    (is_port && is_service && !port.is_empty()).then(|| {
        entry
            .finding(
                Level::Warning,
                "stream-service",
                "is a TCP or UDP Service, where this is a ConfigMap of ingress-nginx",
                "nobody listens on that port: limpet renders HTTP alone",
            )
            .help("Envoy: a listener with tcp_proxy or udp_proxy")
            .help("Istio: Gateway servers with protocol TCP, VirtualService tcp")
            .help("Gateway API: TCPRoute, UDPRoute")
    })
}
