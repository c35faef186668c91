//! The headers about clients' certificates at a gateway: which it writes, and which go no further.

use limpet::client_certificate::HEADERS;

use super::args::IstioArgs;
use crate::forwarding::envoy::Written;
use crate::render::envoy::client::GREETED;
use crate::render::served::Served;

/// What a gateway tells pods of clients' certificates, and ingress-nginx did not.
const FORWARDED: &str = "x-forwarded-client-cert";

/// Whether clients of a gateway are asked for certificates.
pub(super) fn asks(served: &Served<'_>, args: &IstioArgs) -> bool {
    !args.sidecar && served.asks_for_certificates
}

/// The headers that no client may send.
pub(super) fn dropped(
    served: &Served<'_>,
    args: &IstioArgs,
) -> impl Iterator<Item = &'static str> + use<> {
    let asks = asks(served, args);
    HEADERS.into_iter().filter(move |_| asks)
}

/// Those that no pod sees.
pub(super) fn hidden(
    served: &Served<'_>,
    args: &IstioArgs,
) -> impl Iterator<Item = &'static str> + use<> {
    let forwarded = asks(served, args).then_some(FORWARDED);
    dropped(served, args).chain(forwarded)
}

/// The name that a client greeted, for the module: on every connection with TLS.
pub(super) fn greeted(served: &Served<'_>, args: &IstioArgs) -> Option<Written> {
    let (name, value) = GREETED;
    asks(served, args).then(|| Written {
        name,
        value: value.to_owned(),
        only_if_absent: false,
    })
}
