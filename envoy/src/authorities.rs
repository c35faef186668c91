//! Who signs the certificates of clients: the Secrets that `auth-tls-secret` names.

use std::collections::BTreeMap;

use limpet::annotations::validator::parse_bool;

use crate::certificates::repeated::Repeated;
use crate::inert;
use crate::key_pair::Authority;
use crate::manifests::Manifests;
use crate::taken::TakenIngress;

/// Who names the Secret.
pub(crate) const ANNOTATION: &str = "auth-tls-secret";

/// What is known of the Secrets that somebody names, each by `namespace/name`.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    /// Those that Envoy takes.
    pub(crate) usable: BTreeMap<String, Authority>,
    /// Why the others let nobody in, said of the Secret.
    pub(crate) unusable: BTreeMap<String, String>,
    /// The same for the operator, a line for each Ingress.
    pub(crate) notes: Vec<String>,
}

/// `None`: nobody asks for certificates.
pub(crate) fn authorities(
    manifests: &Manifests,
    ingresses: &[TakenIngress<'_>],
    repeated: &mut Repeated,
) -> Option<Authorities> {
    let mut named: BTreeMap<String, Vec<&TakenIngress<'_>>> = BTreeMap::new();
    let mut oldest_first = Vec::new();
    for ingress in ingresses {
        let Some(id) = named_by(ingress) else {
            continue;
        };
        let by = named.entry(id.clone()).or_default();
        if by.is_empty() {
            oldest_first.push(id);
        }
        by.push(ingress);
    }
    if named.is_empty() {
        return None;
    }
    let may_name_any = manifests.setting("allow-cross-namespace-resources");
    let may_name_any = may_name_any.and_then(parse_bool).unwrap_or_default();
    let chains = longest_chains(manifests, ingresses);
    let mut all = Authorities::default();
    for id in oldest_first {
        let by = named.remove(&id).unwrap_or_default();
        let namespace = id.split('/').next().unwrap_or_default();
        // Whoever may not name it has no host that asks by it.
        let asking = by
            .iter()
            .filter(|one| may_name_any || one.ingress.namespace == namespace);
        let asking = asking.map(|one| one.ingress.rules.len().max(1)).sum();
        let authority = read(manifests, &id).map_err(|why| (why, "as under ingress-nginx "));
        let authority = authority.and_then(|authority| {
            let chain = chains.get(namespace).copied().unwrap_or_default();
            let bytes = authority.bytes().saturating_add(chain);
            let room = repeated.take(namespace, bytes, asking);
            room.map(|()| authority)
                .map_err(|why| (format!("is not used ({why})"), ""))
        });
        match authority {
            Ok(authority) => {
                all.usable.insert(id, authority);
            }
            Err((why, as_before)) => {
                all.notes.extend(by.into_iter().map(|ingress| {
                    format!(
                        "{}: Secret {} {why}: {as_before}the hosts of ingress {} answer 403",
                        ingress.place_of(ANNOTATION),
                        inert::line(&id),
                        ingress.id(),
                    )
                }));
                all.unusable.insert(id, why);
            }
        }
    }
    Some(all)
}

/// `namespace/name` of the Secret that an Ingress names.
fn named_by(ingress: &TakenIngress<'_>) -> Option<String> {
    let named = ingress.annotation(ANNOTATION).unwrap_or_default().trim();
    if named.is_empty() {
        return None;
    }
    Some(if named.contains('/') {
        named.trim_start_matches('/').to_owned()
    } else {
        format!("{}/{named}", ingress.ingress.namespace)
    })
}

/// By namespace, how long the longest chain is that its Ingresses name: each host that asks is written with one.
fn longest_chains<'i>(
    manifests: &Manifests,
    ingresses: &'i [TakenIngress<'_>],
) -> BTreeMap<&'i str, usize> {
    let mut all = BTreeMap::new();
    for ingress in ingresses.iter().map(|one| &one.ingress) {
        let secrets = ingress.tls.iter().filter_map(|one| one.secret.as_deref());
        let secrets = secrets
            .filter_map(|name| manifests.tls_secret(&format!("{}/{name}", ingress.namespace)));
        let texts = secrets.flat_map(|secret| {
            ["data", "stringData"].map(|map| secret.text(&format!("/{map}/tls.crt")))
        });
        if let Some(longest) = texts.flatten().map(str::len).max() {
            let known = all.entry(ingress.namespace.as_str()).or_insert(longest);
            *known = longest.max(*known);
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
