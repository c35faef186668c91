//! Bytes that are shown as text.

/// Bytes as a string: one code point U+0000..U+00FF each.
#[must_use]
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

/// The bytes of such a string; a code point above U+00FF becomes its UTF-8.
#[must_use]
pub fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c)) {
            Ok(byte) => out.push(byte),
            Err(_) => out.extend_from_slice(c.to_string().as_bytes()),
        }
    }
    out
}
