//! The same headers in Envoy's words: values made of its command operators.

use serde_json::{Value, json};

use super::{
    FORWARDING_HEADERS, Forwarding, ForwardingHeader, PEER_HEADER, PROXIED_HEADER, Source,
};

/// The client's address, as far as Envoy knows it: a PROXY protocol is believed, and on a route so
/// are the proxies that Envoy was told to trust.
pub const CLIENT: &str = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";

/// The address that the connection came from.
pub const PEER: &str = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%";

/// One request header that Envoy writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: &'static str,
    /// Its value, with command operators.
    pub value: String,
    /// What is there already stays.
    pub only_if_absent: bool,
}

impl Written {
    /// As a header mutation does it.
    #[must_use]
    pub fn mutation(&self) -> Value {
        json!({ "append": self.on_a_route() })
    }

    /// As a route does it: an entry of `request_headers_to_add`.
    #[must_use]
    pub fn on_a_route(&self) -> Value {
        let action = if self.only_if_absent {
            "ADD_IF_ABSENT"
        } else {
            "OVERWRITE_IF_EXISTS_OR_ADD"
        };
        json!({
            "header": { "key": self.name, "value": self.value },
            "append_action": action,
        })
    }
}

/// What clients of a listener use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerSide {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// 80 or 443, wherever the listener is bound.
    pub port: u16,
}

/// Plain http.
pub const HTTP: ListenerSide = ListenerSide {
    scheme: "http",
    port: 80,
};

/// Behind TLS.
pub const HTTPS: ListenerSide = ListenerSide {
    scheme: "https",
    port: 443,
};

/// What pods get as it came, under names of its own, and who connects, for the module; nothing where
/// nothing came. The downstream's own headers of these names have to be removed before.
#[must_use]
pub fn originals(forwarding: &Forwarding) -> Vec<Written> {
    let write = |(name, from): (&'static str, &str)| Written {
        name,
        value: format!("%REQ({})%", from.to_ascii_uppercase()),
        only_if_absent: false,
    };
    let uri = forwarding
        .original_uri
        .then_some(("x-original-uri", ":path"));
    let kept = forwarding.originals().into_iter().chain(uri).map(write);
    let peer = forwarding.real_ip.then(|| Written {
        name: PEER_HEADER,
        value: PEER.to_owned(),
        only_if_absent: false,
    });
    let proxied = forwarding.proxied.then(|| Written {
        name: PROXIED_HEADER,
        value: CLIENT.to_owned(),
        only_if_absent: false,
    });
    kept.chain(peer).chain(proxied).collect()
}

/// Every forwarding header as an early header mutation writes it: the request is as the client sent
/// it, and Envoy does not know yet whom it trusts. Where a proxy in front says the client's address
/// the module writes it.
#[must_use]
pub fn early(forwarding: &Forwarding, side: ListenerSide) -> Vec<Written> {
    let write = |header: &ForwardingHeader| {
        // With a trusted proxy in front its value stays. Those that it does not send itself are
        // written from the one that it does, or from what was written in its place before.
        let own = || own_value(forwarding, header.source, side);
        let (value, only_if_absent) = match (forwarding.trusted, header.name == header.trusted) {
            _ if header.is_the_modules(forwarding) => return None,
            (false, _) => (own(), false),
            (true, true) => (own(), true),
            (true, false) => (
                format!("%REQ({})%", header.trusted.to_ascii_uppercase()),
                false,
            ),
        };
        Some(Written {
            name: header.name,
            value,
            only_if_absent,
        })
    };
    FORWARDING_HEADERS.iter().filter_map(write).collect()
}

fn own_value(forwarding: &Forwarding, source: Source, side: ListenerSide) -> String {
    match source {
        // The one that the client asked the load balancer for.
        Source::Port if forwarding.proxied => "%DOWNSTREAM_LOCAL_PORT%".to_owned(),
        Source::RemoteAddress => CLIENT.to_owned(),
        Source::Authority => "%REQ(:AUTHORITY)%".to_owned(),
        Source::Port => side.port.to_string(),
        Source::Scheme => side.scheme.to_owned(),
    }
}

/// Every forwarding header as a route writes it. `address` is the operator for the client's
/// address: [`CLIENT`], or [`PEER`] where Envoy believes X-Forwarded-For whoever sends it; `host`
/// the one for the Host header that the client sent, before limpet changed it.
///
/// With a trusted proxy in front X-Forwarded-Port and -Proto are left as it sent them; a
/// route cannot write what is absent alone.
#[must_use]
pub fn on_a_route(
    forwarding: &Forwarding,
    side: ListenerSide,
    address: &str,
    host: &str,
) -> Vec<Written> {
    let trusted = forwarding.trusted;
    let write = |header: &ForwardingHeader| {
        let is_the_proxys = trusted && header.name == header.trusted;
        let value = match header.source {
            _ if header.is_the_modules(forwarding) => return None,
            Source::RemoteAddress => address.to_owned(),
            Source::Authority => host.to_owned(),
            _ if is_the_proxys => return None,
            Source::Scheme if trusted => "%REQ(X-FORWARDED-PROTO)%".to_owned(),
            Source::Port | Source::Scheme => own_value(forwarding, header.source, side),
        };
        Some(Written {
            name: header.name,
            value,
            only_if_absent: false,
        })
    };
    FORWARDING_HEADERS.iter().filter_map(write).collect()
}

/// The operator for the Host header that the client sent, or a trusted proxy in front of Envoy.
#[must_use]
pub fn host(trusted: bool) -> &'static str {
    if trusted {
        "%REQ(X-FORWARDED-HOST?:AUTHORITY)%"
    } else {
        "%REQ(:AUTHORITY)%"
    }
}
