//! What the state machine asks of the shell.

use crate::endpoints::Endpoint;

/// What the shell is to do, in order; what follows from one comes before those behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Share the lease under this number (0: whatever is there). When somebody else was
    /// faster, call [`super::Discovery::beaten`] and leave out the effects behind this one.
    Claim {
        /// The lease's value.
        lease: Vec<u8>,
        /// The number it was read with.
        cas: u32,
    },
    /// Send `GET path` to the admin; the outcome goes to [`super::Discovery::answered`].
    Ask {
        /// Path and query.
        path: String,
    },
    /// Share the endpoints.
    Publish(Vec<u8>),
    /// Share how the poll went, under this number (0: whatever is there). If somebody else
    /// was faster, so be it.
    Tell {
        /// The news' value.
        news: Vec<u8>,
        /// The number it was read with.
        cas: u32,
    },
    /// Read the shared endpoints; what is there goes to [`super::Discovery::read`].
    Read,
    /// Build the tables of these clusters, then call [`super::Discovery::built`].
    Build(Vec<(String, Vec<Endpoint>)>),
    /// A poll has begun: for the counter.
    Polled,
    /// A poll has failed: for the counter. The text is for one log line, where it is new.
    Failed(Option<String>),
}
