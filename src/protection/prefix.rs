//! One protected prefix.

use super::place::Place;
use super::readings::readings;
use super::spelling::{self, Spelling};
use std::fmt;

/// A prefix, host included, may have so many bytes.
const LONGEST: usize = 512;

/// One protected prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prefix {
    /// In lower case; empty: every host. `*.` stands for any labels.
    host: String,
    /// With a slash in front and none behind.
    path: String,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, self.path)
    }
}

impl Prefix {
    /// Reads `/path` or `host/path`; `None`: it is neither.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (host, path) = text.split_at(text.find('/')?);
        let labels = host.strip_prefix("*.").unwrap_or(host);
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_host = labels.bytes().all(is_of_host) && host.is_empty() == labels.is_empty();
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"%\\;?#*".contains(&byte);
        let prefix = Self {
            host: host.to_ascii_lowercase(),
            path: path.strip_suffix('/').unwrap_or(path).to_owned(),
        };
        let segments = prefix.segments();
        // A server reads these as something else.
        let is_odd = |segment: &&[u8]| matches!(*segment, b"" | b"." | b"..");
        let is_usual = !segments.is_empty() && !segments.iter().any(is_odd);
        let is_prefix = is_host && is_usual && path.bytes().all(is_plain) && text.len() <= LONGEST;
        is_prefix.then_some(prefix)
    }

    /// Whether it is for this host, in lower case and without a port; `None`: one that is not known.
    pub(super) fn is_of(&self, host: Option<&[u8]>) -> bool {
        let Some(host) = host.filter(|_| !self.host.is_empty()) else {
            return true;
        };
        match self.host.strip_prefix('*') {
            Some(domain) => host.ends_with(domain.as_bytes()),
            None => host == self.host.as_bytes(),
        }
    }

    /// Whether some host is that of both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let covers = |one: &Self, other: &Self| one.is_of(Some(other.host.as_bytes()));
        other.host.is_empty() || covers(self, other) || covers(other, self)
    }

    /// How a request's target lies to it as a rule compares them, byte by byte.
    pub(super) fn place(&self, target: &[u8]) -> Place {
        match spelling::without_query(target).strip_prefix(self.path.as_bytes()) {
            None => Place::Outside,
            Some([] | [b'/', ..]) => Place::Under,
            Some(_) => Place::Beside,
        }
    }

    /// Whether some server may read `spelling` as a path that lies otherwise to it than as spelled.
    pub(super) fn is_ambiguous(&self, spelling: &Spelling) -> bool {
        let start = spelling.target.get(..self.path.len());
        let is_near = start.is_some_and(|start| start.eq_ignore_ascii_case(self.path.as_bytes()));
        if !is_near && spelling.is_plain() {
            return false;
        }
        let spelled = self.place(spelling.target);
        let mut read = readings(&self.segments(), &spelling.segments);
        read.any(|place| place != spelled)
    }

    /// Its own path, read.
    pub(super) fn spelling(&self) -> Option<Spelling<'_>> {
        spelling::read(self.path.as_bytes())
    }

    /// How many segments it has.
    pub(super) fn depth(&self) -> usize {
        self.segments().len()
    }

    fn segments(&self) -> Vec<&[u8]> {
        let segments = self.path.split('/').skip(1);
        segments.map(str::as_bytes).collect()
    }
}
