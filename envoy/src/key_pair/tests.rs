//! Pairs that a real Envoy takes or refuses; `tests/attacks/tenants.rs` asks it about the same ones.

use std::path::{Path, PathBuf};

use super::*;

fn pairs(kind: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/key_pair/pairs");
    let entries = std::fs::read_dir(folder.join(kind)).unwrap();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let pair = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.iter().map(pair).collect()
}

#[test]
fn what_envoy_takes_is_taken() {
    let all = pairs("taken");
    assert_eq!(all.len(), 12);
    for (name, text) in all {
        let pair = KeyPair::read(&text, &text);
        assert!(pair.is_ok(), "{name}: {pair:?}");
        // What is written is a pair too, and nothing else.
        let pair = pair.unwrap();
        assert_eq!(KeyPair::read(&pair.chain, &pair.key), Ok(pair), "{name}");
    }
}

#[test]
fn what_envoy_refuses_is_refused_with_the_reason() {
    let expected = |name: &str| match name {
        "encrypted" | "ed25519" | "forged-public-part" | "rsa-1024" | "rsa-damaged"
        | "secp256k1" => Unusable::Key,
        "encrypted-pkcs8" => Unusable::NoKey,
        "foreign-key" => Unusable::Mismatch,
        "must-staple" => Unusable::MustStaple,
        "nameless" => Unusable::Nameless,
        "not-for-signatures" => Unusable::Usage,
        "no-utf8" | "truncated" | "in-the-nineteenth-month" | "odd-key-usage" | "odd-name" => {
            Unusable::Damaged
        }
        other => panic!("{other} is not known"),
    };
    let all = pairs("refused");
    assert_eq!(all.len(), 16);
    for (name, text) in all {
        let refused = KeyPair::read(&text, &text);
        assert_eq!(refused, Err(expected(&name)), "{name}");
    }
}

#[test]
fn garbage_is_refused() {
    let (_, good) = pairs("taken").pop().unwrap();
    let block = |label: &str, der: &[u8]| pem::text(label, der);
    for (crt, key, why) in [
        ("", good.as_str(), Unusable::NoCertificate),
        ("garbage", &good, Unusable::NoCertificate),
        (&good, "", Unusable::NoKey),
        (
            &good.replace("END CERT", "STOP CERT"),
            &good,
            Unusable::NoCertificate,
        ),
        (&block("CERTIFICATE", b""), &good, Unusable::Damaged),
        (&block("CERTIFICATE", b"cert"), &good, Unusable::Damaged),
        (
            &block("CERTIFICATE", &[0x30; 1 << 20]),
            &good,
            Unusable::Damaged,
        ),
        // Deeper than any stack.
        (
            &block("CERTIFICATE", &[0x30, 0x80].repeat(1 << 19)),
            &good,
            Unusable::Damaged,
        ),
        (&good, &block("PRIVATE KEY", b""), Unusable::Key),
        (&good, &block("PRIVATE KEY", b"key"), Unusable::Key),
        (
            &[good.clone(), block("CERTIFICATE", b"cert")].concat(),
            &good,
            Unusable::Damaged,
        ),
    ] {
        assert_eq!(KeyPair::read(crt, key), Err(why), "{crt:.80} {key:.80}");
    }
}

#[test]
fn what_stands_around_the_blocks_is_not_written() {
    let (_, good) = pairs("taken").pop().unwrap();
    let noisy = format!("Bag Attributes\n# comment\n{good}\nmore\n");
    let (noisy, good) = (KeyPair::read(&noisy, &noisy), KeyPair::read(&good, &good));
    assert_eq!(noisy, good);
}
