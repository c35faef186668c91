//! Versions and ciphers of TLS as OpenSSL names them, as far as Envoy's library has them: it refuses all of a
//! configuration for a name that it does not know.
//!
//! Source: `kCiphers`, `ssl/ssl_cipher.cc` of Envoy 1.40's `BoringSSL`.

use serde_json::{Map, Value, json};

use crate::manifests::Manifests;

const KNOWN: [&str; 13] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
];

/// Those of a list that Envoy has, each once; empty: its own. A list that says more than names is a
/// choice of nginx's library among its own.
fn ciphers(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in text.split(':').filter(|name| !name.is_empty()) {
        let is_name = name.contains('-') && !name.starts_with(['!', '-', '+']);
        if !is_name {
            return Vec::new();
        }
        if KNOWN.contains(&name) && !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    all
}

/// The words of nginx's `ssl_protocols`; of those below 1.2 Envoy is told none.
pub(crate) const VERSIONS: [&str; 6] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/// A version that both nginx's library and Envoy's take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Two,
    Three,
}

/// What of TLS is said beside certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsParams {
    /// The lowest and the highest; `None`: as Envoy has it, 1.2 and 1.3 toward clients.
    pub(crate) versions: Option<[Version; 2]>,
    /// Of versions below 1.3; empty: Envoy's own.
    pub(crate) ciphers: Vec<String>,
}

impl TlsParams {
    /// Of `proxy-ssl-protocols` and `proxy-ssl-ciphers`: the default is what a Secret without the annotation gets, and one
    /// with a bad value.
    pub(crate) fn of_pods(protocols: &str, ciphers: &str) -> Self {
        Self {
            versions: Some(versions(protocols).unwrap_or([Version::Two; 2])),
            ciphers: self::ciphers(ciphers),
        }
    }

    /// Of the ConfigMap's `ssl-protocols` and `ssl-ciphers`, which hold for all listeners.
    pub(crate) fn of_listeners(manifests: &Manifests) -> Self {
        let text = |key: &str| manifests.setting(key).unwrap_or_default();
        let protocols = text("ssl-protocols");
        let versions = versions(protocols);
        let is_older = || {
            protocols
                .split_whitespace()
                .any(|word| VERSIONS.contains(&word))
        };
        let versions = versions.or_else(|| is_older().then_some([Version::Two; 2]));
        let says_ciphers = versions.is_none_or(|[lowest, _]| lowest == Version::Two);
        Self {
            versions,
            ciphers: match says_ciphers {
                true => ciphers(text("ssl-ciphers")),
                false => Vec::new(),
            },
        }
    }

    /// `tls_params` of Envoy's; `None`: nothing is said.
    pub(crate) fn on_envoy(&self) -> Option<Value> {
        let mut parameters = Map::new();
        if let Some([lowest, highest]) = self.versions.map(|two| two.map(Version::on_envoy)) {
            parameters.insert("tls_minimum_protocol_version".to_owned(), json!(lowest));
            parameters.insert("tls_maximum_protocol_version".to_owned(), json!(highest));
        }
        if !self.ciphers.is_empty() {
            parameters.insert("cipher_suites".to_owned(), json!(self.ciphers));
        }
        (!parameters.is_empty()).then(|| parameters.into())
    }
}

impl Version {
    fn on_envoy(self) -> &'static str {
        match self {
            Self::Two => "TLSv1_2",
            Self::Three => "TLSv1_3",
        }
    }
}

/// Those that both have of a list; `None`: neither.
fn versions(text: &str) -> Option<[Version; 2]> {
    let has = |version: &str| text.split_whitespace().any(|word| word == version);
    match (has("TLSv1.2"), has("TLSv1.3")) {
        (true, true) => Some([Version::Two, Version::Three]),
        (true, false) => Some([Version::Two; 2]),
        (false, true) => Some([Version::Three; 2]),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
