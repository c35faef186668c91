//! How pods are spoken to.

use std::fmt;

use crate::taken::TakenIngress;

/// What `backend-protocol` says; neither: HTTP/1 in the clear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Protocol {
    /// `HTTPS`, `GRPCS`.
    pub tls: bool,
    /// `GRPC`, `GRPCS`.
    pub http2: bool,
}

/// As the annotation calls it.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.http2, self.tls) {
            (false, false) => "HTTP",
            (false, true) => "HTTPS",
            (true, false) => "GRPC",
            (true, true) => "GRPCS",
        })
    }
}

impl Protocol {
    /// Of an Ingress.
    #[must_use]
    pub fn of(ingress: &TakenIngress<'_>) -> Self {
        let said = ingress.annotation("backend-protocol");
        said.map(Self::read).unwrap_or_default()
    }

    /// Of the annotation's value.
    #[must_use]
    pub fn read(value: &str) -> Self {
        let value = value.to_ascii_uppercase();
        Self {
            tls: matches!(value.as_str(), "HTTPS" | "GRPCS"),
            http2: matches!(value.as_str(), "GRPC" | "GRPCS"),
        }
    }
}
