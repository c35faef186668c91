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
    assert_eq!(all.len(), 13);
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
        "encrypted" | "forged-public-part" | "rsa-1024" | "rsa-damaged" | "secp256k1" => {
            Unusable::Key
        }
        "encrypted-pkcs8" => Unusable::NoKey,
        "foreign-key" | "foreign-ed25519" => Unusable::Mismatch,
        "must-staple" => Unusable::MustStaple,
        "nameless" | "empty-name" | "unreadable-names" => Unusable::Nameless,
        "not-for-signatures" => Unusable::Usage,
        "no-utf8"
        | "no-character"
        | "truncated"
        | "in-the-nineteenth-month"
        | "odd-key-usage"
        | "odd-name"
        | "damaged-authority" => Unusable::Damaged,
        other => panic!("{other} is not known"),
    };
    let all = pairs("refused");
    assert_eq!(all.len(), 20);
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

#[test]
fn for_which_servers_a_certificate_is_is_read_as_envoy_reads_it_or_not_at_all() {
    let all = pairs("taken");
    let read = |name: &str, from: &[u8], to: &[u8]| {
        let (_, text) = all.iter().find(|(known, _)| known == name).unwrap();
        let mut der = pem::blocks(text).find(|one| one.label == "CERTIFICATE");
        let der = &mut der.as_mut().unwrap().der;
        let at = der.windows(from.len()).rposition(|part| part == from);
        der.splice(at.unwrap()..at.unwrap() + from.len(), to.iter().copied());
        let pair = KeyPair::read(&pem::text("CERTIFICATE", der), text);
        pair.map(|pair| pair.servers)
    };
    let names = |name: &str| Ok(Some(vec![name.to_owned()]));
    for (to, expected) in [
        (&b"\x82\x06a.test"[..], names("a.test")),
        (b"\x82\x06A.tes*", names("A.tes*")),
        // A URI is no server.
        (b"\x86\x06a.test", Ok(Some(Vec::new()))),
        (b"\x82\x06a\0test", Ok(None)),
        (b"\x82\x06a\xe9test", Ok(None)),
        // Other kinds, of which one may be wrong.
        (b"\x88\x06a.test", Err(Unusable::Nameless)),
        (b"\x82\x02a.\x88\x02st", names("a.")),
        // One that cannot be read, and so none.
        (b"\x82\x02a.\x88\x02s\x80", Err(Unusable::Nameless)),
    ] {
        let servers = read("named-by-san", b"\x82\x06a.test", to);
        assert_eq!(servers, expected, "{}", to.escape_ascii());
    }
    for (to, expected) in [
        (&b"\x0c\x0aP-256.test"[..], names("P-256.test")),
        (b"\x13\x0aP-256.test", names("P-256.test")),
        // Two bytes for each letter.
        (b"\x1e\x0aP-256.test", Ok(None)),
        (b"\x0c\x0aP-256\x07test", Ok(None)),
    ] {
        let servers = read("P-256", b"\x0c\x0aP-256.test", to);
        assert_eq!(servers, expected, "{}", to.escape_ascii());
    }
}
