//! The certificates of clients: the listener asks for them and says who signed them, the module
//! decides.
//!
//! ingress-nginx answers whoever shows none or a bad one with a status, not with a broken handshake. So
//! the handshake takes any, and the first route of a request says which it was: Envoy matches routes by
//! that, and tells it nowhere else. Of a resumed session it says that nothing was verified, so none is
//! resumed.
//!
//! Source: `TlsContextMatchOptions` of `api/envoy/config/route/v3/route_components.proto`, Envoy 1.40.

use limpet::annotations::Verify;
use limpet::client_certificate::{
    Asked, CERTIFICATE, CONNECTION, ClientCertificate, ISSUER, SUBJECT, VALIDITY,
};
use limpet::route::VirtualHost;
use serde_json::{Value, json};

use crate::compiled::Compiled;
use crate::forwarding::CLUSTER_HEADER;
use crate::key_pair::Authority;
use crate::names;

/// What is asked of the clients of some hosts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::render) struct Asking {
    authority: Authority,
    /// `namespace/name` of the Secret that holds it.
    secret: String,
    depth: u32,
    /// The names of the routes of a good certificate and of another one.
    routes: [String; 2],
    /// Pods get the certificate itself.
    passes: bool,
    /// Whoever signed it, it has to hold.
    takes_any: bool,
}

/// Whether some host asks for certificates.
pub(in crate::render) fn asks(compiled: &Compiled<'_>) -> bool {
    let mut hosts = compiled.policy.virtual_hosts();
    hosts.any(|host| host.client_certificate().is_some())
}

/// The hosts that ask for certificates, but for those that no client can name in its greeting.
pub(in crate::render) fn hosts(compiled: &Compiled<'_>) -> impl Iterator<Item = String> {
    let hosts = compiled.policy.virtual_hosts();
    let hosts = hosts.filter(|host| host.client_certificate().is_some() && !host.is_default());
    let names = hosts.map(|host| host.name.to_ascii_lowercase());
    names.filter(|name| names::is_host(name))
}

impl Asking {
    /// What is asked for the name `host`; `None`: nothing.
    pub(in crate::render) fn of(compiled: &Compiled<'_>, host: &str) -> Option<Self> {
        Self::of_host(compiled, compiled.virtual_host(host)?)
    }

    /// The same of every name that is no host's.
    pub(in crate::render) fn of_all_others(compiled: &Compiled<'_>) -> Option<Self> {
        Self::of_host(compiled, compiled.virtual_host("")?)
    }

    fn of_host(compiled: &Compiled<'_>, host: &VirtualHost) -> Option<Self> {
        let ClientCertificate::Asked(asked) = host.client_certificate()? else {
            return None;
        };
        let authority = compiled.authorities.get(&asked.said.authority)?;
        asked.is_on().then(|| Self::new(asked, authority))
    }

    fn new(asked: &Asked, authority: &Authority) -> Self {
        Self {
            authority: authority.clone(),
            secret: asked.said.authority.clone(),
            depth: asked.said.depth,
            routes: [asked.route(true), asked.route(false)],
            passes: asked.said.passes,
            takes_any: asked.said.verify == Verify::OptionalNoCa,
        }
    }

    /// `namespace/name` of the Secret with the authority.
    pub(in crate::render) fn secret(&self) -> &str {
        &self.secret
    }

    /// Whose authority it is.
    pub(in crate::render) fn namespace(&self) -> &str {
        let parts = self.secret.split_once('/');
        parts.map_or("", |(namespace, _)| namespace)
    }

    /// Makes a filter chain ask.
    pub(in crate::render) fn add_to(&self, chain: &mut Value) {
        let mut context = json!({
            "trusted_ca": { "inline_string": self.authority.certificates },
            // Envoy's library counts the authority too, and Envoy takes no more.
            "max_verify_depth": self.depth.saturating_add(1).min(100),
            "trust_chain_verification": "ACCEPT_UNTRUSTED",
        });
        if let (Some(revoked), Some(fields)) = (&self.authority.revoked, context.as_object_mut()) {
            fields.insert("crl".to_owned(), json!({ "inline_string": revoked }));
        }
        let tls = chain.pointer_mut("/transport_socket/typed_config");
        let Some(tls) = tls.and_then(Value::as_object_mut) else {
            return;
        };
        tls.insert("require_client_certificate".to_owned(), json!(false));
        for key in [
            "disable_stateless_session_resumption",
            "disable_stateful_session_resumption",
        ] {
            tls.insert(key.to_owned(), json!(true));
        }
        let common = tls.get_mut("common_tls_context");
        if let Some(common) = common.and_then(Value::as_object_mut) {
            common.insert("validation_context".to_owned(), context);
        }
    }
}

/// The header with the name that the client greeted, which a connection without TLS has not.
pub(in crate::render) const GREETED: (&str, &str) = (CONNECTION, "%REQUESTED_SERVER_NAME%");

/// What the module is told of a connection that is TLS. An operator of which Envoy knows nothing writes
/// no header.
pub(in crate::render) fn told(asked: Option<&Asking>) -> Vec<Value> {
    let mut all = vec![(CONNECTION, "sni=%REQUESTED_SERVER_NAME%")];
    if let Some(asked) = asked {
        all.push((SUBJECT, "%DOWNSTREAM_PEER_SUBJECT%"));
        all.push((ISSUER, "%DOWNSTREAM_PEER_ISSUER%"));
        all.extend(
            asked
                .passes
                .then_some((CERTIFICATE, "%DOWNSTREAM_PEER_CERT%")),
        );
        all.extend(asked.takes_any.then_some((
            VALIDITY,
            "%DOWNSTREAM_PEER_CERT_V_START(%s)%-%DOWNSTREAM_PEER_CERT_V_END(%s)%",
        )));
    }
    let write = |(key, value): (&str, &str)| {
        json!({ "append": {
            "header": { "key": key, "value": value },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        } })
    };
    all.into_iter().map(write).collect()
}

/// The routes that a request has before the module gave it a cluster. Whatever goes by the module ends
/// there.
pub(in crate::render) fn routes(asked: &Asking) -> Vec<Value> {
    let [good, other] = &asked.routes;
    let route = |name: &String, is_good: bool| {
        json!({
            "name": name,
            "match": {
                "prefix": "/",
                "headers": [{ "name": CLUSTER_HEADER, "present_match": true, "invert_match": true }],
                "tls_context": { "presented": true, "validated": is_good },
            },
            "direct_response": { "status": 503 },
        })
    };
    vec![route(good, true), route(other, false)]
}
