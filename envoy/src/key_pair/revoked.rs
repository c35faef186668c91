//! Lists of revoked certificates.
//!
//! Source: `X509_CRL`, `crypto/x509/x_crl.cc`, `BoringSSL` a0689af29; RFC 5280, section 5.1.

use super::der::{Der, INTEGER, SEQUENCE, field, is_sound};
use super::shapes::{
    extensions, is_key_of_authority, is_scope, signed, take_algorithm, take_name, take_time,
};

const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
const SCOPE: &[u8] = &[0x55, 0x1d, 0x1c];

/// Whether it is a list of revoked certificates that is whole.
pub(super) fn is_list(der: &[u8]) -> Option<()> {
    is_sound(der).then_some(())?;
    let (mut body, algorithm) = signed(der)?;

    let version = body.take(INTEGER);
    (take_algorithm(&mut body)?.whole == algorithm.whole).then_some(())?;
    take_name(&mut body)?;
    take_time(&mut body)?;
    take_time(&mut body);
    let mut has_extensions = false;
    if let Some(entries) = body.take(SEQUENCE) {
        let mut entries = Der(entries);
        while entries.end().is_none() {
            let mut entry = Der(entries.take(SEQUENCE)?);
            entry.take(INTEGER)?;
            take_time(&mut entry)?;
            if let Some(all) = entry.take(SEQUENCE) {
                extensions(all)?;
                has_extensions = true;
            }
            entry.end()?;
        }
    }
    if let Some(all) = body.take(field(0)) {
        let mut all = Der(all);
        for extension in extensions(all.take(SEQUENCE)?)? {
            match extension.kind {
                AUTHORITY_KEY => is_key_of_authority(extension.value)?,
                SCOPE => is_scope(extension.value)?,
                _ => {}
            }
        }
        all.end()?;
        has_extensions = true;
    }
    body.end()?;
    // Only the second version has extensions, and DER does not write the first one.
    match version {
        Some([1]) => Some(()),
        None if !has_extensions => Some(()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pem;
    use super::*;

    fn lists() -> [Vec<u8>; 3] {
        [
            include_str!("lists/openssl.pem"),
            include_str!("lists/openssl-relative.pem"),
            include_str!("lists/go.pem"),
        ]
        .map(|text| pem::blocks(text).next().unwrap().der)
    }

    #[test]
    fn lists_that_openssl_and_go_write_are_taken() {
        for list in lists() {
            assert_eq!(is_list(&list), Some(()));
        }
    }

    // Envoy refuses all that it is given beside such a list.
    #[test]
    fn a_list_that_envoy_cannot_read_is_refused() {
        let [scoped, relative, go] = lists();
        let with = |list: &[u8], from: &[u8], to: &[u8]| {
            let at = list.windows(from.len()).position(|part| part == from);
            let at = at.unwrap_or_else(|| panic!("no {from:x?}"));
            let mut list = list.to_vec();
            list.splice(at..at + from.len(), to.iter().copied());
            is_list(&list)
        };
        for (list, from, to) in [
            // Which key signed: a name of no known kind, one that is no sequence, a serial number with a zero too many.
            (&scoped, &b"\xa1\x13\xa4\x11"[..], &b"\xa1\x13\xa9\x11"[..]),
            (&scoped, b"\xa4\x11\x30\x0f", b"\xa4\x11\x31\x0f"),
            (&scoped, b"\x82\x14\x5e\x34", b"\x82\x14\x00\x34"),
            (&go, b"\x30\x05\x80\x03", b"\x30\x05\x84\x03"),
            // What it is for.
            (&scoped, b"\xa0\x1b\xa0\x19", b"\xa0\x1b\xa2\x19"),
            (&scoped, b"\x81\x01\xff", b"\x81\x01\x07"),
            (&relative, b"\xa1\x0d\x30\x0b", b"\xa1\x0d\x31\x0b"),
            (&go, b"\x82\x01\xff", b"\x86\x01\xff"),
            // Whose it is: sets of sequences that begin with a kind.
            (&go, b"\x06\x03\x55\x04\x0a", b"\x04\x03\x55\x04\x0a"),
            (&scoped, b"\x31\x0d\x30\x0b\x06", b"\x31\x0d\x31\x0b\x06"),
            (&scoped, b"\x30\x0f\x31\x0d", b"\x30\x0f\x30\x0d"),
            // How it is signed, there and behind it.
            (&scoped, b"\x06\x08\x2a\x86", b"\x04\x08\x2a\x86"),
        ] {
            assert_eq!(with(list, from, from), Some(()), "{from:x?}");
            assert_eq!(with(list, from, to), None, "{to:x?}");
        }
    }
}
