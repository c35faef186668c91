//! The annotations of ingress-nginx 1.15, by name: what limpet makes of each.

/// One annotation of ingress-nginx 1.15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotation {
    /// Without the prefix `nginx.ingress.kubernetes.io/`.
    pub name: &'static str,
    /// ingress-nginx's group: `rewrite`, `affinity`, `canary`, `auth`, ...
    pub family: &'static str,
    /// What limpet makes of it.
    pub support: Support,
    /// ingress-nginx's own risk level.
    pub risk: Risk,
    /// What `strict` accepts.
    pub validator: Validator,
}

/// What limpet makes of an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// As ingress-nginx.
    Yes,
    /// With the difference named here.
    Partly(&'static str),
    /// Not at all; what to use instead in Envoy or Istio.
    No(&'static str),
}

/// `annotations-risk-level` of ingress-nginx, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High: the highest that ingress-nginx 1.15 accepts by default.
    High,
    /// Critical: refused by default.
    Critical,
}

/// What ingress-nginx 1.15 accepts as a value, before the annotation's own parser sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validator {
    /// Anything.
    Any,
}

/// Every annotation, in alphabetical order.
pub static ANNOTATIONS: &[Annotation] = &[];

/// The row of `name` (without prefix).
#[must_use]
pub fn find(name: &str) -> Option<&'static Annotation> {
    ANNOTATIONS
        .iter()
        .find(|annotation| annotation.name == name)
}
