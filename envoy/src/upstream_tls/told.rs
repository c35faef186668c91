//! How TLS is spoken to the pods of a Service, and the words of Envoy for it.

use std::rc::Rc;

use serde_json::{Value, json};

use super::said::{Said, name_or_default};
use super::shown::Shown;
use crate::key_pair::Authority;
use crate::tls_params::TlsParams;

/// How TLS is spoken to the pods of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamTls {
    /// `None`: nobody's certificate is looked at.
    pub(super) verified: Option<Verified>,
    /// What pods are shown that ask.
    pub(super) shown: Option<Shown>,
    /// What they are called in the greeting.
    sni: Option<String>,
    parameters: TlsParams,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    authority: Rc<Authority>,
    /// The name that a certificate has to be for.
    name: String,
}

impl UpstreamTls {
    /// What a location says, over what its server does; `None`: nothing.
    pub(super) fn of(own: Option<&Said>, server: Option<&Said>) -> Option<Self> {
        let said = [own, server];
        let mut said = said.iter().flatten();
        let (mut all, mut again) = (said.clone(), said.clone());
        let checked = said.find_map(|one| one.checked.as_ref());
        let shown = all.find_map(|one| one.shown.as_ref());
        let name = name_or_default(again.find_map(|one| one.name.as_deref()));
        let names_pods = match (own, server) {
            (Some(own), _) => own.names_pods,
            // A server says the one only beside the other.
            (None, Some(server)) => server.names_pods && server.name.is_some(),
            (None, None) => false,
        };
        let verified = checked.and_then(|checked| {
            Some(Verified {
                authority: checked.authority.clone()?,
                name: name.clone(),
            })
        });
        (checked.is_some() || shown.is_some() || names_pods).then(|| Self {
            verified,
            shown: shown.cloned(),
            sni: names_pods.then_some(name),
            parameters: checked
                .map(|checked| checked.parameters.clone())
                .unwrap_or_default(),
        })
    }

    /// Whether a private key is in it.
    pub(crate) fn holds_a_key(&self) -> bool {
        self.shown.is_some()
    }

    /// How many bytes are written of certificates for each cluster.
    pub(super) fn bytes(&self) -> usize {
        let verified = self.verified.as_ref();
        let verified = verified.map_or(0, |one| one.authority.certificates.len());
        let shown = self.shown.as_ref().map(|one| &one.pair);
        shown.map_or(verified, |pair| verified.saturating_add(pair.chain.len()))
    }

    /// `namespace/name` of the Secret with that key.
    pub(crate) fn shown(&self) -> Option<&str> {
        self.shown.as_ref().map(|shown| shown.secret.as_str())
    }

    /// The certificates of who signs pods', and the name that theirs have to be for.
    pub(crate) fn verified(&self) -> Option<(&str, &str)> {
        let verified = self.verified.as_ref()?;
        Some((&verified.authority.certificates, &verified.name))
    }

    /// What pods are called in the greeting.
    pub(crate) fn sni(&self) -> Option<&str> {
        self.sni.as_deref()
    }

    /// The transport socket of a cluster, with the key in it.
    pub(crate) fn transport_socket(&self) -> Value {
        let shown = self.shown.as_ref();
        self.with_certificate(shown.map(|Shown { pair, .. }| {
            let pair = json!([{
                "certificate_chain": { "inline_string": pair.chain },
                "private_key": { "inline_string": pair.key },
            }]);
            ("tls_certificates", pair)
        }))
    }

    /// The same with what control planes call the certificate and the key.
    pub(crate) fn transport_socket_by(&self, credential: Option<&str>) -> Value {
        self.with_certificate(credential.map(|name| {
            let source = json!({ "ads": {}, "resource_api_version": "V3" });
            let config = json!([{ "name": name, "sds_config": source }]);
            ("tls_certificate_sds_secret_configs", config)
        }))
    }

    fn with_certificate(&self, certificate: Option<(&str, Value)>) -> Value {
        let mut common = serde_json::Map::new();
        if let Some(verified) = &self.verified {
            let context = json!({
                "trusted_ca": { "inline_string": verified.authority.certificates },
                // Of max_verify_depth Envoy reads nothing here.
                "match_typed_subject_alt_names": [
                    { "san_type": "DNS", "matcher": { "exact": verified.name } },
                ],
            });
            common.insert("validation_context".to_owned(), context);
        }
        if let Some((key, certificate)) = certificate {
            common.insert(key.to_owned(), certificate);
        }
        if let Some(parameters) = self.parameters.on_envoy() {
            common.insert("tls_params".to_owned(), parameters);
        }
        let mut context = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": common,
        });
        if let (Some(sni), Some(fields)) = (&self.sni, context.as_object_mut()) {
            fields.insert("sni".to_owned(), json!(sni));
        }
        json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
    }
}
