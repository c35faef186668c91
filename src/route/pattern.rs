//! A path of a regex host, compiled: nginx matches it twice, once for the location
//! (`~* "^path"`) and once for the rewrite (`"(?i)path"`).
//!
//! Source: `buildLocation` and `buildProxyPass`, `internal/ingress/controller/template/template.go`,
//! ingress-nginx dbb11b92d.

mod bytes;
mod empty;
mod escape;
mod node;
mod parse;
mod plain;
mod prefix;
mod translate;
mod width;
mod work;

use node::Branches;
use plain::{Plain, Spans};
use prefix::Prefix;
use regex::bytes::{CaptureLocations, Regex, RegexBuilder};
use std::sync::OnceLock;
pub(crate) use work::Work;

/// Places that an engine may make of a pattern. It decides alone, for whoever checks a configuration with 64
/// bits must refuse what the module does with 32.
const MOST_STATES: u32 = 2_730;
/// How much memory that can be, in bytes: nothing comes near it.
const SIZE_LIMIT: usize = 512 * 1024;

/// A PCRE pattern of somebody's manifest on the linear-time engine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pattern {
    /// `None`: `plain` does its work, or the text of `prefix` is all there is.
    regex: Option<Regex>,
    /// What is compared before anything else.
    prefix: Option<Prefix>,
    /// What matches and finds groups in place of `regex`.
    plain: Option<Box<Plain>>,
    /// Look-aheads, each from the start of the text up to its own end.
    guards: Vec<Guard>,
    /// `$` also matches before a last newline. `None`: the pattern has no `$`, or never matched
    /// a text with a newline elsewhere.
    ending: Option<Ending>,
    /// For each group of the source its number in `regex`.
    groups: Vec<Option<usize>>,
    names: Vec<(String, usize)>,
    /// Places of it that may be tried at once, look-aheads apart.
    width: u32,
    /// [`Pattern::around`] one that cannot be compiled.
    is_a_guess: bool,
}

/// What a pattern may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'p> {
    /// Only paths that begin with it cost something.
    pub literal: &'p [u8],
    /// Places that may be tried at once.
    pub width: u32,
}

/// Whether a text matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Yes,
    No,
    /// The pattern cannot be compiled, and might match.
    Perhaps,
    /// The pattern was not tried.
    Untried,
}

#[derive(Debug, Clone)]
struct Guard {
    regex: Regex,
    must_match: bool,
    width: u32,
}

/// The same pattern with `$` at the very end only, compiled when first needed: for texts with
/// a newline in the middle, before which the fast form's `$` would match.
#[derive(Debug, Clone)]
struct Ending {
    source: String,
    /// Places of it: it is compiled by a request, which pays for that.
    states: u32,
    regex: OnceLock<Option<Regex>>,
}

/// Where the groups of one match are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups<'p>(Places<'p>);

#[derive(Debug, Clone, Default)]
enum Places<'p> {
    #[default]
    None,
    Plain(Spans),
    /// With the number there for each group of the source.
    Found(CaptureLocations, &'p [Option<usize>]),
}

impl Groups<'_> {
    /// From where to where group `number` matched, the first is 1; `None`: it took no part.
    pub(crate) fn get(&self, number: usize) -> Option<(usize, usize)> {
        let number = number.checked_sub(1)?;
        match &self.0 {
            Places::None => None,
            Places::Plain(spans) => spans.get(number).copied(),
            Places::Found(places, numbers) => places.get((*numbers.get(number)?)?),
        }
    }
}

impl Pattern {
    /// Compiles `"^path"`, case-insensitive.
    pub(crate) fn location(path: &str) -> Result<Self, String> {
        Self::compile(&format!("^{path}"), true)
    }

    /// What matches at least what `"^path"` does, whatever the engine can make of it: all that begins with
    /// the literal text before its first special character.
    pub(crate) fn around(path: &str) -> Self {
        Self {
            prefix: Some(Prefix::around(path)),
            is_a_guess: true,
            ..Self::default()
        }
    }

    /// Compiles `"(?i)path"`, which may match anywhere.
    pub(crate) fn rewrite(path: &str) -> Result<Self, String> {
        Self::compile(path, true)
    }

    /// Compiles a pattern that is looked for anywhere in a text, as `ngx.re.match` does. Where a
    /// look-ahead stands is known only in one that starts with `^`.
    pub(crate) fn anywhere(source: &str) -> Result<Self, String> {
        let pattern = Self::read(source, false)?;
        if pattern.guards.is_empty() || source.starts_with('^') {
            Ok(pattern)
        } else {
            Err("has a look-ahead, and does not start with ^".to_owned())
        }
    }

    /// About how many places `source` has, without compiling it.
    pub(crate) fn places(source: &str) -> usize {
        // Only what is counted, and what a look-ahead repeats, is more than its text.
        if !source.contains('{') && !source.contains("(?") {
            return source.len();
        }
        let parsed = parse::parse(source.as_bytes());
        let places = parsed.map(|(branches, _)| usize::try_from(width::states(&branches)));
        places.map_or(source.len(), |places| places.unwrap_or(usize::MAX))
    }

    /// Compiles a pattern of nginx's `~` or `~*`, as a configuration has it: two backslashes are one
    /// there (`ngx_conf_read_token` of nginx 1.27.1; what else it changes means the same to PCRE).
    pub(crate) fn compile(source: &str, ignore_case: bool) -> Result<Self, String> {
        Self::read(&source.replace(r"\\", r"\"), ignore_case)
    }

    fn read(source: &str, ignore_case: bool) -> Result<Self, String> {
        let (branches, groups) = parse::parse(source.as_bytes())?;
        let states = width::states(&branches);
        if states > MOST_STATES {
            return Err(format!("has more than {MOST_STATES} places"));
        }
        match Plain::of(&branches).filter(|_| ignore_case) {
            Some(plain) => Ok(Self {
                prefix: Prefix::of(&branches, true),
                plain: Some(Box::new(plain)),
                groups,
                ..Self::default()
            }),
            None => Self::with_engine(&branches, groups, ignore_case),
        }
    }

    fn with_engine(
        branches: &Branches,
        groups: Vec<Option<usize>>,
        ignore_case: bool,
    ) -> Result<Self, String> {
        let translated = translate::translate(branches, groups)?;
        let prefix = Prefix::of(branches, ignore_case);
        let regex = if translated.groups.is_empty() && prefix.as_ref().is_some_and(Prefix::is_all) {
            None
        } else {
            Some(build(&translated.pattern, ignore_case)?)
        };
        let guards = translated.guards.iter().map(|guard| {
            let regex = build(&guard.pattern, ignore_case)?;
            Ok(Guard {
                regex,
                must_match: guard.must_match,
                width: guard.width,
            })
        });
        let numbers = translated.groups.iter().zip(1..);
        let names = regex.iter().flat_map(Regex::capture_names);
        let names = names.enumerate().filter_map(|(at, name)| {
            let mut numbers = numbers.clone();
            let number = numbers.find(|(number, _)| **number == Some(at));
            Some((name?.to_owned(), number?.1))
        });
        Ok(Self {
            prefix,
            names: names.collect(),
            groups: translated.groups,
            guards: guards.collect::<Result<_, String>>()?,
            ending: translated.strict_end.map(|source| Ending {
                source: if ignore_case {
                    format!("(?i){source}")
                } else {
                    source
                },
                states: width::states(branches),
                regex: OnceLock::new(),
            }),
            regex,
            width: width::width(branches),
            ..Self::default()
        })
    }

    /// The longest path, in bytes, that is compared with it; a longer one is answered 500.
    pub(crate) fn longest(&self) -> u64 {
        let guards = self.guards.iter().map(|guard| guard.width);
        work::longest(guards.fold(self.width, u32::saturating_add))
    }

    /// What it may cost; `None`: nothing, but for the groups of the location that is found.
    pub(crate) fn load(&self) -> Option<Load<'_>> {
        let prefix = self.prefix.as_ref();
        let own = prefix.is_none_or(Prefix::is_asked_on);
        let own = own.then_some(self.width);
        let all = own
            .into_iter()
            .chain(self.guards.iter().map(|guard| guard.width));
        Some(Load {
            literal: prefix.map_or(&[], Prefix::literal),
            width: all.reduce(|one, two| one.saturating_add(two).saturating_add(1))?,
        })
    }

    /// The longest path, in bytes, that all of these may be compared with, in ascending order of their
    /// literals, and the groups of one be found in.
    pub(crate) fn longest_of<'p>(loads: impl Iterator<Item = Load<'p>>) -> u64 {
        // Those that ask the same path on.
        let mut open: Vec<Load> = Vec::new();
        let (mut all, mut most) = (0_u32, 0);
        for load in loads {
            while let Some(last) = open.pop_if(|last| !load.literal.starts_with(last.literal)) {
                all = all.saturating_sub(last.width.saturating_add(1));
            }
            all = all.saturating_add(load.width.saturating_add(1));
            open.push(load);
            most = most.max(all);
        }
        work::longest(most.saturating_sub(1))
    }

    /// What every text that matches begins with, in upper or lower case.
    pub(super) fn literal(&self) -> &[u8] {
        self.prefix.as_ref().map_or(&[], Prefix::literal)
    }

    /// Whether it matches, as far as that is known; `tries`: a regular expression is run.
    pub(super) fn compare(&self, text: &[u8], work: &Work, tries: bool) -> Match {
        if !tries && !self.is_decided(text) {
            Match::Untried
        } else if !self.is_match(text, work) {
            Match::No
        } else if self.is_a_guess {
            Match::Perhaps
        } else {
            Match::Yes
        }
    }

    /// Whether it is known without a regular expression if it matches.
    fn is_decided(&self, text: &[u8]) -> bool {
        let prefix = self.prefix.as_ref();
        match prefix.and_then(|prefix| prefix.is_match(text)) {
            Some(matches) => !matches || self.guards.is_empty(),
            None => false,
        }
    }

    /// Named groups and their numbers: nginx makes variables of them.
    pub(crate) fn names(&self) -> &[(String, usize)] {
        &self.names
    }

    /// Whether every match begins at the start of the text, whatever alternatives it has.
    pub(crate) fn is_anchored(&self) -> bool {
        self.prefix.is_some()
    }

    /// Whether it matches; it does not where that is more than `work` has left.
    pub(crate) fn is_match(&self, text: &[u8], work: &Work) -> bool {
        let known = self
            .prefix
            .as_ref()
            .and_then(|prefix| prefix.is_match(text));
        let tried = || {
            work.takes(self.width, text)
                && match &self.plain {
                    Some(plain) => plain.find(text).is_some(),
                    None => self
                        .regex_for(text, work)
                        .is_some_and(|regex| regex.is_match(text)),
                }
        };
        known.unwrap_or_else(tried) && self.guards_hold(text, work)
    }

    /// The groups of the first match; none where that is more than `work` has left.
    pub(crate) fn groups(&self, text: &[u8], work: &Work) -> Option<Groups<'_>> {
        if let Some(plain) = &self.plain {
            let spans = work.takes(self.width, text).then(|| plain.find(text));
            return spans.flatten().map(|spans| Groups(Places::Plain(spans)));
        }
        let Some(regex) = self.regex_for(text, work) else {
            return self.is_match(text, work).then(Groups::default);
        };
        if !work.takes(self.width, text) {
            return None;
        }
        let mut places = regex.capture_locations();
        regex.captures_read(&mut places, text)?;
        if !self.guards_hold(text, work) {
            return None;
        }
        Some(Groups(Places::Found(places, &self.groups)))
    }

    fn guards_hold(&self, text: &[u8], work: &Work) -> bool {
        let mut guards = self.guards.iter();
        guards.all(|guard| {
            work.takes(guard.width, text) && guard.regex.is_match(text) == guard.must_match
        })
    }

    /// `None`: there is none, or to make it is more than `work` has left.
    fn regex_for(&self, text: &[u8], work: &Work) -> Option<&Regex> {
        let regex = self.regex.as_ref();
        let Some(ending) = &self.ending else {
            return regex;
        };
        let newline = text.iter().position(|byte| *byte == b'\n');
        let inside = newline.is_some_and(|at| at.saturating_add(1) < text.len());
        if !inside {
            return regex;
        }
        if ending.regex.get().is_none() && !work.compiles(ending.states) {
            return None;
        }
        let strict = ending
            .regex
            .get_or_init(|| build(&ending.source, false).ok());
        strict.as_ref().or(regex)
    }
}

fn build(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .case_insensitive(ignore_case)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("takes more than {SIZE_LIMIT} bytes when compiled")
            }
            other => {
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default();
                let reason = last.trim_start_matches("error: ");
                format!("is not a regular expression that limpet can run ({reason})")
            }
        })
}

#[cfg(test)]
mod tests;
