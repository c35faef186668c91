//! Counting which recorded answers agree.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One line of `tests/recordings/divergences.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Divergence {
    /// The family of recorded answers, such as `A4_set_cookie`, or the id of a scenario.
    vector: String,
    /// The case in it, as the runner names it.
    case: String,
    /// Why limpet does otherwise, for an operator.
    reason: String,
}

/// The cases of one family in which limpet deliberately does otherwise.
fn listed(vector: &str) -> impl Iterator<Item = Divergence> + use<'_> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/divergences.yaml");
    let text = fs::read_to_string(path).unwrap();
    let list: Vec<Divergence> = serde_saphyr::from_str(&text).unwrap();
    list.into_iter().filter(move |line| line.vector == vector)
}

/// The recorded answers of one family.
pub struct Tally {
    vector: String,
    listed: BTreeMap<String, bool>,
    agreeing: usize,
    open: Vec<String>,
    stale: Vec<String>,
}

impl Tally {
    /// Nothing compared yet.
    ///
    /// # Panics
    /// A case is listed without a reason.
    #[must_use]
    pub fn of(vector: &str) -> Self {
        let listed = listed(vector);
        let case = |line: Divergence| {
            assert!(line.reason.len() > 20, "{}: no reason", line.case);
            (line.case, false)
        };
        Self {
            vector: vector.to_owned(),
            listed: listed.map(case).collect(),
            agreeing: 0,
            open: Vec::new(),
            stale: Vec::new(),
        }
    }

    /// Whether this case is listed as otherwise.
    #[must_use]
    pub fn is_listed(&self, case: &str) -> bool {
        self.listed.contains_key(case)
    }

    /// Compares one case with what is recorded.
    pub fn case<T: PartialEq + std::fmt::Debug>(&mut self, case: &str, ours: T, recorded: T) {
        let agrees = ours == recorded;
        match self.listed.get_mut(case) {
            Some(seen) => {
                *seen = true;
                if agrees {
                    self.stale.push(case.to_owned());
                }
            }
            None if agrees => self.agreeing += 1,
            None => self
                .open
                .push(format!("{case}: ours {ours:?}, recorded {recorded:?}")),
        }
    }

    /// Prints the count and fails unless exactly `floor` agree, nothing is open beyond
    /// `recorded - floor - listed`, and every listed divergence still is one.
    ///
    /// # Panics
    /// That is how it fails.
    pub fn finish(self, floor: usize) {
        let Self { vector, listed, .. } = &self;
        let recorded = self.agreeing + self.open.len() + listed.len();
        println!(
            "{vector}: {recorded} recorded, {} agreeing, {} listed, {} open",
            self.agreeing,
            listed.len(),
            self.open.len()
        );
        for case in &self.open {
            println!("    open: {case}");
        }
        let unseen: Vec<_> = listed.iter().filter(|(_, seen)| !**seen).collect();
        assert!(
            unseen.is_empty(),
            "{vector}: listed, but not recorded: {unseen:?}"
        );
        let stale = &self.stale;
        assert!(
            stale.is_empty(),
            "{vector}: listed, but agreeing: {stale:?}"
        );
        assert!(
            self.agreeing >= floor,
            "{vector}: {} agree, {floor} did before:\n{}",
            self.agreeing,
            self.open.join("\n")
        );
        assert_eq!(
            self.agreeing, floor,
            "{vector}: more agree: raise the floor"
        );
    }
}
