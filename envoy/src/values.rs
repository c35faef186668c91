//! Values that nobody reads: of the ConfigMap's keys those that the module does not look at, and of annotations
//! those that nginx refuses. What holds in their place.
//!
//! Source: `ReadConfig`, `internal/ingress/controller/template/configmap.go`, whose decoder leaves the default
//! where a text is no number and no boolean; `nginx.tmpl`; ingress-nginx dbb11b92d.

use std::collections::BTreeMap;

use limpet::annotations::catalogue::{self, Refused, Risk};
use limpet::annotations::check_global;
use limpet::annotations::validator::parse_bool;
use limpet::config::settings::Settings;
use limpet::redirect::why_unusable;
use limpet::remark::{Effect, Expected, Field, Problem, Remark};

use crate::check::default_of;
use crate::manifests::Manifests;
use crate::taken::TakenIngress;
use crate::tls_params::VERSIONS;

/// Numbers that nginx takes where they are not below 0, and refuses its whole configuration where they are.
const COUNTS: [&str; 8] = [
    "client-header-timeout",
    "http2-max-concurrent-streams",
    "keep-alive",
    "proxy-connect-timeout",
    "proxy-next-upstream-timeout",
    "proxy-next-upstream-tries",
    "proxy-read-timeout",
    "proxy-send-timeout",
];

/// Texts whose default looks like a number.
const TEXTS: [&str; 2] = ["hsts-max-age", "otlp-collector-port"];

/// The words of `proxy_next_upstream`.
const NEXT_UPSTREAM: [&str; 13] = [
    "error",
    "timeout",
    "invalid_header",
    "updating",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
    "http_403",
    "http_404",
    "http_429",
    "non_idempotent",
    "off",
];

/// What stands in nginx's configuration without quotes, and whether it is one word there.
const BARE: [(&str, bool); 12] = [
    ("app-root", true),
    ("connection-proxy-header", true),
    ("permanent-redirect", true),
    ("proxy-cookie-domain", false),
    ("proxy-cookie-path", false),
    ("proxy-redirect-from", true),
    ("proxy-redirect-to", true),
    ("proxy-ssl-ciphers", true),
    ("proxy-ssl-name", true),
    ("rewrite-target", true),
    ("ssl-ciphers", true),
    ("temporal-redirect", true),
];

/// What is said of the ConfigMap's keys, where the module says nothing.
pub(crate) fn settings(manifests: &Manifests) -> impl Iterator<Item = Remark> {
    let data = manifests.settings().and_then(|data| data.as_object());
    let entries = data.into_iter().flatten();
    let entries = entries.filter_map(|(key, value)| Some((key, value.as_str()?)));
    entries.filter_map(|(key, value)| {
        let (value, problem, effect) = problem(key, value)?;
        let field = format!("config_map.{key}");
        Some(Remark::key(&field, Some(value.to_owned()), problem, effect))
    })
}

/// Whether ingress-nginx reads the value of a key.
pub(crate) fn is_read(key: &str, value: &str) -> bool {
    by_the_module(key, value).is_none() && problem(key, value).is_none()
}

/// What nginx refuses of an Ingress, whichever ingress-nginx writes it.
pub(crate) fn annotations(manifests: &Manifests, ingress: &TakenIngress<'_>) -> Vec<Remark> {
    let below = COUNTS.iter().filter_map(|name| {
        let value = ingress.annotation(name)?;
        value.parse::<i64>().ok().filter(|count| *count < 0)?;
        let (expected, by) = (Expected::WholeNumber, holding(manifests, name)?);
        let problem = Problem::Replaced { expected, by };
        let remark = Remark::new(Field::annotation(name), value, problem, Effect::Setting);
        Some(remark.of(ingress.id()))
    });
    below.collect()
}

/// What holds where the annotation `name` says nothing: the ConfigMap's value, or the default of that.
pub(crate) fn holding(manifests: &Manifests, name: &str) -> Option<String> {
    // Of these the annotation asks no ConfigMap.
    if ["disable-proxy-intercept-errors", "enable-modsecurity"].contains(&name) {
        return None;
    }
    let default = default_of(name)?;
    let given = manifests.setting(name);
    let given = given.filter(|value| !value.is_empty() && is_read(name, value));
    Some(given.unwrap_or(default).to_owned()).filter(|value| !value.is_empty())
}

/// Whether nginx refuses its whole configuration with that value of an annotation in it.
///
/// Source: `ngx_conf_read_token`, `src/core/ngx_conf_file.c` of nginx 1.27.1.
pub(crate) fn breaks_nginx(name: &str, value: &str) -> bool {
    let value = unquoted(value.trim()).replace("${", "");
    let ends_a_word = |is_word: bool| is_word && value.contains(char::is_whitespace);
    let mut bare = BARE.iter().filter(|(bare, _)| *bare == name);
    bare.any(|(_, is_word)| ends_a_word(*is_word) || value.contains([';', '{']))
}

/// What of a text stands in no quotes. These begin where a word does.
fn unquoted(text: &str) -> String {
    let mut quote = None;
    let mut begins = true;
    let mut out = String::new();
    for letter in text.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if begins && ['"', '\''].contains(&letter) => quote = Some(letter),
            None => out.push(letter),
        }
        begins = letter.is_whitespace();
    }
    out
}

/// Whether no ingress-nginx reads the value of an annotation, whatever it validates.
pub(crate) fn is_passed_over(row: &catalogue::Annotation, value: &str) -> bool {
    let is_refused = || {
        let patterns = &mut limpet::annotations::validator::Patterns::default();
        !row.validator.accepts(value, patterns)
    };
    !value.trim().is_empty()
        && row.refused == Refused::Annotation
        && !row.reads(value)
        && is_refused()
}

/// What a value that is read in part should be, and what is used of it.
fn read_in_part(key: &str, value: &str) -> Option<(Expected, &'static str)> {
    const REST: &str = "what else it lists";
    let settings = || Settings::read(&BTreeMap::from([(key.to_owned(), value.to_owned())])).0;
    match key {
        "custom-http-errors" => {
            let texts = value.split(',').filter(|text| !text.trim().is_empty());
            let is_read = settings().custom_http_errors.len() == texts.count();
            (!is_read).then_some((Expected::Statuses, REST))
        }
        "annotations-risk-level" => {
            let is_low = value.eq_ignore_ascii_case("low");
            (settings().risk == Some(Risk::Low) && !is_low).then_some((Expected::Risk, "Low"))
        }
        "proxy-cookie-path" | "proxy-cookie-domain" => {
            why_unusable(key, value).map(|_| (Expected::Pair, "off"))
        }
        _ => {
            let name = key.strip_prefix("global-auth-")?;
            let by = match name {
                "response-headers" => REST,
                _ => "the default",
            };
            Some((check_global(name, value).err()?, by))
        }
    }
}

fn by_the_module(key: &str, value: &str) -> Option<Remark> {
    let map = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    Settings::read(&map).1.pop()
}

fn problem<'v>(key: &str, value: &'v str) -> Option<(&'v str, Problem, Effect)> {
    let default = default_of(key)?;
    let replaced = |expected, by: &str| Problem::Replaced {
        expected,
        by: by.to_owned(),
    };
    let is_number = |text: &str| text.parse::<i64>().is_ok();
    if let Some((expected, by)) = read_in_part(key, value) {
        // Of headers and methods limpet takes fewer.
        let effect = match expected {
            Expected::Names | Expected::Method | Expected::Pair => Effect::Setting,
            _ => Effect::AsBefore,
        };
        return Some((value, replaced(expected, by), effect));
    }
    let found = match key {
        "proxy-next-upstream" | "ssl-protocols" => {
            let known: &[&str] = match key {
                "ssl-protocols" => &VERSIONS,
                _ => &NEXT_UPSTREAM,
            };
            let mut words = value.split_whitespace();
            let unknown = words.find(|word| !known.contains(word))?;
            let words = known.to_vec();
            (unknown, Problem::UnknownWord { words }, Effect::Setting)
        }
        "hsts-max-age" => {
            let is_age = value.bytes().all(|byte| byte.is_ascii_digit());
            let by = format!("max-age={value}, which no browser takes,");
            let problem = replaced(Expected::Seconds, &by);
            (!is_age).then_some((value, problem, Effect::AsBefore))?
        }
        // Nothing is false, and 0.
        _ if value.is_empty() || TEXTS.contains(&key) => return None,
        _ if parse_bool(default).is_some() && !is_number(default) => {
            let problem = replaced(Expected::Flag, default);
            let is_flag = parse_bool(value).is_some();
            (!is_flag).then_some((value, problem, Effect::AsBefore))?
        }
        _ if is_number(default) => {
            let problem = replaced(Expected::WholeNumber, default);
            match value.parse::<i64>() {
                Err(_) => (value, problem, Effect::AsBefore),
                Ok(count) if count < 0 && COUNTS.contains(&key) => {
                    (value, problem, Effect::Setting)
                }
                Ok(_) => return None,
            }
        }
        _ => return None,
    };
    by_the_module(key, value).is_none().then_some(found)
}

#[cfg(test)]
mod tests;
