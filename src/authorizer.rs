//! Who is asked whether a request may come in, what it is asked and what it answers.
//!
//! Source: the authentication location of `rootfs/etc/nginx/template/nginx.tmpl` and `buildAuthSignURL`
//! of `template.go`, ingress-nginx dbb11b92d.

use crate::annotations::AuthorizerAnnotations;
use crate::edit::{Edit, Field};
use crate::fields::Requests;
use crate::rewrite::template::Template;
use std::sync::Arc;
use std::time::Duration;

/// Who is asked, and how.
#[derive(Debug, Clone)]
pub(crate) struct Authorizer {
    /// Envoy's name of the cluster; `None`: that of whoever serves the path on the request's host.
    pub cluster: Option<String>,
    /// What the question is sent to by name; `None`: the request's own host.
    pub host: Option<String>,
    pub path: Template,
    pub method: String,
    pub sent: Vec<(&'static str, Template)>,
    /// `auth-proxy-set-headers`.
    pub set: Requests,
    /// Where those are sent who are not let in for want of a name.
    pub signin: Option<Template>,
    /// What pods are told of its answer, in lower case.
    pub response_headers: Arc<[String]>,
    /// Its cookies go with every answer, not with good ones alone.
    pub always_set_cookie: bool,
}

/// An answer is waited for so long: the default of nginx's `proxy_read_timeout`, which ingress-nginx sets for pods alone.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A request that is to be sent before another one goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Envoy's name of the cluster.
    pub cluster: String,
    /// The head, with pseudo-headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body of its answer is looked at.
    pub wants_body: bool,
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// 0: nothing.
    pub status: u16,
    /// Fields, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Where the question wants it.
    pub body: Vec<u8>,
}

impl Answer {
    /// From the fields of its head, `:status` among them.
    pub fn of<'h>(fields: impl Iterator<Item = Field<'h>>) -> Self {
        let mut answer = Self::default();
        for (name, value) in fields {
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            if name == ":status" {
                let status = std::str::from_utf8(value).ok();
                answer.status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
            } else {
                let name = name.to_ascii_lowercase();
                answer.headers.push((name, value.to_vec()));
            }
        }
        answer
    }
}

/// What follows where a request was let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Edits of its head.
    pub edits: Vec<Edit<'static>>,
    /// The cookie of the authorizer, for the client.
    pub cookie: Option<Vec<u8>>,
    /// It goes with every answer.
    pub always: bool,
}

impl Answer {
    pub(crate) fn values(&self, is: impl Fn(&str) -> bool) -> Vec<&[u8]> {
        let fields = self.headers.iter();
        let fields = fields.filter(|(name, _)| is(name));
        fields.map(|(_, value)| value.as_slice()).collect()
    }

    /// Several cookies are one text to nginx.
    pub(crate) fn cookie(&self) -> Option<Vec<u8>> {
        let cookies = self.values(|name| name == "set-cookie").join(&b", "[..]);
        (!cookies.is_empty()).then_some(cookies)
    }
}

impl Authorizer {
    /// `place`: what the path of the question is where the URL has none; `fixed` compiles a text without
    /// captures.
    pub(crate) fn compile(
        said: &AuthorizerAnnotations,
        cluster: Option<String>,
        set: Requests,
        place: &str,
        mut fixed: impl FnMut(&str) -> Result<Template, String>,
    ) -> Result<Self, String> {
        let path = if said.url.path.is_empty() {
            place
        } else {
            &said.url.path
        };
        let redirect = if said.request_redirect.is_empty() {
            "$request_uri"
        } else {
            &said.request_redirect
        };
        let mut sent = vec![
            ("x-request-id", fixed("$req_id")?),
            ("x-original-url", fixed("$scheme://$http_host$request_uri")?),
            ("x-original-method", fixed("$request_method")?),
            ("x-sent-from", fixed("nginx-ingress-controller")?),
            ("x-auth-request-redirect", fixed(redirect)?),
        ];
        if !said.method.is_empty() {
            sent.push(("x-original-uri", fixed("$request_uri")?));
            sent.push(("x-scheme", fixed("$pass_access_scheme")?));
        }
        Ok(Self {
            cluster,
            host: (!said.url.is_own()).then(|| said.url.host.clone()),
            path: fixed(path)?,
            method: said.method.clone(),
            sent,
            set,
            signin: signin(said).map(|url| fixed(&url)).transpose()?,
            response_headers: said.response_headers.clone(),
            always_set_cookie: said.always_set_cookie,
        })
    }
}

/// `buildAuthSignURL`.
fn signin(said: &AuthorizerAnnotations) -> Option<String> {
    let url = Some(&said.signin).filter(|url| !url.is_empty())?;
    // No URL to Go: a colon before any slash, and no scheme in front of it.
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let before = url.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = before.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| !scheme.bytes().all(is_scheme)) {
        return Some(String::new());
    }
    let param = &said.redirect_param;
    let (_, query) = url.split_once('?').unwrap_or((url, ""));
    let mut pairs = query.split('&').filter(|pair| !pair.is_empty()).peekable();
    let joint = if pairs.peek().is_none() { '?' } else { '&' };
    let has_it = pairs.any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        name == param && !value.is_empty()
    });
    Some(if has_it {
        url.clone()
    } else {
        format!("{url}{joint}{param}=$pass_access_scheme://$http_host$escaped_request_uri")
    })
}

#[cfg(test)]
mod tests;
