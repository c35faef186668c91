//! The certificates of clients: the listener of a host takes none but good ones, or none at all, and the module
//! says who may come in.
//!
//! Source: `buildListenerTLSParameters`, `internal/gatewayapi/clienttrafficpolicy.go`;
//! `httpsListenerFilterChainName`, `internal/xds/translator/listener.go`, Envoy Gateway 1.9.1.

use limpet::client_certificate::{CERTIFICATE, CHAIN, ISSUER};
use serde_json::{Map, Value, json};

use super::args::EnvoyGatewayArgs;
use super::listener::{OfOneHost, of_one_host};
use crate::forwarding::envoy::Written;
use crate::render::asking::Asking;
use crate::render::resource::{Kind, Resource, insert};
use crate::render::served::Served;
use crate::tls_params::{TlsParams, Version};

pub(super) const POLICY: Kind = Kind {
    api_version: "gateway.envoyproxy.io/v1alpha1",
    name: "ClientTrafficPolicy",
};

/// What holds the certificates of an authority: those of Secrets in other namespaces Envoy Gateway 1.7 does not
/// read, and in what is written here is nothing but what nginx lets chains end at.
const AUTHORITY: Kind = Kind {
    api_version: "v1",
    name: "ConfigMap",
};

/// The headers that listeners alone write, where clients are asked for certificates.
const HEADERS: [&str; 3] = [ISSUER, CERTIFICATE, CHAIN];

/// Those that no client may send, and no pod sees.
pub(super) fn dropped(served: &Served<'_>) -> impl Iterator<Item = &'static str> {
    HEADERS.into_iter().filter(|_| served.asks_for_certificates)
}

/// The listeners that ask, each with what.
pub(super) fn asking<'s>(served: &'s Served<'_>) -> Vec<(OfOneHost<'s>, Asking<'s>)> {
    let own = if served.asks_for_certificates {
        of_one_host(served)
    } else {
        Vec::new()
    };
    let own = own.into_iter();
    own.filter_map(|one| one.asking.map(|asking| (one, asking)))
        .collect()
}

/// `client_listeners`: by which authority each of them asks.
pub(super) fn listeners(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Option<Value> {
    let own = asking(served).into_iter().map(|(one, asking)| {
        let name = format!("{}/limpet/{}", args.namespace, one.name);
        (name, Value::from(asking.asked.said.authority.as_str()))
    });
    served
        .asks_for_certificates
        .then(|| Value::Object(own.collect::<Map<_, _>>()))
}

/// What a listener tells of a connection; `=` so that there is always something to write.
pub(super) fn headers(asking: &Asking<'_>) -> Vec<Written> {
    let written = |name, value: &str| Written {
        name,
        value: value.to_owned(),
        only_if_absent: false,
    };
    let mut all = vec![
        written(ISSUER, "=%DOWNSTREAM_PEER_ISSUER%"),
        written(CHAIN, "=%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256%"),
    ];
    let passes = asking.asked.said.passes;
    all.extend(passes.then(|| written(CERTIFICATE, "=%DOWNSTREAM_PEER_CERT%")));
    all
}

/// `tls` of the policy of all listeners: what comes there for a host that asks the module answers with 421, so
/// HTTP/2 may stay where certificates of listeners overlap. `None`: as Envoy Gateway has it.
pub(super) fn of_all(served: &Served<'_>) -> Option<Value> {
    let mut tls = parameters(served);
    if served.asks_for_certificates {
        let protocols = json!(["h2", "http/1.1"]);
        tls.insert("alpnProtocols".to_owned(), protocols);
    }
    (!tls.is_empty()).then(|| tls.into())
}

/// What all listeners have.
fn parameters(served: &Served<'_>) -> Map<String, Value> {
    let parameters = TlsParams::of_listeners(served.compiled().manifests);
    let version = |version| match version {
        Version::Two => "1.2",
        Version::Three => "1.3",
    };
    let mut tls = Map::new();
    if let Some([lowest, highest]) = parameters.versions {
        tls.insert("minVersion".to_owned(), json!(version(lowest)));
        tls.insert("maxVersion".to_owned(), json!(version(highest)));
    }
    if !parameters.ciphers.is_empty() {
        tls.insert("ciphers".to_owned(), json!(parameters.ciphers));
    }
    tls
}

/// `tls` of one that asks; `mode: VerifyIfGiven` of versions that know it. Envoy Gateway takes HTTP/2 away where
/// its certificate is good for other listeners' hosts too, which a browser would look for here.
pub(super) fn tls(served: &Served<'_>, own: &OfOneHost<'_>, asking: &Asking<'_>) -> Value {
    let map = json!({ "group": "", "kind": AUTHORITY.name, "name": name(own) });
    let mut validation = json!({ "optional": true, "caCertificateRefs": [map] });
    if asking.authority.revoked.is_some() {
        insert(&mut validation, "crl", json!({ "refs": [map] }));
    }
    let mut tls = parameters(served);
    tls.insert("clientValidation".to_owned(), validation);
    tls.into()
}

/// What the resources of a listener are called.
pub(super) fn name(own: &OfOneHost<'_>) -> String {
    format!("limpet-{}", own.name)
}

/// Of its policy.
pub(super) fn comment(own: &OfOneHost<'_>, asking: &Asking<'_>) -> String {
    format!(
        "{}: clients are asked for a certificate of Secret {}; limpet answers whoever shows none.",
        own.host, asking.asked.said.authority
    )
}

/// The authorities, beside the policies.
pub(super) fn authorities(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Vec<Resource> {
    let authorities = asking(served).into_iter().map(|(one, asking)| {
        let mut data = json!({ "ca.crt": asking.authority.certificates });
        if let Some(revoked) = &asking.authority.revoked {
            insert(&mut data, "ca.crl", json!(revoked));
        }
        let map = json!({ "data": data });
        let map = Resource::flat(AUTHORITY, &args.namespace, &name(&one), map);
        map.comment(format!(
            "Of Secret {}, as it was when this was rendered: render anew when it changes.",
            asking.asked.said.authority
        ))
    });
    authorities.collect()
}
