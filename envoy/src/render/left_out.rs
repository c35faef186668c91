//! Hosts that a platform's resources do not hold, one line each: `check` says them, and the head of what is rendered.

use super::asking::without_certificate;
use super::own_listeners::{OfOneHost, OwnListeners, own_listeners};
use super::secrets::{MOST_CERTIFICATES, MOST_LISTENERS};
use super::served::Served;
use crate::certificates::known_pair;
use crate::inert;

/// Characters between two dots of a name in DNS.
const MOST_OF_A_LABEL: usize = 63;

/// The hosts that Istio does not take, each with why.
pub fn on_istio<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let hosts = served.hosts.iter();
    let refused = hosts.filter_map(|host| Some((host, by_istio(host)?)));
    let refused = refused.map(|(host, why)| format!("host {host}: {why}: it is not served"));
    refused.chain(not_asking(served))
}

/// Why Istio does not take a host, and with it nothing of the object that has it; `None`: it does.
///
/// Source: `ValidateDNS1123Labels`, `pkg/config/validation/agent/validation.go`, istio eed52ebb.
pub(super) fn by_istio(host: &str) -> Option<&'static str> {
    if host == "*" {
        return None;
    }
    let Some((_, last)) = host.rsplit_once('.') else {
        return Some("Istio takes a name without a dot for a Service");
    };
    if host.split('.').any(|label| label.len() > MOST_OF_A_LABEL) {
        return Some("Istio refuses a name of which a part has more than 63 characters");
    }
    let is_numeric = last.bytes().all(|byte| byte.is_ascii_digit());
    is_numeric.then_some("Istio refuses a name that ends in a number")
}

/// The hosts whose certificates are beyond what a Gateway can hold, or in a Secret that it refuses.
pub fn on_envoy_gateway<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let own = own_listeners(served);
    of_other_types(served)
        .chain(out_of_place(served))
        .chain(beyond(&own))
        .chain(not_passed(&own))
        .chain(not_asking(served))
}

/// Source: `validateTLSConfiguration`, `internal/gatewayapi/validate.go`, Envoy Gateway 1.9.1.
fn of_other_types<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    served.unusable.iter().filter_map(|certificate| {
        let id = certificate.secret_id();
        let secret = served.tls_secret(&id)?;
        (!secret.is_of_type_tls()).then(|| {
            format!(
                "{}: Envoy Gateway refuses Secret {id}, which is not of type kubernetes.io/tls: hosts {} \
                 get no https from it",
                certificate.place(),
                certificate.hosts.join(", ")
            )
        })
    })
}

/// The hosts whose certificates are in Secrets that cannot be used; `check` says them as the Ingresses'.
pub(super) fn unusable<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    served.unusable.iter().filter_map(|certificate| {
        let secret = served.tls_secret(&certificate.secret_id())?;
        let why = known_pair(secret).err()?;
        Some(format!(
            "{}: {why}: hosts {} get no https from it",
            certificate.place(),
            certificate.hosts.join(", ")
        ))
    })
}

fn out_of_place<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    served.out_of_place.iter().map(|(certificate, why)| {
        format!(
            "{}: the certificate of Secret {} cannot be in one listener with other namespaces': {why}: hosts {} get no \
             https from it; give them one for their own names alone",
            certificate.place(),
            certificate.secret_id(),
            certificate.hosts.join(", ")
        )
    })
}

fn not_passed(own: &OwnListeners<'_>) -> Option<String> {
    let hosts: Vec<&str> = own.not_passed.iter().map(|one| one.host).collect();
    (!hosts.is_empty()).then(|| {
        format!(
            "a Gateway holds {MOST_LISTENERS} listeners, and each host whose TLS goes to pods as it comes takes \
             one; namespaces take turns. It ends at the proxy for {}. Render a part of the Ingresses for a \
             Gateway of its own",
            hosts.join(", ")
        )
    })
}

fn beyond(own: &OwnListeners<'_>) -> Vec<String> {
    let beyond = &own.without_room;
    let names = |asks: bool| -> Vec<&str> {
        let some = beyond.iter().filter(|one| one.asking.is_some() == asks);
        some.map(|one: &OfOneHost<'_>| one.host).collect()
    };
    let (asking, others) = (names(true), names(false));
    let quiet = (!others.is_empty()).then(|| {
        format!(
            "a Gateway holds {MOST_CERTIFICATES} certificates in a listener and {MOST_LISTENERS} listeners: \
             {} hosts are served with the certificate of another host, and asked for one where its clients are: {}. \
             Gather hosts under fewer certificates, or render a part of the Ingresses for a Gateway of its own",
            others.len(),
            others.join(", ")
        )
    });
    let asking = (!asking.is_empty()).then(|| {
        format!(
            "a Gateway holds {MOST_LISTENERS} listeners, and each host that asks clients for certificates takes one: \
             {} of them ask for none, and refuse whoever has to show one: {}. Render a part of the Ingresses for a \
             Gateway of its own",
            asking.len(),
            asking.join(", ")
        )
    });
    quiet.into_iter().chain(asking).collect()
}

/// The hosts that nobody can ask for.
fn not_asking(served: &Served<'_>) -> Option<String> {
    let hosts = without_certificate(served);
    let named = |host: &&str| match *host {
        "" => "of every other name".to_owned(),
        host => inert::line(host),
    };
    let named: Vec<String> = hosts.iter().map(named).collect();
    (!named.is_empty()).then(|| {
        format!(
            "hosts {} ask clients for certificates and have none themselves: no listener asks for them, and whoever \
             has to show one is refused. Give them one under tls",
            named.join(", ")
        )
    })
}
