//! One row: what is done, and what comes of it.

use super::backends::Backends;
use limpet_tests::guest::{Guest, read_pairs};
use limpet_tests::http::{self, Request, Response};
use limpet_tests::wait::PATIENCE;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Where a target runs one row.
pub(super) struct Place {
    pub(super) listener: SocketAddr,
    pub(super) admin: http::Place,
}

/// One oddity.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// A sentence.
    pub(super) name: String,
    /// The module; absent: one that does nothing.
    #[serde(default)]
    pub(super) guest: Guest,
    /// Envoy's `failure_policy`; absent: `FAIL_CLOSED`.
    pub(super) failure_policy: Option<String>,
    /// How the harness differs, and why that may be; it must differ.
    pub(super) harness: Option<String>,
    /// What is sent, in order, each on a connection of its own.
    pub(super) requests: Vec<Exchange>,
}

/// A request and what comes of it; what `expect` does not name is not compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    /// The raw target; absent: `/a`.
    #[serde(default = "slash_a")]
    get: String,
    /// Asked of the admin, not of the listener.
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    method: Option<String>,
    /// Further header fields, as written.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The whole head as it stands on the wire, instead of all the above.
    #[serde(default)]
    raw: Option<String>,
    /// Asked again until it comes out as expected.
    #[serde(default)]
    eventually: bool,
    expect: Expect,
}

fn slash_a() -> String {
    "/a".into()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    status: Option<u16>,
    body: Option<String>,
    /// A name of a pod, such as `a0`, a cluster for any of its pods, or `none`.
    served_by: Option<String>,
    /// Pseudo-headers and fields as the pod got them; `[]`: absent.
    #[serde(default)]
    at_pod: BTreeMap<String, Vec<String>>,
    /// Response fields; `[]`: absent.
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
    /// What the host answered to each call: `ok`, `ok "text"`, `ok 0x00ff`, `not_found`, ...
    seen: Option<Vec<String>>,
    /// Names of the headers that `pairs` showed, in order.
    names: Option<Vec<String>>,
    /// What the JSON body contains: objects by key, arrays of one length in any order.
    json: Option<serde_json::Value>,
    /// Lines that the body has.
    #[serde(default)]
    lines: Vec<String>,
}

impl Row {
    /// Sends its requests; the differences, if there are any.
    pub(super) fn play(&self, place: &Place, backends: &Backends) -> Result<(), Vec<String>> {
        let numbered = self.requests.iter().enumerate();
        let differences = numbered.flat_map(|(number, exchange)| {
            let differences = exchange.play(place, backends);
            differences
                .into_iter()
                .map(move |why| format!("request {}: {why}", number + 1))
        });
        let differences: Vec<_> = differences.collect();
        if differences.is_empty() {
            Ok(())
        } else {
            Err(differences)
        }
    }
}

impl Exchange {
    fn play(&self, place: &Place, backends: &Backends) -> Vec<String> {
        let limit = if self.eventually {
            PATIENCE
        } else {
            Duration::ZERO
        };
        let mut last = Vec::new();
        let done = limpet_tests::wait::for_some(limit, || {
            last = match self.send(place) {
                Ok(response) => self.expect.differences(&response, backends),
                Err(why) => vec![format!("no answer: {why}")],
            };
            (last.is_empty() || !self.eventually).then_some(())
        });
        drop(done);
        last
    }

    fn send(&self, place: &Place) -> std::io::Result<Response> {
        let to = if self.admin {
            place.admin.clone()
        } else {
            place.listener.into()
        };
        if let Some(raw) = &self.raw {
            let mut connection = http::Connection::open(to)?;
            connection.send_bytes(&http::bytes(raw))?;
            return connection.read_response(false);
        }
        let mut request = Request::get("shop.example", http::bytes(&self.get));
        for (name, value) in &self.headers {
            request = request.header(http::bytes(name), http::bytes(value));
        }
        if let Some(method) = &self.method {
            request = request.method(method);
        }
        http::send(to, &request)
    }
}

impl Expect {
    fn differences(&self, response: &Response, backends: &Backends) -> Vec<String> {
        let mut out = Vec::new();
        let mut compare = |what: &str, want: String, have: String| {
            if want != have {
                out.push(format!("{what}: expected {want}, is {have}"));
            }
        };
        if let Some(status) = self.status {
            compare("status", status.to_string(), response.status.to_string());
        }
        if let Some(body) = &self.body {
            compare("body", body.clone(), response.text());
        }
        if let Some(name) = &self.served_by {
            let served = backends.names(response.endpoint().as_deref());
            let fits = served.contains(&name.as_str());
            compare(
                "served_by",
                name.clone(),
                if fits {
                    name.clone()
                } else {
                    format!("{served:?}")
                },
            );
        }
        let echo = response.echo();
        for (name, want) in &self.at_pod {
            let have = match (&echo, name.as_str()) {
                (None, _) => vec!["(no pod answered)".to_owned()],
                (Some(echo), ":path") => vec![echo.path.clone()],
                (Some(echo), ":method") => vec![echo.method.clone()],
                (Some(echo), name) => echo.all(name),
            };
            compare(
                &format!("at the pod, {name}"),
                format!("{want:?}"),
                format!("{have:?}"),
            );
        }
        for (name, want) in &self.headers {
            let have = response.all(name);
            compare(
                &format!("header {name}"),
                format!("{want:?}"),
                format!("{have:?}"),
            );
        }
        let seen = response.all("x-seen");
        if let Some(want) = &self.seen {
            let have: Vec<_> = seen.iter().map(|seen| readable(seen)).collect();
            compare(
                "seen",
                format!("[{}]", want.join(", ")),
                format!("[{}]", have.join(", ")),
            );
        }
        if let Some(want) = &self.names {
            let have = seen
                .iter()
                .find_map(|seen| Some(read_pairs(&unhex(seen.strip_prefix("0:")?))));
            let have: Vec<_> = have
                .unwrap_or_default()
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            compare("names", format!("{want:?}"), format!("{have:?}"));
        }
        if let Some(want) = &self.json {
            let have = serde_json::from_slice(&response.body).unwrap_or_default();
            compare(
                "json",
                String::from("contained"),
                contains(&have, want).err().unwrap_or("contained".into()),
            );
        }
        for line in &self.lines {
            let there = response.text().lines().any(|l| l == line);
            compare(
                "line",
                line.clone(),
                if there { line.clone() } else { response.text() },
            );
        }
        out
    }
}

/// Whether `have` has everything that `want` has; else where not.
fn contains(have: &serde_json::Value, want: &serde_json::Value) -> Result<(), String> {
    use serde_json::Value::{Array, Object};
    match (have, want) {
        (Object(have), Object(want)) => want.iter().try_for_each(|(key, want)| {
            let have = have.get(key).ok_or(format!("no {key:?}"))?;
            contains(have, want).map_err(|why| format!("{key}: {why}"))
        }),
        (Array(have), Array(want)) if have.len() == want.len() => {
            want.iter().try_for_each(|want| {
                let found = have.iter().map(|have| contains(have, want)).min();
                found.unwrap_or(Ok(()))
            })
        }
        _ if have == want => Ok(()),
        _ => Err(format!("{want} expected, is {have}")),
    }
}

/// `0:616263` as `ok "abc"`, `1` as `not_found`.
fn readable(seen: &str) -> String {
    let (status, bytes) = seen
        .split_once(':')
        .map_or((seen, None), |(s, b)| (s, Some(unhex(b))));
    let status = match status {
        "0" => "ok",
        "1" => "not_found",
        "2" => "bad_argument",
        "3" => "serialization_failure",
        "7" => "empty",
        "8" => "cas_mismatch",
        "10" => "internal_failure",
        "12" => "unimplemented",
        other => other,
    };
    match bytes {
        None => status.to_owned(),
        Some(bytes) if bytes.iter().all(|b| (b' '..=b'~').contains(b)) => {
            format!("{status} \"{}\"", http::latin1(&bytes))
        }
        Some(bytes) => format!("{status} 0x{}", hex(&bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
        .collect()
}
