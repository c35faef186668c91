//! One cluster.

use std::collections::BTreeSet;

use super::endpoint::Endpoint;
use super::off_limits;
use super::protocol::Protocol;
use super::service_port::ServicePort;

/// One cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Which Service port it stands for.
    pub service_port: ServicePort,
    /// Its endpoints, in the order given.
    pub endpoints: Vec<Endpoint>,
    /// Services were given, and this one was not among them.
    pub missing: bool,
    /// The port of the Service in numbers, where it is known.
    pub number: Option<u16>,
    /// The Service is known, and has no port of that number or name.
    pub has_no_such_port: bool,
    /// The pods' port in numbers, or that behind the `externalName`, where it is known.
    pub target: Option<u16>,
    /// The name of the Service's port.
    pub port_name: Option<String>,
    /// `appProtocol` of the Service's port.
    pub app_protocol: Option<String>,
    /// Whether the Service is headless; `None`: it is not among the manifests.
    pub headless: Option<bool>,
    /// The Ingresses that name it, `namespace/name`.
    pub named_by: Vec<String>,
    /// The Service's `externalName`, if it is of that type.
    pub external_name: Option<String>,
    /// Where an Ingress names it first, `file:line`.
    pub place: String,
    /// How its pods are spoken to; `None`: nobody says it, which is HTTP/1 in the clear.
    pub protocol: Option<Protocol>,
    /// How they are spoken to besides, as some of its Ingresses say.
    pub others: BTreeSet<Protocol>,
    /// No backend names it, only the annotation `default-backend`: the module has to be told.
    pub by_annotation: bool,
    /// Not served by it are requests, but asked it is about them: its origin, as `auth-url` writes it.
    pub authorizer: Option<String>,
    /// The same endpoints under another name; `None`: it is no twin.
    pub twin: Option<Twin>,
}

/// What a cluster stands there once more for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twin {
    /// It is asked for pages of `custom-http-errors`, and serves no requests.
    Pages,
    /// It takes connections as they come, with the TLS that is in them.
    Passthrough,
    /// Its pods are spoken to in another way.
    Speaks(Protocol),
}

impl Twin {
    /// How its names begin.
    fn kind(self) -> &'static str {
        match self {
            Self::Pages => "error-pages",
            Self::Passthrough => "passthrough",
            Self::Speaks(Protocol {
                tls: false,
                http2: false,
            }) => "http",
            Self::Speaks(Protocol {
                tls: true,
                http2: false,
            }) => "https",
            Self::Speaks(Protocol {
                tls: false,
                http2: true,
            }) => "grpc",
            Self::Speaks(Protocol {
                tls: true,
                http2: true,
            }) => "grpcs",
        }
    }
}

impl Cluster {
    /// The same endpoints once more.
    #[must_use]
    pub fn twin(&self, twin: Twin) -> Self {
        let protocol = match twin {
            // nginx asks for pages in the clear, whatever its location says.
            Twin::Pages => None,
            Twin::Passthrough => self.protocol,
            Twin::Speaks(protocol) => Some(protocol),
        };
        Self {
            twin: Some(twin),
            protocol,
            ..self.clone()
        }
    }

    /// The twin whose pods are spoken to by `protocol`, where they are so and the cluster itself is not.
    #[must_use]
    pub fn speaking(&self, protocol: Protocol) -> Option<Self> {
        let is_one = self.others.contains(&protocol);
        is_one.then(|| self.twin(Twin::Speaks(protocol)))
    }

    /// What asks its pods in each of these ways.
    pub fn speakers(&self) -> impl Iterator<Item = Self> {
        self.others.iter().filter_map(|one| self.speaking(*one))
    }

    /// Why nothing is sent to its `externalName`: it leads to the host that the proxy runs on.
    #[must_use]
    pub fn leads_to_its_proxy(&self) -> Option<&'static str> {
        off_limits::name(self.external_name.as_deref()?, false)
    }

    /// Whether platforms that read `appProtocol` speak HTTP/2 without TLS to its pods by themselves.
    #[must_use]
    pub fn is_h2c(&self) -> bool {
        self.app_protocol.as_deref() == Some("kubernetes.io/h2c")
    }

    /// What of the Service's port makes Istio speak HTTP/2 to its pods, whoever asks.
    ///
    /// Source: `ConvertProtocol`, `pkg/config/kube/conversion.go`, istio eed52ebb66ad.
    #[must_use]
    pub fn istio_http2(&self) -> Option<String> {
        let is_http2 = |name: &str| {
            let name = name.to_ascii_lowercase();
            let starts = |kind: &&str| name == **kind || name.starts_with(&format!("{kind}-"));
            ["grpc", "http2"].iter().any(starts)
        };
        match (&self.app_protocol, &self.port_name) {
            (Some(said), _) => {
                (self.is_h2c() || is_http2(said)).then(|| format!("appProtocol {said}"))
            }
            (None, Some(name)) => is_http2(name).then(|| format!("the name {name} of its port")),
            (None, None) => None,
        }
    }

    /// The Envoy cluster's name. That of an authorizer is no name of a Service port.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.authorizer {
            Some(origin) => format!("authorizer/{origin}"),
            None => {
                let key = self.service_port.key();
                self.twin
                    .map_or(key.clone(), |twin| format!("{}/{key}", twin.kind()))
            }
        }
    }

    /// Whether it is asked by the module alone.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.authorizer.is_some() || self.twin == Some(Twin::Pages)
    }

    /// The same for people.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.authorizer {
            Some(origin) => format!("authorizer {origin}"),
            None => format!("Service {}", self.service_port.key()),
        }
    }

    /// What is answered where nobody can be reached.
    #[must_use]
    pub fn without_endpoints(&self) -> u16 {
        if self.authorizer.is_some() { 500 } else { 503 }
    }

    /// Whether it is a name outside of the cluster, spoken to in TLS: its certificate is verified.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        let is_outside = self.service_port.namespace.is_empty() && self.external_name.is_some();
        let tls = self.protocol.is_some_and(|protocol| protocol.tls);
        self.authorizer.is_some() && is_outside && tls
    }
}
