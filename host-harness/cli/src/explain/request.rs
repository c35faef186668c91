//! One request as a JSON line says it.

use serde::Deserialize;
use serde_json::Value;

use super::args::ExplainArgs;
use super::byte_string::ByteString;

/// One line of input. Only `path` is required.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Request {
    /// Handed back in the answer, whatever it is.
    #[serde(default)]
    pub id: Value,
    /// `GET` if absent.
    #[serde(default)]
    pub method: Option<ByteString>,
    /// `http` or `https`; `http` if absent.
    #[serde(default)]
    pub scheme: Option<ByteString>,
    /// The Host header; null or absent: none.
    #[serde(default)]
    pub authority: Option<ByteString>,
    /// The raw request target, absolute-form included.
    pub path: ByteString,
    /// Further header fields, in order.
    #[serde(default)]
    pub headers: Vec<(ByteString, ByteString)>,
    /// `HTTP/1.1` if absent.
    #[serde(default)]
    pub http_version: Option<ByteString>,
    /// The downstream's address without a port; `127.0.0.1` if absent.
    #[serde(default)]
    pub client: Option<ByteString>,
    /// What the random source returns.
    #[serde(default)]
    pub draw: Option<u64>,
    /// The endpoint that answers when limpet pins none, or instead of the pinned one.
    #[serde(default)]
    pub served_by: Option<String>,
    /// The status it answers with; 200 if absent.
    #[serde(default)]
    pub upstream_status: Option<u16>,
    /// Further header fields of its response.
    #[serde(default)]
    pub upstream_headers: Vec<(ByteString, ByteString)>,
    /// What an authorizer answers; 200 if absent.
    #[serde(default)]
    pub auth_status: Option<u16>,
    /// The header fields of its answer.
    #[serde(default)]
    pub auth_headers: Vec<(ByteString, ByteString)>,
    /// Tries that failed before.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// One failed try.
#[derive(Debug, Clone, Deserialize)]
pub struct Attempt {
    /// `ip:port`.
    pub endpoint: String,
    /// How it failed.
    pub status: AttemptResult,
}

/// How a try failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum AttemptResult {
    /// It answered with this status, which is retried.
    Status(u16),
    /// In words: `refused`, `reset` or `timeout`.
    Word(String),
}

/// Source: RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    let mut bytes = text.bytes();
    !text.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

/// The request of `explain URL -X METHOD -H ...`.
///
/// # Errors
/// When the URL or a header cannot be read.
pub(super) fn from_flags(url: &str, args: &ExplainArgs) -> anyhow::Result<Request> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    anyhow::ensure!(
        matches!(scheme, "http" | "https"),
        "{url:?} is not a URL; expected http://host/path or https://host/path"
    );
    anyhow::ensure!(
        is_token(&args.method),
        "--method: {:?} is not a method; expected letters such as GET",
        args.method
    );
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut request = Request {
        method: Some(args.method.as_str().into()),
        scheme: Some(scheme.into()),
        authority: Some(authority.into()),
        path: format!("{slash}{path}").as_str().into(),
        served_by: args.served_by.map(|address| address.to_string()),
        auth_status: args.auth_status,
        client: args.client.map(|client| client.to_string().as_str().into()),
        ..Request::default()
    };
    for header in &args.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            anyhow::anyhow!("header {header:?} has no colon; expected \"name: value\"")
        })?;
        let field = (name.trim().into(), value.trim().into());
        if name.trim().eq_ignore_ascii_case("host") {
            request.authority = Some(field.1)
        } else {
            request.headers.push(field)
        }
    }
    Ok(request)
}
