//! Ciphers as OpenSSL names them, as far as Envoy's library has them: it refuses all of a configuration
//! for a name that it does not know.
//!
//! Source: `kCiphers`, `ssl/ssl_cipher.cc` of Envoy 1.40's `BoringSSL`.

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
pub(super) fn list(text: &str) -> Vec<String> {
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
