//! What is known about the downstream connection of a request.

use std::net::{Ipv4Addr, SocketAddr};

/// Which way the traffic of a listener goes: the property `xds.listener_direction`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Not said, 0.
    #[default]
    Unspecified,
    /// Into the workload, 1.
    Inbound,
    /// Out of the workload, 2.
    Outbound,
}

/// What is known about the downstream connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The downstream's address, `source.address`.
    pub source: SocketAddr,
    /// The address it connected to, `destination.address`.
    pub destination: SocketAddr,
    /// `connection.tls_version`, such as `TLSv1.3`; `None`: no TLS.
    pub tls_version: Option<String>,
    /// `request.protocol`, such as `HTTP/1.1`.
    pub protocol: String,
    /// `xds.listener_direction`.
    pub direction: Direction,
}

impl Default for Connection {
    fn default() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            source: nowhere,
            destination: nowhere,
            tls_version: None,
            protocol: "HTTP/1.1".to_owned(),
            direction: Direction::default(),
        }
    }
}
