//! Who signs the certificates of clients: the Secrets that `auth-tls-secret` names.

use std::collections::BTreeMap;

use crate::inert;
use crate::key_pair::Authority;
use crate::manifests::Manifests;
use crate::taken::TakenIngress;

/// By `namespace/name`, those that Envoy takes. `None`: nobody asks for certificates.
pub(crate) fn authorities(
    manifests: &Manifests,
    ingresses: &[TakenIngress<'_>],
    notes: &mut Vec<String>,
) -> Option<BTreeMap<String, Authority>> {
    let mut all: Option<BTreeMap<String, Authority>> = None;
    for ingress in ingresses {
        let named = ingress.annotation("auth-tls-secret").unwrap_or_default();
        let named = named.trim();
        if named.is_empty() {
            continue;
        }
        let all = all.get_or_insert_default();
        let id = if named.contains('/') {
            named.trim_start_matches('/').to_owned()
        } else {
            format!("{}/{named}", ingress.ingress.namespace)
        };
        if all.contains_key(&id) {
            continue;
        }
        match read(manifests, &id) {
            Ok(authority) => {
                all.insert(id, authority);
            }
            Err(why) => notes.push(format!(
                "{}: Secret {} {why}: the hosts of ingress {} answer 403, as under ingress-nginx",
                ingress.place_of("auth-tls-secret"),
                inert::line(&id),
                ingress.id(),
            )),
        }
    }
    all
}

fn read(manifests: &Manifests, id: &str) -> Result<Authority, String> {
    let secret = manifests
        .secret(id)
        .ok_or("is not among the manifests (-f)")?;
    let texts = secret.secret_texts();
    let text = |key: &str| texts.get(key).and_then(|text| text.as_str());
    let has = |key: &str| ["data", "stringData"].map(|map| secret.text(&format!("/{map}/{key}")));
    // One that is there and is no text is no list.
    let revoked =
        text("ca.crl").or_else(|| has("ca.crl").iter().any(Option::is_some).then_some(""));
    Authority::read(text("ca.crt").unwrap_or_default(), revoked)
        .map_err(|why| format!("is of no use ({why})"))
}

/// `client_certificates` of the plugin configuration: by which of their keys certificates are checked.
pub(crate) fn told(all: &BTreeMap<String, Authority>) -> BTreeMap<String, String> {
    let keys = |authority: &Authority| match authority.revoked {
        Some(_) => "ca.crt ca.crl",
        None => "ca.crt",
    };
    let told = all.iter();
    told.map(|(id, authority)| (id.clone(), keys(authority).to_owned()))
        .collect()
}
