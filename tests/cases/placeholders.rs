//! The words in braces that cases use for what depends on where the pods listen.
//!
//! `{sha1:web-0}`, `{md5:web-0}`: the digest of that pod's `ip:port`, in hex; `served` is the
//! pod that answered. `{persistent:default-web-80:web-0}`: the key of `affinity-mode:
//! persistent`. `{backend:default-web-80}`: the backend key. `{key}`: any ring key.

use super::table::Table;
use limpet_cli::cookie_jar::CookieJar;
use md5::Md5;
use sha1::{Digest, Sha1};

/// Replaces every word but `{key}`.
pub(super) fn fill_in(text: &str, table: &Table, served: Option<&str>) -> String {
    let Some((before, rest)) = text.split_once('{') else {
        return text.to_owned();
    };
    let (word, after) = rest
        .split_once('}')
        .unwrap_or_else(|| panic!("{text:?}: no closing brace"));
    let address = |name: &str| match (name, table.pod(name)) {
        ("served", _) => served.unwrap_or("nobody").to_owned(),
        (_, Some(pod)) => pod.endpoint(),
        _ => panic!("{text:?}: no pod {name:?}"),
    };
    let parts: Vec<_> = word.split(':').collect();
    let filled = match parts[..] {
        ["sha1", pod] => hex(&Sha1::digest(address(pod))),
        ["md5", pod] => hex(&Md5::digest(address(pod))),
        ["persistent", upstream, pod] => hex(&Md5::digest(format!("{upstream}{}", address(pod)))),
        ["backend", upstream] => {
            let name = hex(&Md5::digest(upstream));
            hex(&Md5::digest(name + upstream))
        }
        ["key"] => "{key}".to_owned(),
        _ => panic!("{text:?}: {word:?} is no word of the cases"),
    };
    format!("{before}{filled}{}", fill_in(after, table, served))
}

/// Whether a cookie is what was expected; `{key}` fits any key.
pub(super) fn fits(want: &str, cookie: &str) -> bool {
    let want = want.replace("{key}", "{chash-key}");
    limpet_tests::recordings::fits_template(&want, cookie, 0)
}

/// All that a client was given, as a Cookie header.
pub(super) fn jar(jar: &CookieJar) -> String {
    let cookies = jar.cookies.iter();
    let pairs: Vec<_> = cookies.map(|c| format!("{}={}", c.name, c.value)).collect();
    pairs.join("; ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
