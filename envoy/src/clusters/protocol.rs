//! How pods are spoken to.

/// What `backend-protocol` says; neither: HTTP/1 in the clear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Protocol {
    /// `HTTPS`, `GRPCS`.
    pub tls: bool,
    /// `GRPC`, `GRPCS`.
    pub http2: bool,
}

impl Protocol {
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
