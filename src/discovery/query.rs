//! What is asked of Envoy's admin: paths, and the keys of what is shared about the answers.

use super::listing::digest;
use std::fmt::Write;

/// Changes when the shared values change their form: two modules of one process may differ.
const FORMAT: u32 = 2;

/// A longer path is not sent (Envoy refuses heads over 60 KiB): all clusters are asked for.
const LONGEST_PATH: usize = 32 * 1024;

/// Above so many endpoints the text form is asked for: three times cheaper for Envoy.
const JSON_ENDPOINTS: usize = 200;

/// Which clusters of which admin.
#[derive(Debug, Clone)]
pub struct Query {
    /// Envoy's name of the cluster toward its own admin.
    pub admin: String,
    /// Envoy's names of the clusters whose endpoints are wanted, sorted, each once.
    pub clusters: Vec<String>,
}

/// Under which names the VMs of one process share what they learn by one query.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Who polls, and since when.
    pub lease: String,
    /// How the last poll went.
    pub news: String,
    /// The endpoints.
    pub table: String,
}

impl Query {
    /// The query about `clusters`.
    #[must_use]
    pub fn new(admin: String, mut clusters: Vec<String>) -> Self {
        clusters.sort_unstable();
        clusters.dedup();
        Self { admin, clusters }
    }

    /// Plugins without a `vm_id` share one namespace, and an old and a new configuration
    /// live side by side while connections drain: so the query is part of the key.
    #[must_use]
    pub fn keys(&self) -> Keys {
        let query = format!("{}\n{}", self.admin, self.clusters.join("\n"));
        let digest = digest(query.as_bytes());
        let key = |what| format!("limpet/{FORMAT}/{digest:016x}/{what}");
        Keys {
            lease: key("lease"),
            news: key("news"),
            table: key("table"),
        }
    }
}

/// The path that asks for the endpoints of `clusters`. `endpoints`: how many are expected;
/// `None`: not known, which is answered cheapest as text.
#[must_use]
pub fn endpoints_path(clusters: &[String], endpoints: Option<usize>) -> String {
    let form = match endpoints {
        Some(n) if n <= JSON_ENDPOINTS => "format=json",
        _ => "format=text",
    };
    let names = alternatives(clusters.iter().map(String::as_str));
    let path = format!(
        "/clusters?{form}&filter={}",
        encoded(&format!("^({names})$"))
    );
    match path.len() {
        0..=LONGEST_PATH => path,
        _ => format!("/clusters?{form}"),
    }
}

/// The path that asks for the membership figures of `clusters`: far cheaper than asking for
/// the endpoints.
#[must_use]
pub fn membership_path(clusters: &[String]) -> String {
    let names: Vec<String> = clusters.iter().map(|c| stat_name(c)).collect();
    let names = alternatives(names.iter().map(String::as_str));
    let filter = format!(r"^cluster\.({names})\.membership_");
    match encoded(&filter) {
        filter if filter.len() <= LONGEST_PATH => format!("/stats?filter={filter}"),
        _ => "/stats?filter=membership_".into(),
    }
}

/// A cluster's name as Envoy writes it in the names of statistics.
///
/// Source: `Stats::Utility::sanitizeStatsName`, Envoy 1.40.
#[must_use]
pub fn stat_name(cluster: &str) -> String {
    cluster.replace(':', "_")
}

fn alternatives<'c>(clusters: impl Iterator<Item = &'c str>) -> String {
    let mut names = String::new();
    for cluster in clusters {
        if !names.is_empty() {
            names.push('|');
        }
        for c in cluster.chars() {
            if c.is_ascii_punctuation() && c != '_' && c != '-' {
                names.push('\\');
            }
            names.push(c);
        }
    }
    names
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_are_escaped_for_the_pattern_and_then_for_the_path() {
        assert_eq!(
            endpoints_path(&names(&["a-b_c", "outbound|80||x.y"]), Some(3)),
            r"/clusters?format=json&filter=%5E%28a-b_c%7Coutbound%5C%7C80%5C%7C%5C%7Cx%5C.y%29%24"
        );
        assert_eq!(
            membership_path(&names(&["a:b"])),
            r"/stats?filter=%5Ecluster%5C.%28a_b%29%5C.membership_"
        );
    }

    #[test]
    fn many_endpoints_are_asked_for_as_text_and_very_many_clusters_without_a_filter() {
        assert!(endpoints_path(&names(&["a"]), Some(201)).contains("format=text"));
        assert!(endpoints_path(&names(&["a"]), None).contains("format=text"));
        let many: Vec<String> = (0..4000).map(|i| format!("service-number-{i}")).collect();
        assert_eq!(endpoints_path(&many, Some(9)), "/clusters?format=json");
        assert_eq!(membership_path(&many), "/stats?filter=membership_");
    }

    #[test]
    fn the_keys_depend_on_the_query_but_not_on_the_order_of_its_clusters() {
        let keys = |admin: &str, c: &[&str]| Query::new(admin.into(), names(c)).keys().table;
        assert_eq!(keys("x", &["a", "b"]), keys("x", &["b", "a", "b"]));
        assert_ne!(keys("x", &["a", "b"]), keys("x", &["a"]));
        assert_ne!(keys("x", &["a"]), keys("y", &["a"]));
        assert!(keys("x", &["a"]).starts_with("limpet/2/"));
    }
}
