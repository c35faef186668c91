//! From a configuration to what it means.

use super::{Loaded, Policy, certificates, clusters, error_pages, headers, hosts, load, merge};
use crate::access::clients::Clients;
use crate::access::{Proxied, RealIp};
use crate::config::settings::Settings;
use crate::config::{self, Config, ConfigError};
use crate::remark::{Effect, Problem, Remark};

/// Reads a configuration and compiles it. Environment variables that it names are not looked up.
///
/// # Errors
/// It is none.
pub fn read(bytes: &[u8]) -> Result<(Policy, Vec<Remark>), ConfigError> {
    let (config, mut remarks) = config::read(bytes)?;
    let (policy, more) = compile(&config);
    remarks.extend(more);
    Ok((policy, remarks))
}

/// The Ingresses that count, in ingress-nginx's order; [`compile`] says why the others do not.
#[must_use]
pub fn ingresses(config: &Config) -> Vec<Loaded> {
    let (settings, _) = Settings::read(&config.config_map);
    load::load(config, &settings, &mut Vec::new())
}

/// Compiles a configuration. What cannot be used disables itself alone, with a remark.
#[must_use]
pub fn compile(config: &Config) -> (Policy, Vec<Remark>) {
    let (settings, mut remarks) = Settings::read(&config.config_map);
    let loaded = load::load(config, &settings, &mut remarks);
    let mut merged = merge::merge(&loaded, config, &mut remarks);
    let asks_clients = certificates::add(&mut merged, &loaded, &mut remarks);
    let (clusters, ids) = clusters::compile(&merged, &loaded, config, &settings, &mut remarks);
    let hosts = hosts::compile(&merged, &loaded, &ids, &settings, config, &mut remarks);
    let real_ip = real_ip(&settings, config);
    let clients = clients(&settings, &mut remarks);
    let additions = headers::additions(&settings, config, &mut remarks);
    let requests = headers::requests(&settings, config, &mut remarks);
    let endpoints = clusters::endpoints(config, &clusters, &mut remarks);
    let error_pages = error_pages::of(None, None, &settings, config, &ids);
    let policy = Policy {
        clusters,
        headers: config.headers.clone(),
        unmatched: config.unmatched,
        report: config.report,
        discovery: config.discovery.clone(),
        endpoints,
        hosts,
        asks_clients,
        client_listeners: config.client_listeners.clone(),
        names_routes: !config.policies.is_empty(),
        path_decoding: config.path_decoding,
        trust_forwarded_proto: config.trust_forwarded_proto,
        forwarded_host: config.forwarded_host,
        use_forwarded_headers: settings.use_forwarded_headers,
        blocked: settings.block_cidrs,
        real_ip,
        clients,
        additions,
        requests,
        drops_odd_names: settings.ignore_invalid_headers,
        hidden: settings.hide_headers,
        hsts: settings.hsts.value(),
        error_pages,
        redirect_code: settings.http_redirect_code,
        head_buffers: settings.large_client_header_buffers,
        strip_headers: config.strip_headers.clone(),
        protect: config.protect.clone(),
    };
    (policy, remarks)
}

/// Whom `block-user-agents` and `block-referers` keep out; `None`: nobody.
fn clients(settings: &Settings, remarks: &mut Vec<Remark>) -> Option<Clients> {
    let mut clients = Clients::default();
    for (key, header, list) in [
        (
            "block-user-agents",
            "user-agent",
            &settings.block_user_agents,
        ),
        ("block-referers", "referer", &settings.block_referers),
    ] {
        if let Err(why) = clients.add(header, list) {
            let key = format!("config_map.{key}");
            let value = Some(list.join(","));
            let problem = Problem::UnusablePattern(why);
            remarks.push(Remark::key(&key, value, problem, Effect::Configuration));
        }
    }
    let is_asked = !settings.block_user_agents.is_empty() || !settings.block_referers.is_empty();
    is_asked.then_some(clients)
}

/// Who says the client's address; `None`: whoever connects is the client.
fn real_ip(settings: &Settings, config: &Config) -> Option<RealIp> {
    let proxied = config.headers.proxied.clone();
    let proxied = proxied.filter(|_| settings.use_proxy_protocol);
    if !settings.use_forwarded_headers && !settings.enable_real_ip && proxied.is_none() {
        return None;
    }
    // Envoy may have added whoever connects to X-Forwarded-For already.
    let is_kept = config.headers.peer.is_some() && settings.forwarded_for_header == FORWARDED_FOR;
    let full = if is_kept {
        "x-original-forwarded-for"
    } else {
        FORWARDED_FOR
    };
    let has_full = settings.use_forwarded_headers && settings.compute_full_forwarded_for;
    Some(RealIp {
        header: settings.forwarded_for_header.clone(),
        trusted: settings.proxy_real_ip_cidr.clone(),
        peer: config.headers.peer.clone(),
        full: has_full.then(|| full.to_owned()),
        proxied: proxied.map(|name| Proxied {
            name,
            is_a_proxy: settings.use_forwarded_headers,
        }),
    })
}

const FORWARDED_FOR: &str = "x-forwarded-for";

#[cfg(test)]
mod tests;
