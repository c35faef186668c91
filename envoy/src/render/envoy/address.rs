//! A socket as a flag says it and as Envoy wants it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde_json::{Value, json};

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `ip:port`.
    Socket(SocketAddr),
    /// `unix:PATH`.
    Pipe(String),
}

impl Address {
    /// An IPv4 address and a port.
    #[must_use]
    pub fn ip(ip: [u8; 4], port: u16) -> Self {
        Self::Socket((ip, port).into())
    }

    /// As `envoy.config.core.v3.Address`.
    #[must_use]
    pub fn to_envoy(&self) -> Value {
        match self {
            Self::Socket(socket) => json!({ "socket_address": {
                "address": socket.ip().to_string(),
                "port_value": socket.port(),
            } }),
            Self::Pipe(path) => json!({ "pipe": { "path": path } }),
        }
    }

    /// The same for a listener. `[::]` takes IPv4 too, whose clients keep their addresses of IPv4.
    #[must_use]
    pub fn listened(&self) -> Value {
        let mut address = self.to_envoy();
        let is_any = matches!(self, Self::Socket(SocketAddr::V6(it)) if it.ip().is_unspecified());
        let fields = address.pointer_mut("/socket_address");
        if let Some(fields) = fields.and_then(Value::as_object_mut).filter(|_| is_any) {
            fields.insert("ipv4_compat".to_owned(), json!(true));
        }
        address
    }

    /// The same as somebody on this machine reaches it: an unspecified address becomes loopback.
    #[must_use]
    pub fn reachable(&self) -> Self {
        match self {
            Self::Socket(socket) if socket.ip().is_unspecified() => {
                let loopback: IpAddr = match socket.ip() {
                    IpAddr::V4(_) => [127, 0, 0, 1].into(),
                    IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                };
                Self::Socket(SocketAddr::new(loopback, socket.port()))
            }
            other => other.clone(),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => Ok(Self::Pipe(path.to_owned())),
            _ => text
                .parse()
                .map(Self::Socket)
                .map_err(|_| format!("{text:?} is not an address; expected ip:port or unix:PATH")),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(socket) => socket.fmt(f),
            Self::Pipe(path) => write!(f, "unix:{path}"),
        }
    }
}
