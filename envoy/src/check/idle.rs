//! Annotations and keys that have a job in the table and did nothing under ingress-nginx either, or
//! not what their name says.

use limpet::annotations::catalogue;
use limpet::annotations::validator::parse_bool;
use limpet::ingress::{Ingress, PREFIX};
use serde_json::Value;

use super::alternatives::{Job, Weight};
use super::finding::{ELSEWHERE, IDLE, Level};
use crate::manifests::Manifests;
use crate::passthrough;
use crate::values;

/// Why nothing is lost.
pub(super) struct Idle {
    pub(super) level: Level,
    pub(super) code: &'static str,
    pub(super) expected: String,
    pub(super) consequence: String,
}

impl Idle {
    fn note(expected: impl Into<String>) -> Option<Self> {
        Some(Self {
            level: Level::Note,
            code: IDLE,
            expected: expected.into(),
            consequence: "ignored, by ingress-nginx too".to_owned(),
        })
    }

    fn difference(expected: &str, consequence: &str) -> Option<Self> {
        Some(Self {
            level: Level::Warning,
            code: ELSEWHERE,
            expected: expected.to_owned(),
            consequence: consequence.to_owned(),
        })
    }
}

/// What is known of ingress-nginx itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Controller<'m> {
    /// Its ConfigMap, where that is known.
    pub(crate) settings: Option<&'m Value>,
    /// Whether it has `--enable-ssl-passthrough`.
    ssl_passthrough: Option<bool>,
}

impl<'m> Controller<'m> {
    /// What manifests and `--config` say of it.
    pub(crate) fn of(manifests: &'m Manifests) -> Self {
        Self {
            settings: manifests.known_settings(),
            ssl_passthrough: manifests.ssl_passthrough,
        }
    }
}

/// An annotation, beside the others of its Ingress and what is known of the controller.
pub(super) fn annotation(
    job: &Job,
    ingress: &Ingress,
    name: &str,
    controller: Controller<'_>,
) -> Option<Idle> {
    let settings = controller.settings;
    let given = |name: &str| {
        let value = ingress.annotations.get(&format!("{PREFIX}{name}"))?;
        Some(value.as_str())
    };
    if job.weight == Weight::Loss && !is_of_server(name) && given("canary").is_some_and(is_true) {
        return Idle::note("stands on a canary, which takes this from the Ingress that it is of");
    }
    if name == passthrough::ANNOTATION && controller.ssl_passthrough == Some(false) {
        return Idle::note("does nothing: the controller has no --enable-ssl-passthrough");
    }
    let is_on = |head: &str| {
        let here = given(head).is_some_and(|value| is_usable(head, value) && !job.is_off(value));
        here || job.is_key_on(head, setting(settings, head))
    };
    if job.lacks_head(name, is_on) {
        let heads = job.heads.join(" or ");
        return Idle::note(format!("does nothing by itself, without {heads}"));
    }
    // Its template writes it and nobody asks for it: `fastcgi_index` without `fastcgi_pass`.
    if name == "fastcgi-index" && !given(PROTOCOL).is_some_and(speaks_fastcgi) {
        return Idle::note("does nothing by itself, without backend-protocol: FCGI");
    }
    if name.ends_with("-snippet") {
        return snippet(settings?);
    }
    None
}

const PROTOCOL: &str = "backend-protocol";

fn speaks_fastcgi(protocol: &str) -> bool {
    protocol.trim().eq_ignore_ascii_case("FCGI")
}

/// An annotation that ingress-nginx reads only beside another one, which is not there.
pub(super) fn alone(ingress: &Ingress, name: &str) -> Option<Idle> {
    let head = catalogue::find(name)?.head()?;
    let beside = ingress.annotations.get(&format!("{PREFIX}{head}"));
    let is_alone = beside.is_none_or(|value| value.trim().is_empty());
    is_alone.then(|| Idle::note(format!("does nothing by itself, without {head}")))?
}

/// A key of the ConfigMap `settings`.
pub(super) fn key(job: &Job, name: &str, settings: &Value) -> Option<Idle> {
    let beside = |key: &str| setting(Some(settings), key);
    if job.lacks_head(name, |head| job.is_key_on(head, beside(head))) {
        let heads = job.heads.join(" or ");
        return Idle::note(format!("does nothing by itself, without {heads}"));
    }
    None
}

fn setting<'v>(settings: Option<&'v Value>, key: &str) -> Option<&'v str> {
    settings?.get(key)?.as_str()
}

fn is_true(value: &str) -> bool {
    parse_bool(value) == Some(true)
}

/// Whether ingress-nginx reads the value. What it refuses together with the Ingress, or with a 503, is another thing.
pub(super) fn is_usable(name: &str, value: &str) -> bool {
    catalogue::find(name).is_none_or(|row| !values::is_passed_over(row, value))
}

/// What a canary does set for the host: all other Ingresses of it have that too.
///
/// Source: `getBackendServers`, which sets these before it looks for canaries, `createServers` and
/// `createUpstreams`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.
fn is_of_server(name: &str) -> bool {
    name.starts_with("auth-tls-") || name.starts_with("proxy-ssl-")
}

/// A snippet under settings that are known.
///
/// Source: `CheckIngress` and `dropSnippetDirectives`, `internal/ingress/controller/controller.go`;
/// `CheckAnnotationRisk`, `internal/ingress/annotations/parser/validators.go`; ingress-nginx
/// dbb11b92d.
fn snippet(settings: &Value) -> Option<Idle> {
    let setting = |key: &str| settings.get(key).and_then(Value::as_str);
    if setting("allow-snippet-annotations").is_some_and(is_true) {
        return None;
    }
    let expected = "did nothing: the ConfigMap has no allow-snippet-annotations: \"true\"";
    let risk = setting("annotations-risk-level").unwrap_or_default();
    if risk.trim().eq_ignore_ascii_case("critical") {
        return Idle::note(expected);
    }
    Idle::difference(
        expected,
        "the Ingress is served without it; ingress-nginx 1.15 serves nothing of an Ingress with a snippet (404)",
    )
}
