//! The certificate that pods are shown.

use std::rc::Rc;

use crate::key_pair::KeyPair;

/// A certificate with its key, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) pair: Rc<KeyPair>,
    /// `namespace/name` of its Secret.
    pub(super) secret: String,
}

/// Whoever is shown it sees no Secret.
impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.pair == other.pair
    }
}

impl Eq for Shown {}
