//! Certificates for any names, as many as a test needs: signed by nobody, each of the same few keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const SEQUENCE: u8 = 0x30;

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On P-256.
    Elliptic,
    /// RSA.
    Rsa,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Made {
    /// The certificate.
    pub der: Vec<u8>,
    kind: Kind,
}

/// A certificate for these names of DNS, by whose common name it is told from others for the same ones; without
/// names it has no alternative ones at all.
#[must_use]
pub fn made(kind: Kind, common_name: &str, names: &[&str]) -> Made {
    let model = der_of(pair(kind));
    let mut model = items(content(&model)).into_iter();
    let (signed, algorithm, signature) = (model.next(), model.next(), model.next());
    let signed = items(content(signed.unwrap()));
    let attribute = [
        item(0x06, &[0x55, 0x04, 0x03]),
        item(0x0c, common_name.as_bytes()),
    ];
    let part = item(SEQUENCE, &attribute.concat());
    let subject = item(SEQUENCE, &item(0x31, &part));
    let mut body = vec![
        item(0xa0, &item(0x02, &[2])),
        item(0x02, &[1]),
        algorithm.unwrap().to_vec(),
        subject.clone(),
        signed.iter().find(|one| is_validity(one)).unwrap().to_vec(),
        subject,
        signed.iter().find(|one| is_key(one)).unwrap().to_vec(),
    ];
    if !names.is_empty() {
        let names: Vec<Vec<u8>> = names
            .iter()
            .map(|name| item(0x82, name.as_bytes()))
            .collect();
        let value = item(0x04, &item(SEQUENCE, &names.concat()));
        let extension = item(SEQUENCE, &[item(0x06, &[0x55, 0x1d, 0x11]), value].concat());
        body.push(item(0xa3, &item(SEQUENCE, &extension)));
    }
    let whole = [
        item(SEQUENCE, &body.concat()),
        algorithm.unwrap().to_vec(),
        signature.unwrap().to_vec(),
    ];
    Made {
        der: item(SEQUENCE, &whole.concat()),
        kind,
    }
}

impl Made {
    /// The Secret that holds it.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> Value {
        let der = STANDARD.encode(&self.der);
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": name, "namespace": namespace },
            "stringData": {
                "tls.crt": format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n"),
                "tls.key": pair(self.kind),
            },
        })
    }
}

/// A certificate and its key.
fn pair(kind: Kind) -> &'static str {
    match kind {
        Kind::Elliptic => include_str!("../../../envoy/src/key_pair/pairs/taken/P-256.pem"),
        Kind::Rsa => include_str!("../../../envoy/src/key_pair/pairs/taken/rsa-2048.pem"),
    }
}

/// Two times.
fn is_validity(der: &[u8]) -> bool {
    let is_time = |one: &&[u8]| [0x17, 0x18].contains(&one[0]);
    der[0] == SEQUENCE && items(content(der)).iter().all(is_time)
}

/// An algorithm and bits.
fn is_key(der: &[u8]) -> bool {
    let is_bits = |one: &[u8]| one[0] == 0x03;
    der[0] == SEQUENCE && items(content(der)).last().is_some_and(|one| is_bits(one))
}

fn der_of(pem: &str) -> Vec<u8> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----").unwrap();
    let (body, _) = rest.split_once("-----END").unwrap();
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).unwrap()
}

fn item(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let mut all = match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    all.extend(content);
    all
}

/// Where the content of a value begins, and where it ends.
fn bounds(der: &[u8]) -> (usize, usize) {
    let bytes = usize::from(der[1].saturating_sub(0x80));
    if bytes == 0 {
        return (2, 2 + usize::from(der[1]));
    }
    let length = der[2..2 + bytes].iter();
    let length = length.fold(0, |all, byte| all << 8 | usize::from(*byte));
    (2 + bytes, 2 + bytes + length)
}

fn content(der: &[u8]) -> &[u8] {
    let (from, to) = bounds(der);
    &der[from..to]
}

fn items(mut der: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !der.is_empty() {
        let (one, rest) = der.split_at(bounds(der).1);
        all.push(one);
        der = rest;
    }
    all
}
