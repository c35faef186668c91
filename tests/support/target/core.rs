//! The native core as a proxy would drive it: one request from head to head, the endpoints as
//! their script says.

use super::{Asked, NOW, Observed, Script, Target};
use crate::http::{bytes, latin1};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet::edit::{self, Edit, Reply};
use limpet::endpoints::{ClusterTable, Endpoint, EndpointTable, Health};
use limpet::facts::Facts;
use limpet::policy::{self, Policy};
use limpet::remark::Remark;
use limpet::stream::{ResponseHead, Step, Stream};
use limpet::zone::{Demand, Verdict, leak};
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::plugin_config::{EndpointSource, Options, Report, Unmatched, plugin_config};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// A clock and a random source that stand still, endpoints that are known, and no property.
pub const FACTS: Facts<'static> = Facts {
    now: &|| NOW,
    random: &|| 0x0123_4567_89AB_CDEF,
    ..Facts::NONE
};

/// The core, configured.
pub struct Core {
    policy: Policy,
    /// What was remarked on the configuration.
    pub remarks: Vec<Remark>,
    endpoints: EndpointTable,
    /// Slots of limits, by key.
    slots: RefCell<BTreeMap<String, Vec<u8>>>,
}

type Head = Vec<(String, Vec<u8>)>;

/// Who answers a request that goes on.
struct Served {
    endpoint: String,
    /// It is the one that the core named.
    named: bool,
}

impl Core {
    /// The core with what the module would be configured with; `strict`: annotations are validated.
    #[must_use]
    pub fn start(manifests: &Manifests, endpoints: &[EndpointsFlag], strict: bool) -> Self {
        let flags = Flags {
            strict,
            endpoints: endpoints.to_vec(),
            on_envoy: true,
            ..Flags::default()
        };
        let compiled = Compiled::new(manifests, &flags).unwrap();
        let options = Options {
            endpoints: EndpointSource::Static,
            report: Report::Why,
            unmatched: Unmatched::NotFound,
            one_virtual_host: true,
        };
        let core = Self::configured(&plugin_config(&compiled, options));
        Self {
            remarks: compiled.remarks,
            ..core
        }
    }

    /// The core with a plugin configuration whose endpoints are static.
    ///
    /// # Panics
    /// The configuration is not one.
    #[must_use]
    pub fn configured(config: &serde_json::Value) -> Self {
        let (policy, remarks) = policy::read(config.to_string().as_bytes()).unwrap();
        let mut endpoints = EndpointTable::default();
        for cluster in &policy.clusters {
            let healthy = |address: &String| Endpoint {
                address: address.as_str().into(),
                health: Health::Healthy,
            };
            let given = policy.endpoints.get(&cluster.envoy_name);
            let given = given.into_iter().flatten().map(healthy).collect();
            let table = ClusterTable::build(cluster.index(), given);
            endpoints.insert(cluster.envoy_name.clone(), table);
        }
        Self {
            policy,
            remarks,
            endpoints,
            slots: RefCell::default(),
        }
    }

    /// What was compiled.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Counts a request, at the moment at which everything happens here.
    fn count(&self, demand: &Demand) -> Verdict {
        let mut slots = self.slots.borrow_mut();
        let mut next = Vec::new();
        for (key, rate) in demand.buckets() {
            let slot = slots.get(&key).cloned().unwrap_or_default();
            match leak(&slot, demand.client(), rate, NOW) {
                Some(slot) => next.push((key, slot)),
                None => return Verdict::TooFast,
            }
        }
        slots.extend(next);
        Verdict::Within
    }

    /// Who answers. Where the core names nobody, the cluster's first that accepts connections.
    fn served(&self, head: &Head, script: &Script) -> Option<Served> {
        let head = &edit::fields(head);
        let cluster = edit::first(head, &self.policy.headers.cluster)?;
        let table = self.endpoints.get(std::str::from_utf8(cluster).ok()?)?;
        let accepts = |address: &&str| script.refuse.iter().all(|other| other != address);
        let addresses = || table.endpoints().iter().map(|e| &*e.address);
        let all = || addresses().filter(accepts);
        let named = edit::first(head, &self.policy.headers.endpoint);
        let named = named.and_then(|name| String::from_utf8(STANDARD.decode(name).ok()?).ok());
        let pinned = named.as_ref().and_then(|n| all().find(|a| a == n));
        let endpoint = script.served_by.as_deref().or(pinned).or(all().next())?;
        Some(Served {
            endpoint: endpoint.to_owned(),
            named: named.as_deref() == Some(endpoint),
        })
    }
}

impl Target for Core {
    fn ask(&self, request: &Asked) -> Result<Observed, String> {
        let details = Cell::new("via_upstream");
        let is_https = request.scheme == "https";
        let property = |path: &[&str]| match path {
            ["source", "address"] => Some(b"127.0.0.1:40000".to_vec()),
            ["connection", "tls_version"] if is_https => Some(b"TLSv1.3".to_vec()),
            ["connection", "mtls"] => Some(vec![0]),
            ["request", "scheme"] => Some(bytes(&request.scheme)),
            ["request", "protocol"] => Some(bytes(&request.version)),
            ["response", "code_details"] => Some(details.get().into()),
            _ => None,
        };
        let facts = Facts {
            property: &property,
            count: &|demand| self.count(demand),
            ..FACTS
        };
        let mut stream = Stream::default();
        let received = head(request);
        let fields = edit::fields(&received);
        let (policy, endpoints) = (&self.policy, &self.endpoints);
        let decided = stream.on_request(policy, endpoints, &fields, &facts);
        let mut record = decided.telemetry.record;
        let observed = match decided.step {
            Step::Reply(reply) => local(&reply),
            Step::Ask(question) => return Err(format!("the core asks {}", question.cluster)),
            Step::Wait => return Err("the endpoints are there, and the core waits".into()),
            Step::Forward(edits) => {
                let head = apply(received.clone(), edits);
                let served = self.served(&head, &request.endpoints);
                if served.is_none() {
                    details.set("no_healthy_upstream");
                }
                let answered = self.answered(served.as_ref(), &request.endpoints);
                let fields = edit::fields(&answered);
                let response = ResponseHead {
                    header: &|name| edit::first(&fields, name).map(<[u8]>::to_vec),
                    headers: &|| &fields,
                    elsewhere: None,
                };
                let decided = stream.on_response(policy, endpoints, &response, &facts);
                record = decided.telemetry.record.or(record);
                let answer = apply(answered.clone(), decided.edits);
                with_answer(reached(&head, served), &answer)
            }
        };
        Ok(Observed {
            state: record.as_deref().and_then(super::state),
            record,
            ..observed
        })
    }
}

impl Core {
    /// The head of the answer as the core gets it: the session filter says who it was, unless it
    /// is the one that was named.
    fn answered(&self, served: Option<&Served>, script: &Script) -> Head {
        let Some(served) = served else {
            return vec![(":status".to_owned(), b"503".to_vec())];
        };
        let mut head = vec![(":status".to_owned(), script.status.to_string().into())];
        let fields = script.headers.iter();
        head.extend(fields.map(|(name, value)| (name.clone(), bytes(value))));
        if !served.named {
            let name = self.policy.headers.endpoint.clone();
            head.push((name, STANDARD.encode(&served.endpoint).into()));
        }
        head
    }
}

/// The head as a codec makes it: a target in absolute form brings its own authority.
fn head(request: &Asked) -> Head {
    let target = &request.target;
    let whole = target
        .strip_prefix("http://")
        .or(target.strip_prefix("https://"));
    let (authority, path) = match whole {
        None => (request.host.as_deref(), target.clone()),
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let slash = if path.starts_with('/') { "" } else { "/" };
            (Some(authority), format!("{slash}{path}"))
        }
    };
    let mut head = vec![
        (":method".to_owned(), bytes(&request.method)),
        (":scheme".to_owned(), bytes(&request.scheme)),
        (":path".to_owned(), bytes(&path)),
    ];
    head.extend(authority.map(|authority| (":authority".to_owned(), bytes(authority))));
    let fields = request.headers.iter();
    head.extend(fields.map(|(name, value)| (name.to_ascii_lowercase(), bytes(value))));
    head
}

fn apply(mut headers: Head, edits: Vec<Edit>) -> Head {
    for edit in edits {
        match edit {
            Edit::Set(name, value) => {
                let at = headers.iter().position(|(n, _)| *n == name);
                headers.retain(|(n, _)| *n != name);
                let at = at.unwrap_or(headers.len()).min(headers.len());
                headers.insert(at, (name.into_owned(), value.into_owned()));
            }
            Edit::Add(name, value) => headers.push((name.into_owned(), value.into_owned())),
            Edit::Remove(name) => headers.retain(|(n, _)| *n != name),
        }
    }
    headers
}

fn local(reply: &Reply) -> Observed {
    let location = reply.headers.iter().find(|(name, _)| name == "location");
    Observed {
        status: reply.status,
        location: location.map(|(_, value)| latin1(value)),
        ..Observed::default()
    }
}

fn reached(head: &Head, served: Option<Served>) -> Observed {
    let Some(served) = served else {
        return Observed::default();
    };
    let is_own = |name: &str| name.starts_with(':') || name.starts_with("x-limpet-");
    let fields = head.iter().filter(|(name, _)| !is_own(name));
    let mut headers: Vec<_> = fields.map(|(n, v)| (n.clone(), latin1(v))).collect();
    let fields = edit::fields(head);
    let text = |name: &str| edit::first(&fields, name).map(latin1);
    headers.extend(text(":authority").map(|host| ("host".to_owned(), host)));
    Observed {
        endpoint: Some(served.endpoint),
        method: text(":method"),
        target: text(":path"),
        headers,
        ..Observed::default()
    }
}

fn with_answer(reached: Observed, answer: &Head) -> Observed {
    let answer = edit::fields(answer);
    let text = |name: &str| edit::first(&answer, name).map(latin1);
    Observed {
        status: text(":status").unwrap().parse().unwrap(),
        location: text("location"),
        set_cookie: edit::all(&answer, "set-cookie").map(latin1).collect(),
        ..reached
    }
}
