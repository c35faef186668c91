//! Where endpoints come from: polls of Envoy's own admin, shared by every VM of a process.

/// How far one request may trust the endpoint table, at the moment it is decided.
///
/// The rule behind it: a session cookie is dead only by a table whose poll began after the
/// request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// The table is newer than the request (or static): a cookie that it does not know is dead.
    Current,
    /// The table is older than the request, or there is none yet, and a newer one can be had
    /// soon: a request whose cookie it does not know waits ([`crate::stream`] answers `Wait`).
    Coming,
    /// A newer one cannot be had in time: a cookie that the table does not know is neither
    /// used nor replaced.
    Unavailable,
}
