//! What Kubernetes takes as a name, and with it the schemas and webhooks of what is rendered.
//!
//! Source: `IsDNS1123Label`, `IsDNS1123Subdomain`, `IsWildcardDNS1123Subdomain` and
//! `IsValidPortName`, `k8s.io/apimachinery/pkg/util/validation/validation.go`.

use serde_json::Value;

use crate::manifests::Object;

/// A namespace or a Service.
#[must_use]
pub fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_part(name)
}

/// What stands between the dots of a name, however long: Kubernetes bounds the whole.
fn is_part(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte != b'-' && inner(byte));
    name.bytes().all(inner) && is_end(name.bytes().next()) && is_end(name.bytes().last())
}

/// A Secret, or a host without a wildcard.
#[must_use]
pub fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_part)
}

/// The host of a rule, in whatever case: a name, or one with `*` for its first label.
#[must_use]
pub fn is_host(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    is_subdomain(name.strip_prefix("*.").unwrap_or(&name)) && name.len() <= 253
}

/// The port of a backend as text: a number, or a name.
#[must_use]
pub fn is_port(port: &str) -> bool {
    let is_number = port.parse::<u16>().is_ok_and(|number| number > 0);
    let has_letter = port.bytes().any(|byte| byte.is_ascii_lowercase());
    is_number || (is_label(port) && port.len() <= 15 && has_letter && !port.contains("--"))
}

/// A name in an Ingress that no API server takes, and no platform would take from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Its JSON pointer.
    pub pointer: String,
    /// As written.
    pub name: String,
    /// Of what it is to be the name.
    pub what: &'static str,
}

/// What becomes of an Ingress with such a name.
pub const LEFT_OUT: &str =
    "the whole Ingress is left out, lest the platform refuse what others share";

impl Unfit {
    /// In one line, of the Ingress that it is in.
    #[must_use]
    pub fn note(&self, ingress: &Object) -> String {
        format!(
            "{}: ingress {}: {:?} is no name of a {}; {LEFT_OUT}",
            ingress.place_of(&self.pointer),
            ingress.id(),
            self.name,
            self.what
        )
    }
}

/// The first such name; `None`: there is none.
#[must_use]
pub fn unfit(ingress: &Object) -> Option<Unfit> {
    let namespace = ingress.namespace();
    if !is_label(namespace) {
        return Some(unfit_at("/metadata/namespace", namespace, "namespace"));
    }
    for (r, rule) in ingress.list("/spec/rules").iter().enumerate() {
        let host = text(rule, "/host");
        if !host.is_empty() && !is_host(host) {
            return Some(unfit_at(&format!("/spec/rules/{r}/host"), host, "host"));
        }
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (p, path) in paths.into_iter().flatten().enumerate() {
            let backend = path.get("backend").unwrap_or(&Value::Null);
            let pointer = format!("/spec/rules/{r}/http/paths/{p}/backend");
            if let Some(unfit) = unfit_backend(&pointer, backend) {
                return Some(unfit);
            }
        }
    }
    for (t, tls) in ingress.list("/spec/tls").iter().enumerate() {
        let secret = text(tls, "/secretName");
        if !secret.is_empty() && !is_subdomain(secret) {
            let pointer = format!("/spec/tls/{t}/secretName");
            return Some(unfit_at(&pointer, secret, "Secret"));
        }
        let hosts = tls.get("hosts").and_then(Value::as_array);
        let mut hosts = hosts.into_iter().flatten().filter_map(Value::as_str);
        if let Some(host) = hosts.find(|host| !host.is_empty() && !is_host(host)) {
            return Some(unfit_at(&format!("/spec/tls/{t}/hosts"), host, "host"));
        }
    }
    let pointer = "/spec/defaultBackend";
    let default = ingress.value.pointer(pointer).unwrap_or(&Value::Null);
    unfit_backend(pointer, default)
}

fn unfit_backend(pointer: &str, backend: &Value) -> Option<Unfit> {
    let service = text(backend, "/service/name");
    if !service.is_empty() && !is_label(service) {
        let pointer = format!("{pointer}/service/name");
        return Some(unfit_at(&pointer, service, "Service"));
    }
    let port = text(backend, "/service/port/name");
    (!port.is_empty() && !is_port(port)).then(|| {
        let pointer = format!("{pointer}/service/port/name");
        unfit_at(&pointer, port, "port")
    })
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let value = value.pointer(pointer).and_then(Value::as_str);
    value.unwrap_or_default()
}

fn unfit_at(pointer: &str, name: &str, what: &'static str) -> Unfit {
    Unfit {
        pointer: pointer.to_owned(),
        name: name.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        for (name, label, subdomain, host) in [
            ("web", true, true, true),
            ("0-web-1", true, true, true),
            ("shop.example.com", false, true, true),
            ("Shop.example.com", false, false, true),
            ("*.example.com", false, false, true),
            ("shop.*", false, false, false),
            ("*", false, false, false),
            ("*.*.example.com", false, false, false),
            ("my_app.internal", false, false, false),
            ("inside.example:8443", false, false, false),
            ("shop.example.com.", false, false, false),
            ("-web", false, false, false),
            ("web-", false, false, false),
            ("a\nb", false, false, false),
            ("../x", false, false, false),
            ("größe", false, false, false),
            ("", false, false, false),
        ] {
            let judged = (is_label(name), is_subdomain(name), is_host(name));
            assert_eq!(judged, (label, subdomain, host), "{name:?}");
        }
        let long = "a".repeat(64);
        assert!(is_label(&"a".repeat(63)) && !is_label(&long));
        // So does the API server of Kubernetes 1.37, whatever DNS says.
        assert!(is_subdomain(&long) && is_host(&format!("*.{long}.test")));
        assert!(!is_subdomain(&["a".repeat(63).as_str(); 5].join(".")));
        for (port, is_it) in [
            ("80", true),
            ("65536", false),
            ("0", false),
            ("http", true),
            ("http-alternative", false),
            ("a--b", false),
            ("1-2", false),
            ("h\n", false),
        ] {
            assert_eq!(is_port(port), is_it, "{port:?}");
        }
    }
}
