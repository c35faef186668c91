//! The requests that wait for the endpoints.

/// The paused requests of one plugin. `R` is what the shell finds one by.
#[derive(Debug)]
pub(super) struct Waiting<R> {
    paused: Vec<Paused<R>>,
}

#[derive(Debug)]
struct Paused<R> {
    request: R,
    /// µs since 1970.
    arrived: u64,
    /// `ip:port` of the client, which is its connection; empty: not known.
    connection: Vec<u8>,
}

impl<R> Waiting<R> {
    pub(super) fn none() -> Self {
        Self { paused: Vec::new() }
    }

    pub(super) fn add(&mut self, request: R, arrived: u64, connection: Vec<u8>) {
        self.paused.push(Paused {
            request,
            arrived,
            connection,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.paused.len()
    }

    /// How many of a connection wait; none where it is not known.
    pub(super) fn of(&self, connection: &[u8]) -> usize {
        let theirs =
            |paused: &&Paused<R>| !connection.is_empty() && paused.connection == connection;
        self.paused.iter().filter(theirs).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paused.is_empty()
    }

    /// Takes out those of which `is_due` says so by their arrival.
    pub(super) fn take_due(&mut self, is_due: impl Fn(u64) -> bool) -> Vec<R> {
        let due = self.paused.extract_if(.., |paused| is_due(paused.arrived));
        due.map(|paused| paused.request).collect()
    }
}
