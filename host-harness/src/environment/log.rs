//! Where log lines go.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How much a log line matters; the numbers are proxy-wasm's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum LogLevel {
    /// Everything.
    Trace = 0,
    /// For a developer.
    Debug = 1,
    /// Worth a line in production.
    Info = 2,
    /// Something is not as it should be.
    Warn = 3,
    /// Something failed.
    Error = 4,
    /// The process is in trouble.
    Critical = 5,
}

impl LogLevel {
    /// The level of number `level`, if there is one.
    #[must_use]
    pub fn from_number(level: u32) -> Option<Self> {
        [
            Self::Trace,
            Self::Debug,
            Self::Info,
            Self::Warn,
            Self::Error,
            Self::Critical,
        ]
        .get(usize::try_from(level).ok()?)
        .copied()
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// Takes log lines from modules and from the host.
pub trait LogSink: Send + Sync {
    /// The lowest level that is wanted; lower ones are not sent.
    fn level(&self) -> LogLevel;

    /// One line. `source` is the name of the plugin that speaks, or `host`.
    fn log(&self, level: LogLevel, source: &str, message: &str);
}

/// Standard error, a line each.
#[derive(Debug, Clone, Copy)]
pub struct Stderr {
    level: LogLevel,
}

impl Stderr {
    /// Lines of `level` and above.
    #[must_use]
    pub fn from_level(level: LogLevel) -> Self {
        Self { level }
    }
}

impl LogSink for Stderr {
    fn level(&self) -> LogLevel {
        self.level
    }

    fn log(&self, level: LogLevel, source: &str, message: &str) {
        eprintln!("[{level}] {source}: {message}");
    }
}

/// Nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Discard;

impl LogSink for Discard {
    fn level(&self) -> LogLevel {
        LogLevel::Critical
    }

    fn log(&self, _level: LogLevel, _source: &str, _message: &str) {}
}

/// A line that a [`Collector`] kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Its level.
    pub level: LogLevel,
    /// Who said it.
    pub source: String,
    /// What was said.
    pub message: String,
}

/// Keeps the lines for a caller to read.
#[derive(Debug)]
pub struct Collector {
    level: LogLevel,
    lines: Mutex<Vec<Collected>>,
}

impl Collector {
    /// Keeps lines of `level` and above.
    #[must_use]
    pub fn from_level(level: LogLevel) -> Self {
        Self {
            level,
            lines: Mutex::default(),
        }
    }

    /// The lines so far; afterwards it is empty.
    #[must_use]
    pub fn take(&self) -> Vec<Collected> {
        std::mem::take(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LogSink for Collector {
    fn level(&self) -> LogLevel {
        self.level
    }

    fn log(&self, level: LogLevel, source: &str, message: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(Collected {
            level,
            source: source.to_owned(),
            message: message.to_owned(),
        });
    }
}
