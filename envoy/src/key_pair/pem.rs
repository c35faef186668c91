//! PEM: DER in lines of base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands between a `BEGIN` and its `END`.
pub(super) struct Block<'t> {
    pub(super) label: &'t str,
    /// Empty where it is no base64.
    pub(super) der: Vec<u8>,
}

/// Every block of a text.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let blocks = text.split("-----BEGIN ").skip(1);
    blocks.filter_map(|block| {
        let (label, rest) = block.split_once("-----")?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(body).unwrap_or_default();
        Some(Block { label, der })
    })
}

/// One block.
pub(super) fn text(label: &str, der: &[u8]) -> String {
    let mut body = String::new();
    // 48 bytes are a line of 64 characters.
    for line in der.chunks(48) {
        body.push_str(&STANDARD.encode(line));
        body.push('\n');
    }
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}
