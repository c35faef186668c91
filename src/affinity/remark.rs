//! What there is to say about the settings of a session.

/// A remark on one annotation or one key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Who says what is remarked on.
    pub origin: Origin,
    /// The annotation without its prefix, or the key of the configuration.
    pub field: &'static str,
    /// The value as written.
    pub value: String,
    /// What was expected, and what happens now.
    pub text: String,
}

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The Ingress that decides what is written.
    First,
    /// The Ingress that decides the cookie's attributes.
    Last,
    /// The plugin configuration.
    Config,
}
