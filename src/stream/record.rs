//! What a stream writes into the record of its decision.

use super::Stream;
use crate::affinity::{Closed, Served, Session, State};
use crate::cluster::ClusterId;
use crate::decision::{AffinityRecord, Outcome, Why, latin1};
use crate::policy::Policy;
use crate::route::{Forward, Location};
use std::sync::Arc;

/// What the record says of each step; nothing where there is none.
impl Stream {
    pub(super) fn note(&mut self, why: Why) {
        if let Some(decision) = &mut self.decision {
            decision.why.push(why);
        }
    }

    pub(super) fn note_location(&mut self, location: Option<&Arc<Location>>) {
        if let (Some(decision), Some(location)) = (&mut self.decision, location) {
            decision.ingress = Some(location.ingress.clone()).filter(|name| !name.is_empty());
            decision.location = Some(location.path.clone());
            decision.why.push(Why::Location {
                ingress: location.ingress.clone(),
                path: location.path.clone(),
            });
        }
    }

    pub(super) fn note_forward(
        &mut self,
        policy: &Policy,
        forward: &Forward,
        chosen: ClusterId,
        session: Option<&Session>,
        endpoints_unknown: bool,
    ) {
        if self.decision.is_none() {
            return;
        }
        self.note_location(Some(forward.location));
        let upstream_name = |id| policy.cluster(id).map(|c| c.upstream_name.clone());
        if let (true, Some(primary), Some(canary)) = (
            chosen != forward.cluster,
            upstream_name(forward.cluster),
            upstream_name(chosen),
        ) {
            self.note(Why::Canary { primary, canary });
        }
        if let Some(path) = &forward.path {
            self.note(Why::Rewritten { to: latin1(path) });
        }
        if let Some(session) = session {
            self.note(match session.override_host() {
                Some(endpoint) => Why::Cookie {
                    endpoint: endpoint.to_owned(),
                },
                None if endpoints_unknown => Why::EndpointsUnknown,
                None if session.has_cookie() => Why::NobodyNamed,
                None => Why::Balanced,
            });
        }
        let affinity = policy.cluster(chosen).and_then(|c| c.affinity.as_ref());
        if let Some(decision) = &mut self.decision {
            decision.outcome = Outcome::Forward;
            decision.cluster = upstream_name(chosen);
            decision.affinity = affinity.map(|affinity| AffinityRecord {
                cookie: affinity.cookie_name().to_owned(),
                state: State::None,
                override_host: None,
            });
        }
    }

    pub(super) fn note_closed(&mut self, closed: &Closed, served: &Served) {
        let Some(decision) = &mut self.decision else {
            return;
        };
        if let Some(record) = &mut decision.affinity {
            record.state = closed.state;
        }
        let endpoint = served.address.unwrap_or_default().to_owned();
        if served.local_reply {
            decision.why.push(Why::LocalReply);
        } else if served.elsewhere {
            decision.why.push(Why::Elsewhere {
                endpoint: endpoint.clone(),
            });
        }
        if closed.set_cookie.is_some() {
            decision.why.push(Why::Minted { endpoint });
        }
    }
}
