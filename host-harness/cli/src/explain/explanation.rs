//! One answer, as a JSON line says it. Fields that do not apply are null.

use serde::Serialize;
use serde_json::Value;

use super::ByteString;

/// One line of output.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Explanation {
    /// The request's.
    pub id: Value,
    /// What was decided.
    pub outcome: Decision,
    /// `namespace/name` of the Ingress.
    pub ingress: Option<String>,
    /// The path as that Ingress writes it.
    pub location: Option<String>,
    /// The address that its client has to lists of addresses.
    pub client: Option<String>,
    /// The cluster's name, `namespace-service-port`.
    pub cluster: Option<String>,
    /// What reached a pod.
    pub upstream: Option<Upstream>,
    /// The session, where the location has affinity.
    pub affinity: Option<Affinity>,
    /// What the downstream got.
    pub response: Response,
    /// The reasons, in words.
    pub why: Vec<String>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It goes to an endpoint.
    Forward,
    /// It is told to go elsewhere.
    Redirect,
    /// Nobody serves it.
    #[default]
    NotFound,
    /// It is answered with an error.
    Reject,
}

/// What reached a pod.
#[derive(Debug, Clone, Serialize)]
pub struct Upstream {
    /// The endpoint that answered, `ip:port`; null: none did.
    pub endpoint: Option<String>,
    /// `:method`.
    pub method: ByteString,
    /// The Host header; null: none.
    pub authority: Option<ByteString>,
    /// The request target.
    pub path: ByteString,
    /// The other header fields, names in lower case.
    pub headers: Vec<(ByteString, ByteString)>,
}

/// The session.
#[derive(Debug, Clone, Serialize)]
pub struct Affinity {
    /// The cookie's name.
    pub cookie: Option<String>,
    /// `none`, `new`, `kept`, `moved`, `dead` or `foreign`.
    pub state: String,
    /// The endpoint that limpet asked for.
    #[serde(rename = "override")]
    pub override_host: Option<String>,
}

/// What the downstream got.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Response {
    /// The status code.
    pub status: Option<u16>,
    /// `Location`.
    pub location: Option<ByteString>,
    /// Every `Set-Cookie`, in order.
    pub set_cookie: Vec<ByteString>,
}
