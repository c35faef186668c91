//! Which hosts ask their clients for certificates, and with what.

use limpet::annotations::Verify;
use limpet::client_certificate::{Asked, ClientCertificate};

use super::served::Served;
use crate::compiled::Clients;
use crate::key_pair::Authority;

/// What is asked of the clients of one host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'s> {
    pub(super) asked: &'s Asked,
    pub(super) authority: &'s Authority,
}

impl<'s> Asking<'s> {
    /// What is asked for the name `host`; `None`: nothing, or what no listener there can ask.
    pub(super) fn of(served: &Served<'s>, host: &str) -> Option<Self> {
        let compiled = served.compiled();
        let ClientCertificate::Asked(asked) = compiled.virtual_host(host)?.client_certificate()?
        else {
            return None;
        };
        let authority = compiled.authorities.get(&asked.said.authority)?;
        let takes_any = asked.said.verify == Verify::OptionalNoCa;
        let can = !takes_any || compiled.clients == Clients::Any;
        let asks = asked.is_on() && can;
        asks.then_some(Self { asked, authority })
    }
}

/// The hosts that ask and have no certificate of their own to ask with; the host of all others is empty.
pub(super) fn without_certificate<'s>(served: &Served<'s>) -> Vec<&'s str> {
    let compiled = served.compiled();
    let certificates = served.certificates.iter();
    let has_one = |name: &str| {
        let mut hosts = certificates.clone().flat_map(|one| &one.hosts);
        hosts.any(|host| host == name)
    };
    let hosts = compiled.policy.virtual_hosts();
    let names = hosts.map(|host| if host.is_default() { "" } else { &*host.name });
    let asking = names.filter(|name| Asking::of(served, name).is_some());
    asking
        .filter(|name| !has_one(&name.to_ascii_lowercase()))
        .collect()
}
