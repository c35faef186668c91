//! The headers about clients' certificates that a gateway writes: no client sends them, and no pod sees them.

use limpet::client_certificate::HEADERS;

use super::args::IstioArgs;
use crate::forwarding::envoy::Written;
use crate::render::envoy::client::GREETED;
use crate::render::served::Served;

/// Whether clients of a gateway are asked for certificates.
pub(super) fn asks(served: &Served<'_>, args: &IstioArgs) -> bool {
    !args.sidecar && served.asks_for_certificates
}

/// The headers that no client may send, and no pod sees.
pub(super) fn dropped(
    served: &Served<'_>,
    args: &IstioArgs,
) -> impl Iterator<Item = &'static str> + use<> {
    let asks = asks(served, args);
    HEADERS.into_iter().filter(move |_| asks)
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
