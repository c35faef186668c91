//! The counters and gauges, by their fixed names.

use crate::affinity::State;
use crate::stream::Count;

/// Every metric, in the order of [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Sessions that began.
    SessionsNew,
    /// Requests that were answered by the endpoint of their session.
    SessionsKept,
    /// Sessions that another endpoint took over.
    SessionsMoved,
    /// Sessions whose endpoint was gone.
    SessionsDead,
    /// Cookies that name nobody and are left alone.
    SessionsForeign,
    /// Redirects that limpet answered with.
    Redirects,
    /// Requests that no location takes.
    NotFound,
    /// Requests that `protect` refused.
    Protected,
    /// Requests whose patterns were more work than one request may be.
    TooCostly,
    /// Requests that a list of addresses refused.
    DeniedAddress,
    /// Requests that a list of User-Agents or Referers refused.
    DeniedClient,
    /// Requests whose body is too long.
    TooLarge,
    /// Requests of clients that send too many.
    Limited,
    /// Requests that were refused for want of a name and its password.
    DeniedPassword,
    /// Requests that an authorizer refused.
    DeniedAuthorizer,
    /// Requests that were refused because of a client's certificate.
    DeniedCertificate,
    /// Requests of locations that are closed, by the configuration or by an annotation that is refused.
    Closed,
    /// Requests that nginx refuses of anybody.
    BadRequest,
    /// Requests that waited for the endpoints.
    Waited,
    /// Polls of Envoy's admin.
    DiscoveryPolls,
    /// Polls that went wrong.
    DiscoveryFailures,
    /// Requests whose endpoint the session filter did not name.
    FilterMissing,
    /// Host calls that were refused.
    HostCallFailures,
    /// How many endpoints are known.
    Endpoints,
    /// How many warnings the configuration has.
    ConfigWarnings,
    /// How many errors it has.
    ConfigErrors,
}

/// What a metric does with the numbers it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Adds them up.
    Counter,
    /// Keeps the last.
    Gauge,
}

use Kind::{Counter, Gauge};

/// Envoy shows them in `/stats/prometheus` under these names.
pub const NAMES: [(&str, Kind); 26] = [
    ("limpet_sessions_new", Counter),
    ("limpet_sessions_kept", Counter),
    ("limpet_sessions_moved", Counter),
    ("limpet_sessions_dead", Counter),
    ("limpet_sessions_foreign", Counter),
    ("limpet_redirects", Counter),
    ("limpet_not_found", Counter),
    ("limpet_protected", Counter),
    ("limpet_too_costly", Counter),
    ("limpet_denied_address", Counter),
    ("limpet_denied_client", Counter),
    ("limpet_too_large", Counter),
    ("limpet_limited", Counter),
    ("limpet_denied_password", Counter),
    ("limpet_denied_authorizer", Counter),
    ("limpet_denied_certificate", Counter),
    ("limpet_closed", Counter),
    ("limpet_bad_requests", Counter),
    ("limpet_waited", Counter),
    ("limpet_discovery_polls", Counter),
    ("limpet_discovery_failures", Counter),
    ("limpet_filter_missing", Counter),
    ("limpet_host_call_failures", Counter),
    ("limpet_endpoints", Gauge),
    ("limpet_config_warnings", Gauge),
    ("limpet_config_errors", Gauge),
];

impl Metric {
    /// The counter of what a stream counts.
    #[must_use]
    pub fn of(count: Count) -> Self {
        match count {
            Count::Session(State::New) => Self::SessionsNew,
            Count::Session(State::Kept) => Self::SessionsKept,
            Count::Session(State::Moved) => Self::SessionsMoved,
            Count::Session(State::Dead) => Self::SessionsDead,
            Count::Session(State::Foreign) => Self::SessionsForeign,
            Count::Redirect => Self::Redirects,
            Count::NotFound => Self::NotFound,
            Count::Protected => Self::Protected,
            Count::TooCostly => Self::TooCostly,
            Count::DeniedAddress => Self::DeniedAddress,
            Count::DeniedClient => Self::DeniedClient,
            Count::TooLarge => Self::TooLarge,
            Count::Limited => Self::Limited,
            Count::DeniedPassword => Self::DeniedPassword,
            Count::DeniedAuthorizer => Self::DeniedAuthorizer,
            Count::DeniedCertificate => Self::DeniedCertificate,
            Count::Closed => Self::Closed,
            Count::BadRequest => Self::BadRequest,
            Count::FilterMissing => Self::FilterMissing,
        }
    }
}
