//! What no cluster reaches: the host that Envoy runs on, and Envoy's admin wherever it is.

use std::net::SocketAddr;

use super::address::Address;
use super::settings::EnvoySettings;
use crate::clusters::{Cluster, Endpoint, off_limits};

const ADMIN: &str = "where Envoy's admin is, or may be";

/// Why nothing is sent to a name in DNS: it may resolve to whatever its owner likes, so the admin's
/// port is off limits under any name.
pub(super) fn refused_name(
    settings: &EnvoySettings,
    name: &str,
    port: u16,
) -> Option<&'static str> {
    let is_admins = matches!(&settings.admin, Address::Socket(admin) if admin.port() == port);
    off_limits::name(name, settings.allow_loopback).or_else(|| is_admins.then_some(ADMIN))
}

fn refused(settings: &EnvoySettings, endpoint: &Endpoint) -> Option<&'static str> {
    let Ok(socket) = endpoint.address.parse::<SocketAddr>() else {
        return Some("no ip:port");
    };
    off_limits::address(socket.ip(), settings.allow_loopback)
        .or_else(|| is_admin(settings, socket).then_some(ADMIN))
}

/// An admin on every address is on those that nobody here knows, too.
fn is_admin(settings: &EnvoySettings, socket: SocketAddr) -> bool {
    let Address::Socket(admin) = &settings.admin else {
        return false;
    };
    let (ip, admin_ip) = (socket.ip().to_canonical(), admin.ip().to_canonical());
    let is_there = admin_ip.is_unspecified() || ip == admin_ip || ip.is_loopback();
    admin.port() == socket.port() && is_there
}

/// The endpoints that may be sent to.
pub(super) fn endpoints(settings: &EnvoySettings, cluster: &Cluster) -> Vec<Endpoint> {
    let may = |endpoint: &&Endpoint| refused(settings, endpoint).is_none();
    cluster.endpoints.iter().filter(may).cloned().collect()
}

/// A note for each of the others.
pub(super) fn notes(settings: &EnvoySettings, cluster: &Cluster) -> Vec<String> {
    let note = |endpoint: &Endpoint| {
        let why = refused(settings, endpoint)?;
        Some(note(cluster, "endpoint", &endpoint.address, why))
    };
    cluster.endpoints.iter().filter_map(note).collect()
}

/// That `value` is not used.
pub(super) fn note(cluster: &Cluster, field: &str, value: &str, why: &str) -> String {
    let remedy = if off_limits::is_of_loopback(why) {
        "; --allow-loopback lets loopback be, for trying things out"
    } else {
        ""
    };
    format!(
        "{}: {}: {field} {value:?} is {why}: it gets no requests (without another endpoint \
         the answer is {}){remedy}",
        cluster.place,
        cluster.subject(),
        cluster.without_endpoints()
    )
}
