//! Service ports, as Ingresses name them.

use limpet::ingress::Backend;

/// A Service port as an Ingress writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServicePort {
    /// The namespace of the Ingress.
    pub namespace: String,
    /// `backend.service.name`.
    pub service: String,
    /// `backend.service.port`: the number or the name, as text.
    pub port: String,
}

impl ServicePort {
    /// What an Ingress in `namespace` names as its backend; `None`: no port.
    #[must_use]
    pub fn named(namespace: &str, backend: &Backend) -> Option<Self> {
        (!backend.port.is_empty()).then(|| Self {
            namespace: namespace.to_owned(),
            service: backend.service.clone(),
            port: backend.port.clone(),
        })
    }

    /// `namespace/service:port`, the key of the plugin configuration's `clusters`, and Envoy's name
    /// where that says nothing.
    #[must_use]
    pub fn key(&self) -> String {
        limpet::cluster::key(&self.namespace, &self.service, &self.port)
    }

    /// `namespace/service`.
    #[must_use]
    pub fn service_id(&self) -> String {
        format!("{}/{}", self.namespace, self.service)
    }
}
