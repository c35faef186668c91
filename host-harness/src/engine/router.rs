//! The router: route table, cluster choice, what is tried again.

use super::message::Attempted;
use crate::headers::Headers;
use crate::route::{ClusterSpecifier, RetryPolicy, Route};

/// The route of a head and the cluster it names, which need not exist.
pub(super) fn select(routes: &[Route], head: &Headers) -> (Option<usize>, Option<String>) {
    let found = routes
        .iter()
        .enumerate()
        .find(|(_, route)| route.matches.matches(head));
    let cluster = found.and_then(|(_, route)| cluster_of(&route.cluster, head));
    (found.map(|(index, _)| index), cluster)
}

fn cluster_of(specifier: &ClusterSpecifier, head: &Headers) -> Option<String> {
    match specifier {
        ClusterSpecifier::Name(name) => Some(name.clone()),
        ClusterSpecifier::Header { name, fallback } => match head.first(name) {
            Some(value) => String::from_utf8(value.to_vec()).ok(),
            None => fallback.clone(),
        },
    }
}

/// Whether `policy` is about this outcome, however many tries are left.
pub(super) fn is_retriable(policy: &RetryPolicy, attempted: &Attempted) -> bool {
    match attempted {
        Attempted::Response(head) => head
            .status()
            .is_some_and(|status| policy.on_statuses.contains(&status)),
        Attempted::ConnectFailed(_) => policy.on_connect_failure,
        Attempted::Reset => policy.on_reset,
        Attempted::TimedOut => false, // the time limit is for all tries together
    }
}
