//! `--endpoints NS/SERVICE:PORT=IP:PORT,...`

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::endpoint::{Endpoint, Health};
use super::service_port::ServicePort;

/// The endpoints of one Service port, or of every port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointsFlag {
    namespace: String,
    service: String,
    /// `None`: every port.
    port: Option<String>,
    addresses: Vec<String>,
}

impl EndpointsFlag {
    /// Says whether these are endpoints of `service_port`.
    #[must_use]
    pub fn covers(&self, service_port: &ServicePort) -> bool {
        self.namespace == service_port.namespace
            && self.service == service_port.service
            && self
                .port
                .as_ref()
                .is_none_or(|port| *port == service_port.port)
    }

    /// The port that the flag names of this Service, whichever port `service` says.
    #[must_use]
    pub fn port_of(&self, service: &ServicePort) -> Option<&str> {
        let is_it = self.namespace == service.namespace && self.service == service.service;
        self.port.as_deref().filter(|_| is_it)
    }

    /// The endpoints, all healthy.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> + '_ {
        self.addresses.iter().map(|address| Endpoint {
            address: address.clone(),
            health: Health::Healthy,
        })
    }
}

impl FromStr for EndpointsFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected NS/SERVICE:PORT=IP:PORT,IP:PORT";
        let (key, addresses) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} has no `=`; {expected}"))?;
        let (namespace, rest) = key.split_once('/').unwrap_or(("default", key));
        let (service, port) = match rest.split_once(':') {
            Some((service, port)) => (service, Some(port.to_owned())),
            None => (rest, None),
        };
        if namespace.is_empty() || service.is_empty() || port.as_deref() == Some("") {
            return Err(format!("{key:?} is not a Service port; {expected}"));
        }
        let addresses = addresses
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty())
            .map(|address| match address.parse::<SocketAddr>() {
                Ok(address) => Ok(address.to_string()),
                Err(_) => Err(format!("{address:?} is not an ip:port; {expected}")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            port,
            addresses,
        })
    }
}

impl fmt::Display for EndpointsFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.service)?;
        if let Some(port) = &self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "={}", self.addresses.join(","))
    }
}
