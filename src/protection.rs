//! `protect`: path prefixes by which rules beside limpet decide who comes in.
//!
//! Such a rule compares bytes. A server may decode a path, once or more often, merge its slashes,
//! resolve its dots, drop parameters and fold its case: some of that or all, in any order. What
//! lies under a prefix in one of these readings and not in another is refused, so that a literal
//! rule, before limpet or behind it, decides on all that a pod may take for a path there.

mod place;
mod prefix;
mod readings;
mod spelling;

use prefix::Prefix;
use std::fmt;

/// So many prefixes may be given: each costs every request a little.
const MOST_PREFIXES: usize = 64;

/// So many segments all of them may have: a path of 256 is read in many ways, each beside every prefix, and 1,024
/// took a request 7 ms.
const MOST_SEGMENTS: usize = 512;

/// The prefixes of `protect`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protection {
    prefixes: Vec<Prefix>,
}

/// Why prefixes are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unprotectable(String);

impl fmt::Display for Unprotectable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Protection {
    /// Reads prefixes: `/admin`, or `shop.example.com/admin` for one host alone.
    ///
    /// # Errors
    /// One is none, or another one would refuse whatever lies under it.
    pub fn read(written: &[String]) -> Result<Self, Unprotectable> {
        if written.len() > MOST_PREFIXES {
            let count = written.len();
            let text = format!("has {count} prefixes, expected {MOST_PREFIXES} at most");
            return Err(Unprotectable(text));
        }
        let read = written.iter().map(|text| {
            let prefix = Prefix::read(text);
            prefix.ok_or_else(|| Unprotectable(format!("has {text:?}, expected {EXPECTED}")))
        });
        let prefixes = read.collect::<Result<Vec<_>, _>>()?;
        let segments = prefixes.iter().map(Prefix::depth);
        let segments = segments.fold(0, usize::saturating_add);
        if segments > MOST_SEGMENTS {
            let text = format!("has {segments} segments in all, expected {MOST_SEGMENTS} at most");
            return Err(Unprotectable(text));
        }
        for one in &prefixes {
            let refuses = |other: &&Prefix| {
                let spelling = one.spelling();
                other.meets(one) && spelling.is_none_or(|own| other.is_ambiguous(&own))
            };
            if let Some(other) = prefixes.iter().find(refuses) {
                return Err(Unprotectable(format!(
                    "has {one} and {other}: what lies under one may be read as under the other"
                )));
            }
        }
        Ok(Self { prefixes })
    }

    /// Whether nothing is protected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Whether `path`, a request's target, may be read as one that lies otherwise to a prefix than
    /// it is spelled. `host`: in lower case and without a port; `None`: not known.
    #[must_use]
    pub fn is_ambiguous(&self, host: Option<&[u8]>, path: &[u8]) -> bool {
        if self.is_empty() {
            return false;
        }
        let Some(spelling) = spelling::read(path) else {
            return true;
        };
        self.of(host).any(|prefix| prefix.is_ambiguous(&spelling))
    }

    /// Whether a rewrite of `from` to `to` leads under a prefix: a rule on it, before the rewrite,
    /// has not seen the request.
    #[must_use]
    pub fn is_entered(&self, host: Option<&[u8]>, from: &[u8], to: &[u8]) -> bool {
        self.of(host)
            .any(|prefix| prefix.place(to) > prefix.place(from))
    }

    fn of(&self, host: Option<&[u8]>) -> impl Iterator<Item = &Prefix> {
        let all = self.prefixes.iter();
        all.filter(move |prefix| prefix.is_of(host))
    }
}

const EXPECTED: &str = "a path such as \"/admin\", or a host and one, of plain letters: no escape, \
                        no pattern, nothing that servers read in two ways";

#[cfg(test)]
mod tests;
