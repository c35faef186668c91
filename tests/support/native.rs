//! The native core as a proxy would drive it: one request from head to head, the answer of
//! the endpoint made up.

use crate::vectors::Observed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet::edit::{self, Edit, Reply};
use limpet::endpoints::{ClusterTable, Endpoint, EndpointTable, Health};
use limpet::facts::{Facts, Knowledge};
use limpet::policy::Policy;
use limpet::stream::{ResponseHead, Step, Stream};

/// `response.code_details` where an endpoint answered.
const VIA: &[u8] = b"via_upstream";

/// The core, configured.
pub struct Native {
    policy: Policy,
    endpoints: EndpointTable,
    now: u64,
}

/// A request as the core sees it.
#[derive(Debug, Clone)]
pub struct Head {
    /// `http` or `https`.
    pub scheme: String,
    /// Names in lower case, pseudo-headers included.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Native {
    /// The core with a plugin configuration whose endpoints are static.
    ///
    /// # Panics
    /// The configuration is not one.
    #[must_use]
    pub fn new(config: &serde_json::Value, now: u64) -> Self {
        let (config, _) = limpet::config::read(config.to_string().as_bytes()).unwrap();
        let (policy, _) = limpet::policy::compile(&config);
        let mut endpoints = EndpointTable::default();
        for cluster in &policy.clusters {
            let healthy = |address: &String| Endpoint {
                address: address.clone(),
                health: Health::Healthy,
            };
            let given = policy.endpoints.get(&cluster.envoy_name);
            let given = given
                .map(|all| all.iter().map(healthy).collect())
                .unwrap_or_default();
            endpoints.insert(
                cluster.envoy_name.clone(),
                ClusterTable::build(cluster.index(), given),
            );
        }
        Self {
            policy,
            endpoints,
            now,
        }
    }

    /// What becomes of a request; an endpoint answers 200 with these headers. Where the core
    /// names no endpoint, the cluster's first answers.
    ///
    /// # Panics
    /// The core waits for endpoints that it has.
    #[must_use]
    pub fn ask(
        &self,
        request: &Head,
        answered: &[(String, Vec<u8>)],
    ) -> (Observed, serde_json::Value) {
        let mut stream = Stream::default();
        let property = |path: &[&str]| match path {
            ["source", "address"] => Some(b"127.0.0.1:40000".to_vec()),
            ["connection", "tls_version"] if request.scheme == "https" => Some(b"TLSv1.3".to_vec()),
            ["connection", "mtls"] => Some(vec![0]),
            ["request", "scheme"] => Some(request.scheme.clone().into_bytes()),
            ["response", "code_details"] => Some(VIA.to_vec()),
            _ => None,
        };
        let no_endpoint = |path: &[&str]| match path {
            ["response", "code_details"] => Some(b"no_healthy_upstream".to_vec()),
            other => property(other),
        };
        let (now, random, knowledge) = (|| self.now, || 7, || Knowledge::Current);
        let facts = |details: &'static [u8]| Facts {
            now: &now,
            random: &random,
            property: if details == VIA {
                &property
            } else {
                &no_endpoint
            },
            knowledge: &knowledge,
        };
        let fields = edit::fields(&request.headers);
        let asked = stream.on_request(&self.policy, &self.endpoints, &fields, &facts(VIA));
        let mut record = asked.telemetry.record;
        let seen = match asked.step {
            Step::Reply(reply) => local(&reply),
            Step::Wait => panic!("the endpoints are there, and the core waits"),
            Step::Forward(edits) => {
                let head = apply(request.headers.clone(), edits);
                let served = self.endpoint(&head);
                let mut seen =
                    reached(&head, served.as_ref().map(|(endpoint, _)| endpoint.clone()));
                let mut headers = answered.to_vec();
                if let Some((endpoint, false)) = &served {
                    headers.push((
                        self.policy.headers.endpoint.clone(),
                        STANDARD.encode(endpoint).into(),
                    ));
                }
                let facts = if served.is_some() {
                    facts(VIA)
                } else {
                    facts(b"no_healthy_upstream")
                };
                let fields = edit::fields(&headers);
                let response = ResponseHead {
                    header: &|name| edit::first(&fields, name).map(<[u8]>::to_vec),
                    headers: &|| &fields,
                };
                let decided = stream.on_response(&self.policy, &self.endpoints, &response, &facts);
                record = decided.telemetry.record.or(record);
                let headers = apply(headers.clone(), decided.edits);
                seen.status = if served.is_some() { 200 } else { 503 };
                let headers = edit::fields(&headers);
                seen.location = edit::first(&headers, "location").map(crate::http::latin1);
                seen.set_cookie = edit::all(&headers, "set-cookie")
                    .map(crate::http::latin1)
                    .collect();
                seen
            }
        };
        let record = record.map(|text| serde_json::from_str(&text).unwrap());
        (seen, record.unwrap_or_default())
    }

    /// The endpoint that a forwarded request goes to, and whether the core named it.
    fn endpoint(&self, head: &[(String, Vec<u8>)]) -> Option<(String, bool)> {
        let head = &edit::fields(head);
        let cluster = edit::first(head, &self.policy.headers.cluster)?;
        let table = self.endpoints.get(std::str::from_utf8(cluster).ok()?)?;
        let pin = edit::first(head, &self.policy.headers.endpoint);
        let pin = pin.and_then(|pin| String::from_utf8(STANDARD.decode(pin).ok()?).ok());
        let known = pin.filter(|pin| table.endpoints().iter().any(|e| e.address == *pin));
        match known {
            Some(pin) => Some((pin, true)),
            None => table
                .endpoints()
                .first()
                .map(|endpoint| (endpoint.address.clone(), false)),
        }
    }
}

fn apply(mut headers: Vec<(String, Vec<u8>)>, edits: Vec<Edit>) -> Vec<(String, Vec<u8>)> {
    for edit in edits {
        match edit {
            Edit::Set(name, value) => {
                let at = headers
                    .iter()
                    .position(|(n, _)| *n == name)
                    .unwrap_or(headers.len());
                headers.retain(|(n, _)| *n != name);
                let at = at.min(headers.len());
                headers.insert(at, (name.into_owned(), value.into_owned()));
            }
            Edit::Add(name, value) => headers.push((name.into_owned(), value.into_owned())),
            Edit::Remove(name) => headers.retain(|(n, _)| *n != name),
        }
    }
    headers
}

fn local(reply: &Reply) -> Observed {
    let header = |name: &str| {
        let found = reply.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| crate::http::latin1(value))
    };
    Observed {
        status: reply.status,
        location: header("location"),
        ..Observed::default()
    }
}

fn reached(head: &[(String, Vec<u8>)], endpoint: Option<String>) -> Observed {
    let fields = edit::fields(head);
    let text = |name: &str| edit::first(&fields, name).map(crate::http::latin1);
    let reached = endpoint.is_some();
    let fields = head
        .iter()
        .filter(|(name, _)| !name.starts_with([':']) && !name.starts_with("x-limpet-"));
    let mut headers: Vec<_> = fields
        .map(|(n, v)| (n.clone(), crate::http::latin1(v)))
        .collect();
    headers.extend(text(":authority").map(|host| ("host".to_owned(), host)));
    Observed {
        endpoint,
        method: text(":method").filter(|_| reached),
        target: text(":path").filter(|_| reached),
        headers,
        ..Observed::default()
    }
}
