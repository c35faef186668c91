//! Reads an answer of Envoy's `/clusters`: addresses and health only, in either form.

mod garbage;
mod json;
mod text;

use crate::endpoints::Endpoint;
pub use garbage::Garbage;
use std::collections::BTreeMap;

/// An answer that is being read, in slices: one about thousands of endpoints has megabytes.
#[derive(Debug)]
pub struct Reading(Form);

#[derive(Debug)]
enum Form {
    /// Read at once: asked for only where endpoints are few.
    Json(BTreeMap<String, Vec<Endpoint>>),
    Text(text::Text),
}

impl Reading {
    /// Starts to read a body.
    ///
    /// # Errors
    /// If the answer is in neither form, or ends in the middle.
    pub fn start(body: Vec<u8>) -> Result<Self, Garbage> {
        Ok(Self(match body.trim_ascii_start().first() {
            Some(b'{') => Form::Json(json::read(&body)?),
            _ => Form::Text(text::Text::start(body)?),
        }))
    }

    /// Reads up to so many endpoints; says whether there are no more.
    ///
    /// # Errors
    /// If the answer is in neither form after all.
    pub fn step(&mut self, endpoints: usize) -> Result<bool, Garbage> {
        match &mut self.0 {
            Form::Json(_) => Ok(true),
            Form::Text(text) => text.step(endpoints),
        }
    }

    /// The endpoints of the clusters in the answer, as listed; `asked` are those that matter.
    /// Endpoints that are no `ip:port` (pipes, internal addresses) are left out: no cookie can
    /// name them.
    #[must_use]
    pub fn finish(self, asked: &[String]) -> BTreeMap<String, Vec<Endpoint>> {
        match self.0 {
            Form::Json(clusters) => clusters,
            Form::Text(text) => text.finish(asked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::Health::*;

    fn read(body: &[u8], asked: &[String]) -> Result<BTreeMap<String, Vec<Endpoint>>, Garbage> {
        let mut reading = Reading::start(body.to_vec())?;
        while !reading.step(2)? {}
        Ok(reading.finish(asked))
    }

    fn asked() -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).to_vec()
    }

    fn flat(body: &str) -> Vec<(String, Vec<(String, crate::endpoints::Health)>)> {
        let told = |e: Vec<Endpoint>| e.into_iter().map(|e| (e.address.to_string(), e.health));
        let clusters = read(body.as_bytes(), &asked()).unwrap().into_iter();
        clusters
            .map(|(name, endpoints)| (name, told(endpoints).collect()))
            .collect()
    }

    const JSON: &str = r#"{"cluster_statuses": [
      {"name": "a", "added_via_api": true, "host_statuses": [
        {"address": {"socket_address": {"address": "10.0.0.1", "port_value": 80}},
         "stats": [{"name": "cx_total", "value": "12"}, {"name": "cx_active", "type": "GAUGE"}],
         "health_status": {"eds_health_status": "HEALTHY"}, "weight": 1, "locality": {}},
        {"address": {"socket_address": {"address": "10.0.0.2", "port_value": 80}},
         "health_status": {"eds_health_status": "DRAINING"}},
        {"address": {"socket_address": {"address": "10.0.0.3", "port_value": 80}},
         "health_status": {"failed_outlier_check": true, "eds_health_status": "HEALTHY"}},
        {"address": {"socket_address": {"address": "::1", "port_value": 80}},
         "health_status": {"failed_active_health_check": true}},
        {"address": {"socket_address": {"address": "10.0.0.4", "port_value": 80}},
         "health_status": {"eds_health_status": "UNHEALTHY"}},
        {"address": {"socket_address": {"address": "10.0.0.5", "port_value": 80}},
         "health_status": {"eds_health_status": "TIMEOUT"}},
        {"address": {"pipe": {"path": "/tmp/x"}}, "health_status": {}}]},
      {"name": "b"}]}"#;

    const TEXT: &str = "a::observability_name::a
a::added_via_api::true
a::10.0.0.1:80::cx_active::0
a::10.0.0.1:80::health_flags::healthy
a::10.0.0.1:80::weight::1
a::10.0.0.2:80::health_flags::/eds_status_draining
a::10.0.0.3:80::health_flags::/failed_outlier_check
a::[::1]:80::health_flags::/failed_active_hc/active_hc_timeout
a::10.0.0.4:80::health_flags::/failed_eds_health
a::10.0.0.5:80::health_flags::/failed_eds_health
a::/tmp/x::health_flags::healthy
b::observability_name::b
b::added_via_api::false
";

    #[test]
    fn both_forms_say_the_same() {
        let expected = vec![
            (
                "a".to_string(),
                vec![
                    ("10.0.0.1:80".to_string(), Healthy),
                    ("10.0.0.2:80".to_string(), Draining),
                    ("10.0.0.3:80".to_string(), Unhealthy),
                    ("[::1]:80".to_string(), Unhealthy),
                    ("10.0.0.4:80".to_string(), Unhealthy),
                    ("10.0.0.5:80".to_string(), Unhealthy),
                ],
            ),
            ("b".to_string(), vec![]),
        ];
        assert_eq!(flat(JSON), expected);
        assert_eq!(flat(TEXT), expected);
    }

    #[test]
    fn no_cluster_is_an_answer_and_garbage_is_none() {
        assert_eq!(flat("{}"), vec![]);
        assert_eq!(flat(""), vec![]);
        for garbage in [
            "<html>",
            "{",
            "[]",
            r#"{"cluster_statuses": 1}"#,
            r#"{"status": "ok"}"#,
            "no\nlines\n",
        ] {
            assert!(read(garbage.as_bytes(), &asked()).is_err(), "{garbage:?}");
        }
        for cut in 1..JSON.len() {
            assert!(
                read(&JSON.as_bytes()[..cut], &asked()).is_err(),
                "cut at {cut}"
            );
        }
        assert!(read(&TEXT.as_bytes()[..TEXT.len() - 1], &asked()).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for seed in [JSON, TEXT] {
            for _ in 0..3000 {
                let mut bytes = seed.as_bytes().to_vec();
                for _ in 0..1 + next() % 8 {
                    let at = next() as usize % bytes.len();
                    match next() % 3 {
                        0 => bytes[at] = next() as u8,
                        1 => drop(bytes.remove(at)),
                        _ => bytes.insert(at, b"{}[]\":\n\\"[next() as usize % 8]),
                    }
                }
                let _ = read(&bytes, &asked());
            }
        }
        let _ = read("[".repeat(100_000).as_bytes(), &[]);
        let _ = read("{\"x\":".repeat(100_000).as_bytes(), &[]);
    }
}
