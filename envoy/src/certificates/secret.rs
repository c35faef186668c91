//! A Secret with a certificate and its key.

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key_pair::KeyPair;
use crate::manifests::Object;

/// What a Secret holds. Envoy refuses a whole bootstrap for one pair that it does not take.
///
/// # Errors
/// It is no pair that Envoy takes: why, with the Secret's place and name.
pub fn pair(secret: &Object) -> anyhow::Result<KeyPair> {
    let (chain, key) = (text(secret, "tls.crt")?, text(secret, "tls.key")?);
    KeyPair::read(&chain, &key)
        .with_context(|| format!("{}: Secret {}", secret.place(), secret.id()))
}

/// The same, read once however many ask.
///
/// # Errors
/// Why it cannot be used, with the Secret's place and name.
pub(crate) fn known_pair(secret: &Object) -> Result<&KeyPair, &str> {
    let read = || pair(secret).map_err(|error| format!("{error:#}"));
    secret
        .pair
        .get_or_init(read)
        .as_ref()
        .map_err(String::as_str)
}

fn text(secret: &Object, key: &str) -> anyhow::Result<String> {
    let place = || format!("{}: Secret {}: data[{key:?}]", secret.place(), secret.id());
    if let Some(text) = secret.text(&format!("/stringData/{key}")) {
        return Ok(text.to_owned());
    }
    let encoded = secret
        .text(&format!("/data/{key}"))
        .with_context(|| format!("{} is missing", place()))?;
    let bytes = STANDARD
        .decode(encoded.split_whitespace().collect::<String>())
        .with_context(|| format!("{} is not base64", place()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not PEM", place()))
}
