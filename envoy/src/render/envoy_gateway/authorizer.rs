//! Whom `auth-url` names: the cluster of a route to a Service. Nothing else can be said there.

use std::collections::BTreeMap;

use super::route::ClusterRoute;
use crate::render::authorizer::by_routes;
use crate::render::served::Served;

/// What each origin is called.
pub(super) fn names(served: &Served<'_>, routes: &[ClusterRoute<'_>]) -> BTreeMap<String, String> {
    let named = by_routes(served).filter_map(|(cluster, _)| {
        let mut routes = routes.iter();
        let route = routes.find(|route| route.cluster.service_port == cluster.service_port)?;
        Some((cluster.authorizer.clone()?, route.envoy_name()))
    });
    named.collect()
}
