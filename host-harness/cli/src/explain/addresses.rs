//! Which list of addresses keeps a client out, and which address it has.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use limpet::access::Networks;
use limpet::edit::fields;
use limpet::facts::Facts;
use limpet::policy::Policy;
use limpet_envoy::compiled::Compiled;

use super::why::ADDRESS;
use super::{Explanation, Request};

const DENY: &str = "denylist-source-range";

const ALLOW: [&str; 2] = ["allowlist-source-range", "whitelist-source-range"];

const BLOCKED: &str = "block-cidrs";

/// The lists of everybody and of each Ingress.
pub(super) struct Addresses {
    /// By `namespace/name`.
    of_ingresses: BTreeMap<String, [Option<List>; 2]>,
    /// Those of the ConfigMap: who is kept out, who alone comes in, and who is kept out where nothing else is
    /// listed.
    of_all: [Option<List>; 3],
}

#[derive(Debug, Clone)]
struct List {
    /// Which one, in words.
    name: String,
    networks: Networks,
}

impl List {
    fn read(name: &str, owner: &str, text: Option<&str>) -> Option<Self> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        Some(Self {
            name: format!("{name} of {owner}"),
            networks: Networks::read(text.split(','))?,
        })
    }
}

impl Addresses {
    pub(super) fn new(compiled: &Compiled<'_>) -> Self {
        let map = "ingress-nginx's ConfigMap";
        let key = |name: &str| List::read(name, map, compiled.manifests.setting(name));
        let [_, whitelist] = ALLOW;
        let of_all = [key(DENY), key(whitelist), key(BLOCKED)];
        let lists = compiled.ingresses.iter().map(|ingress| {
            let owner = format!("ingress {}", ingress.id());
            let own = |name: &str| List::read(name, &owner, ingress.annotation(name));
            let lists = [own(DENY), ALLOW.into_iter().find_map(own)];
            (ingress.id().to_owned(), lists)
        });
        Self {
            of_ingresses: lists.collect(),
            of_all,
        }
    }

    /// The address that a client has to the lists.
    fn client(policy: &Policy, request: &Request) -> Option<IpAddr> {
        let source = SocketAddr::new(source(request), 40000).to_string();
        let facts = Facts {
            property: &|path| (path == ["source", "address"]).then(|| source.clone().into_bytes()),
            ..Facts::NONE
        };
        let headers = request.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.0.to_ascii_lowercase(), value.0.trim_ascii()))
            .collect();
        policy.client(&fields(&headers), &facts)
    }

    /// Says which client it was, and which list it was that kept it out.
    pub(super) fn tell(&self, policy: &Policy, request: &Request, answer: &mut Explanation) {
        let Some(client) = Self::client(policy, request) else {
            return;
        };
        answer.client = Some(client.to_string());
        let Some(why) = answer.why.iter_mut().find(|why| *why == ADDRESS) else {
            return;
        };
        let ingress = answer.ingress.as_ref();
        let own = ingress.and_then(|id| self.of_ingresses.get(id));
        let [own_deny, own_allow] =
            own.map_or([None, None], |own| own.each_ref().map(Option::as_ref));
        let [deny, allow, blocked] = self.of_all.each_ref().map(Option::as_ref);
        let has = |list: &&List| list.networks.contains(client);
        let on = |list: &List| format!("the client {client} is on {}: 403", list.name);
        let not_on = |list: &List| format!("the client {client} is not on {}: 403", list.name);
        let denied = own_deny.or(deny).filter(has).map(on);
        let allow = own_allow.or(allow);
        let not_allowed = || allow.filter(|list| !has(list)).map(not_on);
        let blocked = || blocked.filter(has).map(on);
        if let Some(said) = denied.or_else(not_allowed).or_else(blocked) {
            *why = said;
        }
    }
}

/// Who connects.
pub(super) fn source(request: &Request) -> IpAddr {
    let given = request.client.as_ref();
    let given = given.and_then(|client| std::str::from_utf8(&client.0).ok()?.parse().ok());
    given.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}
