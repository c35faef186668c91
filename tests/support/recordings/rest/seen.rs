//! What became of a recorded request, and how that differs from the recording.

use crate::http::{Response, latin1};
use crate::pod::Echo;
use crate::recordings::{list, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Between fields, where they are compared as one text.
const SEPARATOR: &str = "; ";

/// Fields of an answer that are the proxy's own, and those of the pods in this test.
const ANSWER_IS_FREE: [&str; 6] = [
    "connection",
    "content-length",
    "date",
    "server",
    "transfer-encoding",
    "x-pod",
];

/// Fields of a request that are the proxy's own; how long the body is, is compared by itself.
const REQUEST_IS_FREE: [&str; 4] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "x-request-id",
];

/// What became of a request.
pub struct Seen {
    pub(super) answer: std::io::Result<Response>,
    /// Of a burst, each.
    pub(super) statuses: Vec<Option<u16>>,
    /// How many requests pods saw.
    pub(super) total: u64,
    /// The Services whose pods saw it, how often, and how the last time.
    pub(super) pods: Vec<(String, u64, Echo)>,
    /// The same of the authorizer.
    pub(super) asked: Option<(u64, Echo)>,
}

impl Seen {
    pub(super) fn reached_pods(&self) -> bool {
        !self.pods.is_empty()
    }

    /// The same without what an Envoy with another's configuration adds: fields of its own, and the address of this machine
    /// where it would append that of a client on it.
    ///
    /// # Panics
    /// The client has no address.
    #[must_use]
    pub fn but_for_envoys_own(mut self, request: &Value) -> Self {
        let echoes = self.pods.iter_mut().map(|(_, _, echo)| echo);
        let asked = self.asked.iter_mut().map(|(_, echo)| echo);
        for echo in echoes.chain(asked) {
            echo.headers
                .retain(|(name, _)| !name.starts_with("x-envoy-"));
            for (_, value) in echo
                .headers
                .iter_mut()
                .filter(|one| one.0 == "x-forwarded-for")
            {
                let at = value.rfind(' ').map_or(0, |space| space + 1);
                let last = value[at..].parse::<std::net::IpAddr>();
                let is_said = request["headers"].to_string().contains(&value[at..]);
                if last.is_ok_and(|ip| !ip.is_loopback()) && !is_said {
                    value.replace_range(at.., request["client"].as_str().unwrap());
                }
            }
        }
        if let Ok(answer) = &mut self.answer {
            answer
                .headers
                .retain(|(name, _)| !name.starts_with("x-envoy-"));
        }
        self
    }

    /// How it differs from what was recorded.
    ///
    /// # Panics
    /// That is no recorded answer.
    #[must_use]
    pub fn against(&self, expect: &Value) -> Vec<String> {
        let mut out = Vec::new();
        let mut compare = |what: &str, want: String, have: String| {
            if !fits(&want, &have) {
                let only = |one: &str, other: &str| {
                    let parts = one.split(SEPARATOR);
                    let parts = parts.filter(|part| !other.split(SEPARATOR).any(|o| o == *part));
                    parts.collect::<Vec<_>>().join(SEPARATOR)
                };
                let (recorded, is) = (only(&want, &have), only(&have, &want));
                out.push(format!("{what}: recorded {recorded:?}, is {is:?}"));
            }
        };
        let recorded = list(&expect["upstream"]);
        match &self.answer {
            Ok(answer) => {
                compare(
                    "status",
                    expect["status"].to_string(),
                    answer.status.to_string(),
                );
                let is_free = |name: &str| {
                    // An answer of nginx itself is a page of its own, and so is one of Envoy.
                    let is_page = name == "content-type"
                        && (recorded.is_empty() || answer.header("x-pod").is_none());
                    is_page || ANSWER_IS_FREE.contains(&name)
                };
                let have = answer.headers.iter();
                let have = have.map(|(name, value)| (name.clone(), latin1(value)));
                let (want, have) = (fields(&expect["headers"], is_free), grouped(have, is_free));
                compare("headers", want, have);
            }
            // nginx answered nothing either, or what is no HTTP.
            Err(_) if expect["status"].is_null() => {}
            Err(why) => compare("status", expect["status"].to_string(), why.to_string()),
        }
        let recorded_statuses = list(&expect["statuses"]).iter();
        let recorded_statuses = recorded_statuses.map(|status| status.as_u64());
        let have = self.statuses.iter().map(|status| status.map(u64::from));
        compare(
            "statuses",
            format!("{:?}", recorded_statuses.collect::<Vec<_>>()),
            format!("{:?}", have.collect::<Vec<_>>()),
        );
        let count = &expect["upstream_count"];
        let range = [&count[0], &count[1]].map(Value::as_u64);
        let fits = match (count.as_u64(), range) {
            (Some(count), _) => count == self.total,
            (None, [Some(least), Some(most)]) => (least..=most).contains(&self.total),
            _ => true,
        };
        if !fits {
            compare("requests", count.to_string(), self.total.to_string());
        }
        let is_counted = !count.is_null();
        let services = recorded
            .iter()
            .map(|one| one["service"].as_str().unwrap().to_owned());
        let have = self.pods.iter();
        let have = have.flat_map(|(name, times, _)| (0..*times).map(move |_| name.clone()));
        let sorted = |names: &mut dyn Iterator<Item = String>| {
            let mut names: Vec<String> = names.collect();
            names.sort();
            names.join(" ")
        };
        if !is_counted {
            compare(
                "pods",
                sorted(&mut services.into_iter()),
                sorted(&mut have.into_iter()),
            );
        }
        for one in recorded {
            let of_it = |(name, ..): &&(String, u64, Echo)| one["service"] == *name.as_str();
            let Some((_, _, echo)) = self.pods.iter().find(of_it) else {
                continue;
            };
            echoed("", one, echo, &mut compare);
        }
        let recorded = list(&expect["auth"]);
        let times = self.asked.as_ref().map_or(0, |(times, _)| *times);
        if expect["auth_count"].is_null() {
            compare("asked", recorded.len().to_string(), times.to_string());
        }
        if let (Some(one), Some((_, echo))) = (recorded.first(), &self.asked) {
            echoed("asked ", one, echo, &mut compare);
        }
        out
    }
}

/// How what a server saw differs from what was recorded.
fn echoed(by: &str, one: &Value, echo: &Echo, compare: &mut impl FnMut(&str, String, String)) {
    let mut compare = |what: &str, want, have| compare(&format!("{by}{what}"), want, have);
    let is_free = |name: &str| REQUEST_IS_FREE.contains(&name);
    compare("method", text(&one["method"]).unwrap(), echo.method.clone());
    compare("uri", text(&one["uri"]).unwrap(), echo.path.clone());
    compare(
        "body",
        one["body_size"].to_string(),
        echo.body_size.to_string(),
    );
    let have = grouped(echo.headers.iter().cloned(), is_free);
    compare("request", fields(&one["headers"], is_free), have);
}

fn fields(recorded: &Value, is_free: impl Fn(&str) -> bool) -> String {
    let fields = list(recorded).iter();
    let fields = fields.map(|field| (text(&field[0]).unwrap(), text(&field[1]).unwrap()));
    grouped(fields, is_free)
}

/// Fields by name, those of one name in order.
fn grouped(
    fields: impl Iterator<Item = (String, String)>,
    is_free: impl Fn(&str) -> bool,
) -> String {
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        if !is_free(&name) {
            by_name.entry(name).or_default().push(value);
        }
    }
    let lines = by_name
        .into_iter()
        .map(|(name, values)| format!("{name}: {}", values.join(" | ")));
    lines.collect::<Vec<_>>().join(SEPARATOR)
}

/// `{varies}` in a recorded text stands for anything.
fn fits(want: &str, have: &str) -> bool {
    let mut rest = have;
    for (at, part) in want.split("{varies}").enumerate() {
        match rest.find(part) {
            Some(found) if at > 0 || found == 0 => rest = &rest[found + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || want.ends_with("{varies}")
}
