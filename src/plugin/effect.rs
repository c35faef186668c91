//! What a plugin wants done.

use super::metric::Metric;

/// What the shell is to do, in order. Nothing is expected back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write a log line.
    Log(Level, String),
    /// Add one to a counter.
    Count(Metric),
    /// Set a gauge.
    Set(Metric, usize),
    /// From now on the plugin ticks so often, in ms; 0: never.
    Tick(u32),
}

/// How much a log line matters, in Envoy's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What was asked to be told.
    Info,
    /// What an operator should know.
    Warn,
    /// What an operator should mend.
    Error,
    /// What keeps the plugin from working.
    Critical,
}

/// What follows from a callback in which requests may have waited long enough.
#[derive(Debug)]
pub struct Turn<R> {
    /// To be done first.
    pub effects: Vec<Effect>,
    /// The requests to decide once more. One that is still to wait comes back by
    /// [`super::Plugin::wait_on`].
    pub resumed: Vec<R>,
    /// Tables have come into use in this callback: a shell that shares them among threads passes
    /// them on before anything else.
    pub rebuilt: bool,
}
