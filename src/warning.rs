//! What an operator is told about a configuration that works, but not as written.

use std::fmt;

/// What the text of a remark says where ingress-nginx does the same: nothing changes with limpet.
pub const AS_BEFORE: &str = ", as under ingress-nginx";

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

    /// Whether ingress-nginx does the same.
    #[must_use]
    pub fn is_as_before(&self) -> bool {
        self.text.contains(AS_BEFORE)
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

/// The word of `words` that `name` was most likely meant to be: at most a third of its
/// letters differ. `None`: none is near.
pub fn nearest<'w>(name: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let near = words.map(|word| (distance(name, word), word));
    let (distance, word) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= name.len().max(3) / 3).then_some(word)
}

/// Letters to insert, remove or replace (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut before = i;
        let mut left = i.saturating_add(1);
        for (cell, b) in row.iter_mut().skip(1).zip(to.bytes()) {
            let replaced = before.saturating_add(usize::from(a != b));
            before = *cell;
            left = replaced
                .min(before.saturating_add(1))
                .min(left.saturating_add(1));
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or_default()
}
