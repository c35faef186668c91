//! `/stats/prometheus`.
//!
//! A module's metric loses its prefix `wasmcustom.`; `;key=value` behind its name are
//! labels, as with the `stats_tags` that Envoy can be configured with. Figures of clusters
//! have the label `envoy_cluster_name`.

use super::query::Query;
use super::stats;
use crate::environment::Environment;
use crate::metrics::{BUCKETS, Distribution, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(super) fn text(environment: &Environment, query: &Query) -> String {
    let mut families: BTreeMap<(String, &str), String> = BTreeMap::new();
    for (name, value) in stats::wanted(environment, query) {
        let (family, labels) = names(&name);
        let kind = match value {
            Value::Counter(_) => "counter",
            Value::Gauge(_) => "gauge",
            Value::Histogram(_) => "histogram",
        };
        let lines = families.entry((family.clone(), kind)).or_default();
        match value {
            Value::Counter(number) | Value::Gauge(number) => {
                let _ = writeln!(lines, "{family}{{{labels}}} {number}"); // a String takes all
            }
            Value::Histogram(seen) => histogram(lines, &family, &labels, &seen),
        }
    }
    let mut out = String::new();
    for ((family, kind), lines) in families {
        let _ = write!(out, "# TYPE {family} {kind}\n{lines}");
    }
    out
}

/// The metric's name and its labels, as they stand between the braces.
fn names(name: &str) -> (String, String) {
    if let Some(custom) = name.strip_prefix("wasmcustom.") {
        let mut parts = custom.split(';');
        let family = sanitized(parts.next().unwrap_or_default());
        let labels: Vec<_> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| format!("{}=\"{}\"", sanitized(key), escaped(value)))
            .collect();
        return (family, labels.join(","));
    }
    let cluster = name
        .strip_prefix("cluster.")
        .and_then(|rest| rest.rsplit_once('.'));
    match cluster {
        Some((cluster, figure)) => (
            format!("envoy_cluster_{}", sanitized(figure)),
            format!("envoy_cluster_name=\"{}\"", escaped(cluster)),
        ),
        None => (format!("envoy_{}", sanitized(name)), String::new()),
    }
}

fn sanitized(name: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let letters = name.chars();
    letters
        .map(|letter| if allowed(letter) { letter } else { '_' })
        .collect()
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn histogram(lines: &mut String, family: &str, labels: &str, seen: &Distribution) {
    let separator = if labels.is_empty() { "" } else { "," };
    let bounds = BUCKETS.iter().map(ToString::to_string);
    let counts = bounds.zip(seen.buckets);
    for (bound, count) in counts.chain([("+Inf".to_owned(), seen.count)]) {
        let _ = writeln!(
            lines,
            "{family}_bucket{{{labels}{separator}le=\"{bound}\"}} {count}"
        );
    }
    let _ = writeln!(lines, "{family}_sum{{{labels}}} {}", seen.sum);
    let _ = writeln!(lines, "{family}_count{{{labels}}} {}", seen.count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_families_and_labels() {
        for (name, family, labels) in [
            ("wasmcustom.picks", "picks", ""),
            (
                "wasmcustom.picks;to=a;why=new",
                "picks",
                r#"to="a",why="new""#,
            ),
            ("wasm.p.vm_reload", "envoy_wasm_p_vm_reload", ""),
            (
                "cluster.a.b.total",
                "envoy_cluster_total",
                r#"envoy_cluster_name="a.b""#,
            ),
        ] {
            assert_eq!(
                names(name),
                (family.to_owned(), labels.to_owned()),
                "{name}"
            );
        }
    }
}
