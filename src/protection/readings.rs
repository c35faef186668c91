//! Every reading of a path, followed at once.
//!
//! What counts of a path that is being read is where it stands: how many of the prefix's segments
//! it has come down, and how many others below these. A piece that servers read in several ways
//! leads from one standing to several. They are kept as one range of depths for each count of
//! segments: the time is linear, and no reading is left out.

use super::place::Place;
use super::spelling::Segment;

/// How many other segments deep, at least and at most.
#[derive(Debug, Clone, Copy)]
struct Depth {
    least: usize,
    most: usize,
}

const TOP: Depth = Depth { least: 0, most: 0 };

/// Where a path may stand, by how many of the prefix's segments it has come down; the last one is
/// for a segment that only begins as the prefix's last one does.
#[derive(Debug, Clone)]
struct Standings(Vec<Option<Depth>>);

/// How a segment compares with one of the prefix.
#[derive(Clone, Copy)]
enum Match {
    Not,
    Beginning,
    Whole,
}

/// Every place that a path of these segments may have in some reading. `prefix`: its segments, at
/// least one.
pub(super) fn readings(prefix: &[&[u8]], path: &[Segment]) -> impl Iterator<Item = Place> + use<> {
    let count = prefix.len();
    let mut now = Standings::none(count);
    now.add(0, TOP);
    let mut ends = Standings::none(count);
    for segment in path {
        now = now.after(prefix, segment);
        if segment.may_end {
            now.all().for_each(|(at, depth)| ends.add(at, depth));
        }
    }
    now.all().for_each(|(at, depth)| ends.add(at, depth));
    let places = ends.all().map(move |(at, _)| {
        if at > count {
            Place::Beside
        } else if at == count {
            Place::Under
        } else {
            Place::Outside
        }
    });
    places.collect::<Vec<_>>().into_iter()
}

impl Standings {
    fn none(count: usize) -> Self {
        Self(vec![None; count.saturating_add(2)])
    }

    fn all(&self) -> impl Iterator<Item = (usize, Depth)> {
        let all = self.0.iter().enumerate();
        all.filter_map(|(at, depth)| Some((at, (*depth)?)))
    }

    fn add(&mut self, at: usize, depth: Depth) {
        if let Some(slot) = self.0.get_mut(at) {
            let before = slot.unwrap_or(depth);
            *slot = Some(Depth {
                least: before.least.min(depth.least),
                most: before.most.max(depth.most),
            });
        }
    }

    /// Where it may stand one segment later.
    fn after(&self, prefix: &[&[u8]], segment: &Segment) -> Self {
        let mut next = Self::none(prefix.len());
        for (at, depth) in self.all() {
            next.go_down(prefix, at, depth, |own| segment.as_spelled(own));
            for text in [&*segment.text, segment.core()] {
                match text {
                    b"" | b"." => next.add(at, depth),
                    b".." => next.go_up(prefix.len(), at, depth),
                    _ => next.go_down(prefix, at, depth, |own| in_any_case(text, own)),
                }
            }
            if segment.is_joined {
                next.add(at, depth);
            }
        }
        next
    }

    fn go_down(
        &mut self,
        prefix: &[&[u8]],
        at: usize,
        depth: Depth,
        compare: impl Fn(&[u8]) -> Match,
    ) {
        let count = prefix.len();
        let Some(own) = prefix.get(at) else {
            return self.add(at, depth.deeper());
        };
        if depth.least == 0 {
            match compare(own) {
                Match::Whole => self.add(at.saturating_add(1), TOP),
                Match::Beginning if at.saturating_add(1) == count => {
                    self.add(count.saturating_add(1), TOP);
                }
                _ => self.add(at, TOP.deeper()),
            }
        }
        if let Some(below) = depth.below() {
            self.add(at, below.deeper());
        }
    }

    fn go_up(&mut self, count: usize, at: usize, depth: Depth) {
        if depth.least == 0 {
            // Above the root is the root.
            self.add(at.min(count).saturating_sub(1), TOP);
        }
        if let Some(below) = depth.below() {
            self.add(at, below.higher());
        }
    }
}

impl Depth {
    /// Without the least one, where that is none at all.
    fn below(self) -> Option<Self> {
        let least = self.least.max(1);
        let most = self.most;
        (least <= most).then_some(Self { least, most })
    }

    fn deeper(self) -> Self {
        Self {
            least: self.least.saturating_add(1),
            most: self.most.saturating_add(1),
        }
    }

    fn higher(self) -> Self {
        Self {
            least: self.least.saturating_sub(1),
            most: self.most.saturating_sub(1),
        }
    }
}

impl Segment {
    /// Compared by a server that decodes nothing.
    fn as_spelled(&self, own: &[u8]) -> Match {
        if self.is_literal() && self.text == own {
            Match::Whole
        } else if self.text.starts_with(own) && own.len() <= self.literal {
            Match::Beginning
        } else {
            Match::Not
        }
    }
}

/// Compared by a server that takes upper and lower case for the same.
fn in_any_case(text: &[u8], own: &[u8]) -> Match {
    match text.split_at_checked(own.len()) {
        Some((start, _)) if !start.eq_ignore_ascii_case(own) => Match::Not,
        Some((_, [])) => Match::Whole,
        Some(_) => Match::Beginning,
        None => Match::Not,
    }
}
