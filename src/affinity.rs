//! Session affinity: which endpoint a session's cookie names, and whether the
//! downstream is given a new one.

use crate::annotations::AffinityAnnotations;

/// How the sessions of one cluster are kept. Compiled at configure time from the
/// annotations of the first Ingress on the Service (type, mode) and of the last (attributes).
#[derive(Debug, Clone)]
pub struct Affinity {
    /// What the annotations say.
    pub annotations: AffinityAnnotations,
}
