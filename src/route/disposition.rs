//! What is to happen to a request, as its location says.

use super::location::Location;
use crate::authorizer::{Admitted, Question};
use crate::cluster::ClusterId;
use crate::edit::{Edit, FieldValue, Name, Reply};
use crate::error_pages::Page;
use crate::policy::Policy;
use crate::redirect;
use std::sync::Arc;

/// What is to happen to a request.
#[derive(Debug)]
pub enum Disposition<'p> {
    /// It goes to an endpoint.
    Forward(Forward<'p>),
    /// Somebody is to be asked first, an authorizer or who has a page, and the request decided again
    /// with the answer.
    Ask(Question),
    /// limpet answers it itself.
    Reply {
        /// The answer.
        reply: Reply,
        /// The location that says so; `None` for a virtual host's own redirect.
        location: Option<&'p Arc<Location>>,
        /// Why.
        reason: Reason,
        /// It is a page of `custom-http-errors`, in place of an answer with this status: the location's
        /// own fields do not go with it.
        paged: Option<u16>,
    },
    /// Nobody serves it, and limpet owns the listener: 404.
    NotFound {
        /// The location found, where it is one without a Service.
        location: Option<&'p Arc<Location>>,
        /// What no Ingress names.
        unknown: Unknown,
        /// Fields of the answer.
        headers: Vec<(Name<'static>, FieldValue<'static>)>,
        /// The page of `custom-http-errors` in its place.
        page: Option<Reply>,
    },
    /// It is none of limpet's: it goes on untouched.
    Pass {
        /// What no Ingress names; `None`: nginx would refuse such a request of any host.
        unknown: Option<Unknown>,
    },
}

impl<'p> Disposition<'p> {
    pub(super) fn reply(reply: Reply, location: Option<&'p Arc<Location>>, reason: Reason) -> Self {
        Self::Reply {
            reply,
            location,
            reason,
            paged: None,
        }
    }

    /// The location that was found.
    #[must_use]
    pub fn location(&self) -> Option<&'p Arc<Location>> {
        match self {
            Self::Forward(forward) => Some(forward.location),
            Self::Reply { location, .. } | Self::NotFound { location, .. } => *location,
            Self::Ask(_) | Self::Pass { .. } => None,
        }
    }

    /// A redirect; `None`: it would lead astray, which is a bad request.
    pub(super) fn redirect(
        reply: Option<Reply>,
        location: Option<&'p Arc<Location>>,
        reason: Reason,
    ) -> Self {
        match reply {
            Some(reply) => Self::reply(reply, location, reason),
            None => Self::reply(redirect::plain(400), location, Reason::BadRequest),
        }
    }
}

/// What no Ingress names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The host.
    Host,
    /// The path; the host is known.
    Path,
}

/// A request that goes to an endpoint.
#[derive(Debug)]
pub struct Forward<'p> {
    /// Where it belongs.
    pub location: &'p Arc<Location>,
    /// The primary cluster; canaries not yet considered.
    pub cluster: ClusterId,
    /// It is that of `default-backend`, which has no canaries.
    pub is_fallback: bool,
    /// What an authorizer said; `None`: nobody was asked.
    pub admitted: Option<Box<Admitted>>,
    /// The new `:path`; `None`: it stays as it came.
    pub path: Option<Vec<u8>>,
    /// Further edits of the request's head: X-Forwarded-Prefix, the upstream's host.
    pub edits: Vec<Edit<'p>>,
    /// The downstream came by https: what gives the session cookie its Secure.
    pub https: bool,
    /// The host has several labels in place of the star of an alias: it gets no session cookie.
    pub is_deep: bool,
    /// The Access-Control-Allow-Origin of the answer; `None`: it says nothing about origins.
    pub cors: Option<Vec<u8>>,
    /// The answer says Strict-Transport-Security.
    pub hsts: bool,
    /// What `custom-http-errors` puts in place of its answer; `None`: nothing.
    pub page: Option<Box<Page>>,
    /// The value that `upstream-hash-by` yields for this request; `None`: no such annotation.
    pub hash_by: Option<Box<[u8]>>,
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
    /// The Service or its port is missing: 503.
    NoService,
    /// A refused annotation denies the location: 503.
    Denied,
    /// The client's address is on a list of those that do not come in, or on none of those that do: 403.
    Address,
    /// Its User-Agent or Referer is on a list: 403.
    Client,
    /// Its body is longer than `proxy-body-size`: 413.
    TooLarge,
    /// Its head is longer than `large-client-header-buffers`: 414 or 400.
    LargeHead,
    /// `limit-rps` or `limit-rpm`: its client sends too many: 503.
    TooFast,
    /// `limit-connections`: its client has too many under way: 503.
    TooMany,
    /// `auth-type: basic`: no name and password of one who may came along: 401.
    Password,
    /// The authorizer does not let it in: 401 or 403.
    Unauthorized,
    /// `auth-signin`: the authorizer does not know who it is.
    SignIn,
    /// The authorizer answered otherwise, or not at all: 500.
    NoAuthorizer,
    /// `auth-tls-secret`: no certificate came along: 400.
    NoCertificate,
    /// It is none of the right authority's: 400.
    BadCertificate,
    /// `auth-tls-match-cn`: it is somebody else's: 403.
    OtherName,
    /// What `auth-tls-secret` names, or what stands beside it, cannot be used: 403.
    NoAuthority,
    /// The certificate was asked for in another host's name: 421.
    Misdirected,
    /// A preflight of an origin that may: 204.
    Preflight,
    /// The configuration closes the location's Ingress: 503.
    Closed,
    /// nginx refuses such a request: 400.
    BadRequest,
    /// nginx refuses TRACE: 405.
    NotAllowed,
    /// The rewrite leaves nothing of the path: 500, as nginx.
    EmptyPath,
    /// A server may read the path as one that lies otherwise to a prefix of `protect`: 400.
    AmbiguousPath,
    /// The patterns of the host are more work on this host or path than one request may be: 500.
    TooCostly,
    /// The rewrite leads under a prefix of `protect`, where the request's own path does not lie: 400.
    ProtectedPath,
    /// A load balancer's health check of a host that nobody serves.
    HealthCheck,
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
            Self::Denied => "denied",
            Self::Address => "address",
            Self::Client => "client",
            Self::TooLarge => "too_large",
            Self::LargeHead => "large_head",
            Self::TooFast => "too_fast",
            Self::TooMany => "too_many",
            Self::Password => "password",
            Self::Unauthorized => "unauthorized",
            Self::SignIn => "sign_in",
            Self::NoAuthorizer => "no_authorizer",
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate => "bad_certificate",
            Self::OtherName => "other_name",
            Self::NoAuthority => "no_authority",
            Self::Misdirected => "misdirected",
            Self::Preflight => "preflight",
            Self::Closed => "closed",
            Self::BadRequest => "bad_request",
            Self::NotAllowed => "not_allowed",
            Self::EmptyPath => "empty_path",
            Self::AmbiguousPath => "ambiguous_path",
            Self::TooCostly => "too_costly",
            Self::ProtectedPath => "protected_path",
            Self::HealthCheck => "health_check",
        }
    }
}

/// A request that may be for nobody here: it goes on untouched, or where limpet owns the
/// listener, `otherwise` happens.
pub(super) fn stray<'p>(
    policy: &Policy,
    unknown: Option<Unknown>,
    otherwise: impl FnOnce() -> Disposition<'p>,
) -> Disposition<'p> {
    if policy.owns_listener() {
        otherwise()
    } else {
        Disposition::Pass { unknown }
    }
}
