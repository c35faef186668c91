//! Who answers requests: the native core, the module in the harness, a real Envoy. All are asked
//! the same, and what becomes of a request is told in the same words.

mod chain;
mod core;
mod envoy;
mod harness;

pub use chain::Chain;
pub use core::{Core, FACTS};
pub use envoy::Envoy;
pub use harness::{Harness, module};

use crate::http::Response;
use limpet_cli::cookie_jar::Cookie;

/// The clock of the core and of the harness, Unix seconds.
pub const NOW: u64 = 1_732_345_678;

/// Something that answers requests.
pub trait Target {
    /// What becomes of a request.
    ///
    /// # Errors
    /// It cannot be asked here, or there was no answer: says why.
    fn ask(&self, request: &Asked) -> Result<Observed, String>;
}

/// A request, ready to be sent. Every string is bytes, one code point U+0000..U+00FF each.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `http` or `https`.
    pub scheme: String,
    /// The Host header; `None`: there is none.
    pub host: Option<String>,
    /// Raw, absolute-form included.
    pub target: String,
    /// The method.
    pub method: String,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// The other header fields, in order.
    pub headers: Vec<(String, String)>,
    /// What the endpoints do; a real one does what its script says.
    pub endpoints: Script,
}

/// What endpoints do that are none.
#[derive(Debug, Clone)]
pub struct Script {
    /// The one that answers where limpet pins none, or instead of the pinned one.
    pub served_by: Option<String>,
    /// Those that refuse connections.
    pub refuse: Vec<String>,
    /// The status of the answer.
    pub status: u16,
    /// Header fields of the answer.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// A GET without further headers, answered 200.
    #[must_use]
    pub fn get(scheme: &str, host: &str, target: &str) -> Self {
        Self {
            scheme: scheme.to_owned(),
            host: Some(host.to_owned()),
            target: target.to_owned(),
            method: "GET".to_owned(),
            version: "HTTP/1.1".to_owned(),
            headers: Vec::new(),
            endpoints: Script {
                served_by: None,
                refuse: Vec::new(),
                status: 200,
                headers: Vec::new(),
            },
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The status that the downstream got.
    pub status: u16,
    /// The endpoint that answered, `ip:port`.
    pub endpoint: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// The method that reached the endpoint.
    pub method: Option<String>,
    /// The request target that reached it.
    pub target: Option<String>,
    /// The header fields that reached it, `host` included; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Every `Set-Cookie`, in order.
    pub set_cookie: Vec<String>,
    /// What the decision record calls the session, where the target shows it.
    pub state: Option<String>,
    /// The decision record, where the target shows it whole.
    pub record: Option<String>,
}

/// What a decision record calls the session.
fn state(record: &str) -> Option<String> {
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    record["affinity"]["state"].as_str().map(str::to_owned)
}

impl Observed {
    /// From an answer on the wire, as a [`Pod`](crate::pod::Pod) echoes what reached it.
    #[must_use]
    pub fn from_response(answer: &Response) -> Self {
        let echo = answer.echo();
        Self {
            status: answer.status,
            location: answer.header("location"),
            set_cookie: answer.all("set-cookie"),
            endpoint: answer.endpoint(),
            method: echo.as_ref().map(|echo| echo.method.clone()),
            target: echo.as_ref().map(|echo| echo.path.clone()),
            headers: echo.map(|echo| echo.headers).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The value of the cookie that was set last under that name.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        let mut cookies = self.set_cookie.iter().map(|set| Cookie::parse(set));
        let last = cookies.rfind(|cookie| cookie.name == name);
        last.map(|cookie| cookie.value)
    }

    /// The values of a header that reached the endpoint, joined as the recording did.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.iter().filter(|(n, _)| n == name);
        let values: Vec<_> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}
