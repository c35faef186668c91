//! Building a ring in slices, and changing one: the points of endpoints that are new are
//! merged into those that stay, which are not computed again.

use super::ring::{POINTS, Ring, points};
use std::sync::Arc;

/// Points per bucket: new points are sorted bucket by bucket, so that work can stop anywhere.
const BUCKET: usize = 64;

/// A ring under construction.
#[derive(Debug)]
pub struct RingBuild {
    previous: Arc<Ring>,
    /// Old owner to new owner; `None`: gone.
    renumbered: Vec<Option<u32>>,
    /// Ring nodes that the previous ring does not have, with their owners.
    added: Vec<(String, u32)>,
    /// New points, `hash << 32 | owner`.
    points: Vec<u64>,
    /// While counting: points per bucket. Then: where the next point of the bucket goes, which
    /// ends up as the bucket's end.
    buckets: Vec<usize>,
    phase: Phase,
    ring: Ring,
}

/// What to do next, and where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Count { node: usize },
    Place { node: usize },
    Sort { bucket: usize, start: usize },
    Merge { old: usize, new: usize },
    Done,
}

impl RingBuild {
    /// The ring of the endpoints that `renumbered` keeps of `previous`, and of `added`.
    /// Both keep the order of owners.
    #[must_use]
    pub fn start(
        previous: Arc<Ring>,
        renumbered: Vec<Option<u32>>,
        added: Vec<(String, u32)>,
    ) -> Self {
        let new = added.len().saturating_mul(POINTS);
        let kept = renumbered.iter().flatten().count();
        Self {
            previous,
            renumbered,
            points: vec![0; new],
            buckets: vec![0; (new / BUCKET).next_power_of_two()],
            ring: Ring::with_capacity(kept.saturating_add(added.len())),
            added,
            phase: Phase::Count { node: 0 },
        }
    }

    /// Works on about `budget` points and says whether all is done.
    pub fn step(&mut self, budget: usize) -> bool {
        let mut left = budget.max(1);
        while left > 0 && self.phase != Phase::Done {
            let (phase, cost) = match self.phase {
                Phase::Count { node } => (self.count(node), POINTS),
                Phase::Place { node } => (self.place(node), POINTS),
                Phase::Sort { bucket, start } => (self.sort(bucket, start), BUCKET),
                Phase::Merge { old, new } => self.merge(old, new, left),
                Phase::Done => (Phase::Done, 0),
            };
            self.phase = phase;
            left = left.saturating_sub(cost);
        }
        self.phase == Phase::Done
    }

    /// The ring; does what steps have not done yet.
    #[must_use]
    pub fn finish(mut self) -> Ring {
        while !self.step(usize::MAX) {}
        self.ring
    }

    fn count(&mut self, node: usize) -> Phase {
        let Some((name, _)) = self.added.get(node) else {
            let mut end = 0usize;
            for bucket in &mut self.buckets {
                let start = end;
                end = end.saturating_add(*bucket);
                *bucket = start;
            }
            return Phase::Place { node: 0 };
        };
        let buckets = self.buckets.len();
        for hash in points(name) {
            if let Some(bucket) = self.buckets.get_mut(bucket_of(hash, buckets)) {
                *bucket = bucket.saturating_add(1);
            }
        }
        Phase::Count {
            node: node.saturating_add(1),
        }
    }

    fn place(&mut self, node: usize) -> Phase {
        let Some((name, owner)) = self.added.get(node) else {
            return Phase::Sort {
                bucket: 0,
                start: 0,
            };
        };
        let buckets = self.buckets.len();
        for hash in points(name) {
            let Some(bucket) = self.buckets.get_mut(bucket_of(hash, buckets)) else {
                continue;
            };
            if let Some(place) = self.points.get_mut(*bucket) {
                *place = u64::from(hash) << 32 | u64::from(*owner);
            }
            *bucket = bucket.saturating_add(1);
        }
        Phase::Place {
            node: node.saturating_add(1),
        }
    }

    fn sort(&mut self, bucket: usize, start: usize) -> Phase {
        let Some(&end) = self.buckets.get(bucket) else {
            return Phase::Merge { old: 0, new: 0 };
        };
        if let Some(points) = self.points.get_mut(start..end) {
            points.sort_unstable();
        }
        Phase::Sort {
            bucket: bucket.saturating_add(1),
            start: end,
        }
    }

    /// Takes the lower of the next points until `budget` is used up.
    fn merge(&mut self, mut old: usize, mut new: usize, budget: usize) -> (Phase, usize) {
        let mut added = self.points.get(new).copied().map(unpack);
        for _ in 0..budget {
            let kept = match self.previous.point(old) {
                Some((hash, owner)) => match self.renumber(owner) {
                    Some(owner) => Some((hash, owner)),
                    None => {
                        old = old.saturating_add(1);
                        continue;
                    }
                },
                None => None,
            };
            let lower = match (kept, added) {
                (None, None) => return (Phase::Done, 0),
                (Some(kept), Some(added)) if added < kept => None,
                (kept, _) => kept,
            };
            if let Some((hash, owner)) = lower {
                old = old.saturating_add(1);
                self.ring.push(hash, owner);
            } else if let Some((hash, owner)) = added {
                new = new.saturating_add(1);
                added = self.points.get(new).copied().map(unpack);
                self.ring.push(hash, owner);
            }
        }
        (Phase::Merge { old, new }, budget)
    }

    fn renumber(&self, owner: u32) -> Option<u32> {
        let owner = usize::try_from(owner).ok()?;
        self.renumbered.get(owner).copied().flatten()
    }
}

/// Hashes are spread evenly, so their high bits are even buckets. `buckets`: a power of two.
fn bucket_of(hash: u32, buckets: usize) -> usize {
    let scaled = u64::from(hash).saturating_mul(buckets as u64) >> 32;
    usize::try_from(scaled).unwrap_or(0)
}

fn unpack(point: u64) -> (u32, u32) {
    ((point >> 32) as u32, point as u32)
}
