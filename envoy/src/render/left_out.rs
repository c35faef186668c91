//! Hosts that a platform's resources do not hold, one line each: `check` says them, and the head of what is rendered.

use super::secrets::{MOST_CERTIFICATES, MOST_LISTENERS, secrets};
use super::served::Served;

/// The hosts that Istio takes for something else.
pub fn on_istio<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let hosts = served.hosts.iter();
    let single = hosts.filter(|host| *host != "*" && !host.contains('.'));
    single.map(|host| {
        format!("host {host}: Istio takes a name without a dot for a Service: it is not served")
    })
}

/// The hosts whose certificates are beyond what a Gateway can hold, or in a Secret that it refuses.
pub fn on_envoy_gateway<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    of_other_types(served)
        .chain(beyond(served))
        .chain(not_passed(served))
}

/// Source: `validateTLSConfiguration`, `internal/gatewayapi/validate.go`, Envoy Gateway 1.9.1.
fn of_other_types<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    served.certificates.iter().filter_map(|certificate| {
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

/// The hosts whose TLS goes to pods as it comes: each takes a listener.
fn passed<'s>(served: &'s Served<'_>) -> impl Iterator<Item = &'s str> {
    let hosts = served.passed.iter().map(|one| one.host.as_str());
    hosts.filter(|host| served.passed_to(host).is_some())
}

/// How many of them there are listeners for, beside those of http and of https.
pub(super) fn most_passed(served: &Served<'_>) -> usize {
    MOST_LISTENERS - 1 - usize::from(!served.certificates.is_empty())
}

fn not_passed(served: &Served<'_>) -> Option<String> {
    let first = passed(served).nth(most_passed(served))?;
    Some(format!(
        "a Gateway holds {MOST_LISTENERS} listeners, and each host whose TLS goes to pods as it comes takes \
         one: that of {first} and of those after it ends at the proxy. Render a part of the Ingresses for a \
         Gateway of its own"
    ))
}

fn beyond(served: &Served<'_>) -> Option<String> {
    let certificates = secrets(served);
    let further = certificates.iter().skip(MOST_CERTIFICATES);
    let beyond: Vec<&str> = further
        .flat_map(|one| one.with_hosts(served))
        .map(|(_, host)| host)
        .skip((MOST_LISTENERS - 2).saturating_sub(passed(served).count()))
        .collect();
    let first = beyond.first()?;
    Some(format!(
        "a Gateway holds {MOST_CERTIFICATES} certificates in a listener and {MOST_LISTENERS} listeners: \
         {} hosts, {first} the first of them, are served with the certificate of another host. Gather hosts \
         under fewer certificates, or render a part of the Ingresses for a Gateway of its own",
        beyond.len()
    ))
}
