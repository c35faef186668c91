//! What an operator is told about a configuration that works, but not as written.

use std::fmt;

/// One remark on the configuration: the thing named disables itself alone, or works
/// otherwise than written. Logged once at configure; `limpet check` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `namespace/name` of the Ingress; `None` for the configuration itself.
    pub ingress: Option<String>,
    /// The annotation without its prefix, the path, or the key of the configuration.
    pub field: String,
    /// The value as written; `None` where there is none to quote.
    pub value: Option<String>,
    /// What was expected, and what happens now.
    pub text: String,
}

impl Warning {
    /// A remark on the annotation or path `field` of the Ingress `ingress`.
    #[must_use]
    pub fn ingress(ingress: &str, field: &str, value: &str, text: impl Into<String>) -> Self {
        Self {
            ingress: Some(ingress.to_owned()),
            field: field.to_owned(),
            value: Some(value.to_owned()),
            text: text.into(),
        }
    }

    /// A remark on the key `field` of the configuration.
    #[must_use]
    pub fn config(field: &str, value: Option<String>, text: impl Into<String>) -> Self {
        Self {
            ingress: None,
            field: field.to_owned(),
            value,
            text: text.into(),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ingress {
            Some(ingress) => write!(f, "ingress {ingress}: ")?,
            None => f.write_str("configuration: ")?,
        }
        write!(f, "{}: ", self.field)?;
        if let Some(value) = &self.value {
            write!(f, "{value:?} ")?;
        }
        f.write_str(&self.text)
    }
}
