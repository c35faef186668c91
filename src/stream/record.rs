//! What a stream writes into the record of its decision.

use super::Stream;
use crate::affinity::{Closed, Served};
use crate::balancer::Candidate;
use crate::decision::{AffinityRecord, Outcome, Why, latin1};
use crate::policy::Policy;
use crate::route::{Forward, Location, Unknown};
use std::sync::Arc;

/// What the record says of each step; nothing where there is none.
impl Stream {
    pub(super) fn note(&mut self, why: Why) {
        if let Some(decision) = &mut self.decision {
            decision.note(why);
        }
    }

    pub(super) fn note_location(&mut self, location: Option<&Arc<Location>>) {
        if let (Some(decision), Some(location)) = (&mut self.decision, location) {
            decision.ingress = Some(location.ingress.clone()).filter(|name| !name.is_empty());
            decision.location = Some(location.path.clone());
            decision.note(Why::Location {
                ingress: location.ingress.clone(),
                path: location.path.clone(),
            });
        }
    }

    /// A page stands in place of an answer with this status.
    pub(super) fn note_page(&mut self, status: Option<u16>) {
        if let Some(status) = status {
            self.note(Why::ErrorPage { status });
        }
    }

    pub(super) fn note_unknown(&mut self, unknown: Unknown) {
        self.note(match unknown {
            Unknown::Host => Why::UnknownHost,
            Unknown::Path => Why::UnknownPath,
        });
    }

    pub(super) fn note_forward(&mut self, policy: &Policy, forward: &Forward, chosen: &Candidate) {
        if self.decision.is_none() {
            return;
        }
        self.note_location(Some(forward.location));
        let upstream_name = &chosen.cluster.upstream_name;
        if chosen.id != forward.cluster
            && let Some(primary) = policy.cluster(forward.cluster)
        {
            self.note(Why::Canary {
                primary: primary.upstream_name.clone(),
                canary: upstream_name.clone(),
            });
        }
        if let Some(path) = &forward.path {
            self.note(Why::Rewritten { to: latin1(path) });
        }
        if let Some(session) = &chosen.session {
            self.note(match session.named() {
                Some(endpoint) => Why::Cookie {
                    endpoint: endpoint.to_owned(),
                },
                None if session.is_unjudged() => Why::EndpointsUnknown,
                None if session.has_cookie() => Why::NobodyNamed,
                None => Why::Balanced,
            });
            if let Some(endpoint) = session.substitute() {
                self.note(Why::Substitute {
                    endpoint: endpoint.to_owned(),
                });
            }
        }
        let affinity = chosen.cluster.affinity.as_ref();
        if let Some(decision) = &mut self.decision {
            decision.outcome = Outcome::Forward;
            decision.cluster = Some(upstream_name.clone());
            decision.affinity = affinity.map(|affinity| AffinityRecord {
                cookie: affinity.cookie_name().to_owned(),
                state: None,
                override_host: None,
            });
        }
    }

    pub(super) fn note_closed(&mut self, closed: &Closed, served: &Served) {
        let Some(decision) = &mut self.decision else {
            return;
        };
        if let Some(record) = &mut decision.affinity {
            record.state = Some(closed.state);
        }
        let endpoint = served.address.unwrap_or_default().to_owned();
        if served.local_reply {
            decision.note(Why::LocalReply);
        } else if served.elsewhere {
            decision.note(Why::Elsewhere {
                endpoint: endpoint.clone(),
            });
        }
        if closed.set_cookie.is_some() {
            decision.note(Why::Minted { endpoint });
        }
    }
}
