//! The ports that Services declare, by what an Ingress may call them.

use std::cell::RefCell;
use std::collections::HashMap;

use limpet::config;
use serde_json::Value;

use crate::manifests::Object;

/// For each Service that was asked for, by its identifier, each of its ports by each of its names: one with
/// thousands of ports is named by thousands of paths.
#[derive(Debug, Default)]
pub(super) struct Declared<'m>(RefCell<HashMap<String, HashMap<String, &'m Value>>>);

impl<'m> Declared<'m> {
    /// The entry of `spec.ports` that an Ingress means by `port`.
    ///
    /// Source: `serviceEndpoints` and `externalNamePorts`, `internal/ingress/controller/controller.go`,
    /// ingress-nginx dbb11b92d: of a name in DNS the target is not compared.
    pub(super) fn port(&self, service: &'m Object, port: &str) -> Option<&'m Value> {
        let mut services = self.0.borrow_mut();
        let ports = services
            .entry(service.id())
            .or_insert_with(|| ports(service));
        ports.get(port).copied()
    }
}

/// Of several of one name the first counts.
fn ports(service: &Object) -> HashMap<String, &Value> {
    let is_external = is_external(service);
    let mut ports = HashMap::new();
    for entry in service.list("/spec/ports") {
        let Some(port) = config::service_port(entry) else {
            continue;
        };
        let target = (!is_external).then_some(port.target);
        let names = [Some(port.port.to_string()), Some(port.name), target];
        for name in names.into_iter().flatten() {
            ports.entry(name).or_insert(entry);
        }
    }
    ports
}

/// Whether it is a name in DNS, and no set of pods.
pub(super) fn is_external(service: &Object) -> bool {
    service.text("/spec/type") == Some("ExternalName")
}
