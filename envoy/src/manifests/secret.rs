//! Which Secrets hold a certificate.

use super::Object;

impl Object {
    /// Whether it is a Secret with a certificate and its key, whatever its type: ingress-nginx goes by the keys.
    ///
    /// Source: `getPemCertificate`, `internal/ingress/controller/store/backend_ssl.go`, ingress-nginx
    /// dbb11b92d.
    #[must_use]
    pub fn holds_a_pair(&self) -> bool {
        let has = |key: &str| {
            let of = |map: &str| self.text(&format!("/{map}/{key}")).is_some();
            of("data") || of("stringData")
        };
        has("tls.crt") && has("tls.key")
    }

    /// Whether its type is the one that Gateway API's implementations ask for.
    #[must_use]
    pub fn is_of_type_tls(&self) -> bool {
        self.text("/type") == Some("kubernetes.io/tls")
    }
}
