//! Which location a request belongs to, and what it answers (stage 2).

use crate::cluster::ClusterId;
use crate::edit::{Edit, Headers, Reply};
use crate::policy::Policy;
use crate::stream::Facts;
use std::sync::Arc;

/// One path of one Ingress with its settings (nginx's word).
#[derive(Debug)]
pub struct Location {
    /// `namespace/name` of the Ingress; empty on the default server's own `/`.
    pub ingress: String,
    /// The path as the Ingress writes it (ingress-nginx's `location_path`): the default
    /// path of session cookies. An implicit `/` location has `/`.
    pub path: String,
    /// Whether responses of this location may set the session cookie
    /// (`should_set_cookie` of ingress-nginx's `sticky.lua`).
    pub sets_cookie: bool,
}

impl Location {
    /// Whether [`crate::redirect::on_response`] has anything to do here.
    #[must_use]
    pub fn translates_response(&self) -> bool {
        false
    }
}

/// What is to happen to a request.
#[derive(Debug)]
pub enum Answer<'p> {
    /// It goes to an endpoint.
    Forward(Forward<'p>),
    /// limpet answers it itself.
    Reply {
        /// The answer.
        reply: Reply,
        /// The location that says so; `None` for a virtual host's own redirect.
        location: Option<&'p Arc<Location>>,
        /// Why.
        reason: Reason,
    },
    /// Nobody serves it, and limpet owns the listener: 404.
    NotFound {
        /// The location found, where it is one without a Service.
        location: Option<&'p Arc<Location>>,
    },
    /// No Ingress names it: it goes on untouched.
    Pass,
}

/// A request that goes to an endpoint.
#[derive(Debug)]
pub struct Forward<'p> {
    /// Where it belongs.
    pub location: &'p Arc<Location>,
    /// The primary cluster; canaries not yet considered.
    pub cluster: ClusterId,
    /// The new `:path`; `None`: it stays as it came.
    pub path: Option<Vec<u8>>,
    /// Further edits of the request's head: X-Forwarded-Prefix, the upstream's host.
    pub edits: Vec<Edit>,
    /// The downstream came by https, as ingress-nginx sees it.
    pub https: bool,
    /// The value that `upstream-hash-by` yields for this request; `None`: no such annotation.
    pub hash_by: Option<Vec<u8>>,
}

/// Why limpet answers a request itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `app-root`.
    AppRoot,
    /// `permanent-redirect` or `temporal-redirect`.
    Redirect,
    /// `ssl-redirect` or `force-ssl-redirect`.
    SslRedirect,
    /// `from-to-www-redirect`.
    FromToWww,
    /// `rewrite-target` is an absolute URL.
    RewriteRedirect,
    /// The path lacks the slash that its location ends with.
    MissingSlash,
    /// The Service is missing or has no endpoints at all: 503.
    NoService,
    /// nginx refuses such a request: 400.
    BadRequest,
}

impl Reason {
    /// As the decision record spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppRoot => "app_root",
            Self::Redirect => "redirect",
            Self::SslRedirect => "ssl_redirect",
            Self::FromToWww => "from_to_www",
            Self::RewriteRedirect => "rewrite_redirect",
            Self::MissingSlash => "missing_slash",
            Self::NoService => "no_service",
            Self::BadRequest => "bad_request",
        }
    }
}

/// Answers one request. `headers` with pseudo-headers, as received.
#[must_use]
pub fn answer<'p>(policy: &'p Policy, headers: &Headers, facts: &Facts) -> Answer<'p> {
    let _ = (policy, headers, facts);
    Answer::Pass
}
