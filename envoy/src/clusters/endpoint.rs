//! Endpoints, before any proxy has seen them.

/// What is known of an endpoint's health before any proxy looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Takes requests.
    Healthy,
    /// Terminating but still serving: keeps its sessions, gets no new ones.
    Draining,
}

/// One pod's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ip:port`, an IPv6 address in brackets.
    pub address: String,
    /// Its health.
    pub health: Health,
}
