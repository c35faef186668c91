//! The record of one decision: what `explain`, `run`'s log, the case table and a user's own
//! Envoy read. Made only where the configuration says `report: summary` or `why`.

use crate::affinity::State;
use crate::config::Report;
use crate::route::Reason;
use serde_json::{Map, Value, json};

/// What became of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// No Ingress names it: it went on untouched.
    #[default]
    Pass,
    /// It went on to a cluster.
    Forward,
    /// limpet answered with a redirect.
    Redirect,
    /// limpet answered that there is no such location.
    NotFound,
    /// limpet refused it.
    Reject,
}

impl Outcome {
    /// As the record spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Forward => "forward",
            Self::Redirect => "redirect",
            Self::NotFound => "not_found",
            Self::Reject => "reject",
        }
    }
}

/// One step of the way to a decision. The command line has the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// This location of this Ingress takes the request.
    Location {
        /// `namespace/name`.
        ingress: String,
        /// The path as the Ingress writes it.
        path: String,
    },
    /// No Ingress names this host.
    UnknownHost,
    /// The host is known, the path is nobody's.
    UnknownPath,
    /// limpet answers by itself.
    Answered(Reason),
    /// The path was replaced.
    Rewritten {
        /// The new `:path`.
        to: String,
    },
    /// A canary takes the request instead of the primary.
    Canary {
        /// The primary's upstream name.
        primary: String,
        /// The canary's.
        canary: String,
    },
    /// No usable session cookie came: the proxy's own balancer chooses.
    Balanced,
    /// The session cookie names an endpoint.
    Cookie {
        /// `ip:port`.
        endpoint: String,
    },
    /// The session's endpoint is unhealthy: another one stands in for it.
    Substitute {
        /// `ip:port` of the substitute.
        endpoint: String,
    },
    /// `upstream-hash-by` names an endpoint.
    HashBy {
        /// `ip:port`.
        endpoint: String,
    },
    /// The session cookie names nobody.
    NobodyNamed,
    /// The endpoints were not known in time: the cookie is neither used nor replaced.
    EndpointsUnknown,
    /// Another endpoint answered than the one asked for.
    Elsewhere {
        /// `ip:port` of the one that answered.
        endpoint: String,
    },
    /// The response starts a session at this endpoint.
    Minted {
        /// `ip:port`.
        endpoint: String,
    },
    /// No endpoint answered: the response says nothing about sessions.
    LocalReply,
    /// A page of `custom-http-errors` stands in place of an answer with this status.
    ErrorPage {
        /// The status.
        status: u16,
    },
    /// The response does not come through the session filter: it is missing, or in the wrong place.
    FilterMissing,
}

impl Why {
    /// The record's form: the reason's name, and what it is about.
    fn to_json(&self) -> Value {
        match self {
            Self::Location { ingress, path } => json!(["location", ingress, path]),
            Self::UnknownHost => json!(["unknown_host"]),
            Self::UnknownPath => json!(["unknown_path"]),
            Self::Answered(reason) => json!(["answered", reason.as_str()]),
            Self::Rewritten { to } => json!(["rewritten", to]),
            Self::Canary { primary, canary } => json!(["canary", primary, canary]),
            Self::Balanced => json!(["balanced"]),
            Self::Cookie { endpoint } => json!(["cookie", endpoint]),
            Self::Substitute { endpoint } => json!(["substitute", endpoint]),
            Self::HashBy { endpoint } => json!(["hash_by", endpoint]),
            Self::NobodyNamed => json!(["nobody_named"]),
            Self::EndpointsUnknown => json!(["endpoints_unknown"]),
            Self::Elsewhere { endpoint } => json!(["elsewhere", endpoint]),
            Self::Minted { endpoint } => json!(["minted", endpoint]),
            Self::LocalReply => json!(["local_reply"]),
            Self::ErrorPage { status } => json!(["error_page", status.to_string()]),
            Self::FilterMissing => json!(["filter_missing"]),
        }
    }
}

/// What the affinity of the location did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AffinityRecord {
    /// The session cookie's name.
    pub cookie: String,
    /// What became of the session; `None` until the response's head has passed.
    pub state: Option<State>,
    /// The endpoint that was asked for.
    pub override_host: Option<String>,
}

/// The record of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// What became of it.
    pub outcome: Outcome,
    /// `namespace/name` of the location's Ingress.
    pub ingress: Option<String>,
    /// The location's path as the Ingress writes it.
    pub location: Option<String>,
    /// The upstream name of the cluster chosen, `namespace-service-port`.
    pub cluster: Option<String>,
    /// `None`: the location has no affinity.
    pub affinity: Option<AffinityRecord>,
    /// The way there, in order; `None` under `report: summary`.
    pub why: Option<Vec<Why>>,
}

impl Decision {
    /// A record of what `report` asks for.
    #[must_use]
    pub fn new(report: Report) -> Option<Self> {
        let why = match report {
            Report::Off => return None,
            Report::Summary => None,
            Report::Why => Some(Vec::new()),
        };
        Some(Self {
            why,
            ..Self::default()
        })
    }

    /// Adds a step of the way.
    pub fn note(&mut self, step: Why) {
        if let Some(why) = &mut self.why {
            why.push(step);
        }
    }

    /// One JSON object: `outcome`, `ingress`, `location`, `cluster`, `affinity`, `why`; what
    /// does not apply is null. Strings that are bytes of a request hold one code point
    /// U+0000..U+00FF for each.
    #[must_use]
    pub fn to_json(&self) -> String {
        let affinity = self.affinity.as_ref().map(|a| {
            json!({ "cookie": a.cookie, "state": a.state.map_or("none", State::as_str), "override": a.override_host })
        });
        let mut record = Map::new();
        record.insert("outcome".into(), self.outcome.as_str().into());
        record.insert("ingress".into(), json!(self.ingress));
        record.insert("location".into(), json!(self.location));
        record.insert("cluster".into(), json!(self.cluster));
        record.insert("affinity".into(), affinity.into());
        let why = self.why.as_ref();
        let why = why.map(|why| why.iter().map(Why::to_json).collect::<Value>());
        record.insert("why".into(), why.into());
        Value::Object(record).to_string()
    }
}

/// `bytes` as a string of one code point U+0000..U+00FF each: the record's form for bytes.
#[must_use]
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
