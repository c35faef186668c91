//! What resources for Envoy Gateway do not hold, or make it do otherwise, one line each: `check` says it, and the head
//! of what is rendered.

use std::collections::BTreeMap;

use super::{pods, protocols};
use crate::render::own_listeners::own_listeners;
use crate::render::served::Served;
use crate::render::{authorizer, external_names, left_out, slashless};

/// All of that, but for what [`Served::all_notes`] has.
pub(crate) fn notes(served: &Served<'_>) -> Vec<String> {
    let mut all: Vec<String> = left_out::on_envoy_gateway(served).collect();
    all.extend(served.aliases_of_no_listener());
    all.extend(external_names::on_envoy_gateway(served));
    all.extend(slashless::notes(served));
    all.extend(protocols::notes(served));
    all.extend(authorizer::on_envoy_gateway(served));
    all
}

/// What may not be said of the Services that get them: Envoy Gateway would speak TLS to these pods, and
/// put into it the TLS that comes.
pub(crate) fn passed(served: &Served<'_>) -> Vec<String> {
    let mut services: BTreeMap<String, (bool, Vec<&str>)> = BTreeMap::new();
    for one in own_listeners(served).passed {
        let of_service = services.entry(one.cluster.service_port.service_id());
        let (has_policy, hosts) = of_service.or_default();
        *has_policy |= pods::are_told(served.compiled(), one.cluster);
        hosts.push(one.host);
    }
    let note = |(service, (has_policy, hosts)): (String, (bool, Vec<&str>))| {
        if has_policy {
            return format!(
                "Service {service} would get the TLS of {} as it comes, but the BackendTLSPolicy that \
                 proxy-ssl-verify asks for names it: that TLS comes in TLS, and no connection holds. Give one of both a \
                 Service of its own, with the same selector",
                hosts.join(", ")
            );
        }
        format!(
            "Service {service} gets the TLS of {} as it comes: no BackendTLSPolicy may name it, or that TLS \
             comes in TLS and no connection holds. What comes by http reaches it in plain HTTP/1",
            hosts.join(", ")
        )
    };
    services.into_iter().map(note).collect()
}
