//! How much of TLS toward pods a platform can be told.

/// What proxies can be told of TLS toward pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pods {
    /// Nothing.
    #[default]
    Unsaid,
    /// All that Ingresses say, in a configuration of limpet's own.
    OnEnvoy,
    /// The same by resources.
    All,
    /// All but which certificate pods are shown.
    Unshown,
    /// Whose certificates are taken, for a name that Gateway API takes.
    Verified,
}
