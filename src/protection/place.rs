//! How a path lies to a prefix.

/// How a path lies to a prefix. A rule may be on whole segments or on letters: both are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Elsewhere.
    Outside,
    /// It begins with the same letters, within a segment: `/administrator` and `/admin`.
    Beside,
    /// It is the prefix, or lies under it.
    Under,
}
