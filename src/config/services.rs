//! Services as the configuration gives them.

use super::{Service, ServicePort};
use serde_json::Value;

/// `"namespace/name"`, or a Service object with or without its ports.
pub(super) fn service(value: &Value) -> Option<Service> {
    if let Some(name) = value.as_str() {
        let full = name.contains('/').then(|| name.to_owned());
        let name = full.unwrap_or_else(|| format!("default/{name}"));
        return Some(Service { name, ports: None });
    }
    let metadata = value.get("metadata").unwrap_or(value);
    let name = metadata.get("name")?.as_str()?;
    let namespace = metadata.get("namespace").and_then(Value::as_str);
    // What an Ingress says is the port of a name in DNS, declared or not (`externalNamePorts`).
    let kind = value.pointer("/spec/type").and_then(Value::as_str);
    let ports = value.pointer("/spec/ports").or_else(|| value.get("ports"));
    let ports = ports.filter(|_| kind != Some("ExternalName"));
    let ports = ports.and_then(Value::as_array).map(|ports| {
        let ports = ports.iter().filter_map(service_port);
        ports.collect()
    });
    Some(Service {
        name: format!("{}/{name}", namespace.unwrap_or("default")),
        ports,
    })
}

/// One of a Service's `spec.ports`; `None`: it has no port.
#[must_use]
pub fn service_port(value: &Value) -> Option<ServicePort> {
    let port = value.get("port")?.as_u64()?;
    let target = value.get("targetPort").map(|target| match target {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    });
    Some(ServicePort {
        name: value
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        port: u16::try_from(port).ok()?,
        target: target.unwrap_or_default(),
    })
}
