//! What Secrets hold.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

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

    /// Every text of a Secret by its key; what is no base64 or no text is left out.
    pub(crate) fn secret_texts(&self) -> Map<String, Value> {
        let of = |map: &str| self.value.get(map).and_then(Value::as_object);
        let decoded = |(key, value): (&String, &Value)| {
            let encoded: String = value.as_str()?.split_whitespace().collect();
            let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            Some((key.clone(), Value::String(text)))
        };
        let data = of("data").into_iter().flatten().filter_map(decoded);
        let plain = of("stringData").into_iter().flatten();
        let plain = plain.filter(|(_, value)| value.is_string());
        let plain = plain.map(|(key, value)| (key.clone(), value.clone()));
        data.chain(plain).collect()
    }
}
