//! Who moved when the pods changed, and who was expected to.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::fleet::{Change, Kind};

/// How many changes are shown.
const LENGTH: usize = 8;

/// How many clients are followed.
const CLIENTS: usize = 1000;

/// Where a client's session lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    /// The upstream name of the cluster, as the decision record has it.
    pub(super) cluster: String,
    /// `ip:port`.
    pub(super) pod: String,
}

/// What is known of a cluster's sessions.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    /// As the decision record names the cluster.
    pub(super) upstream_name: String,
    /// The cookie's format: `balanced`, `persistent`, ...
    pub(super) format: String,
}

/// One change, for one cluster.
#[derive(Debug)]
struct Shift {
    what: String,
    cluster: String,
    format: String,
    /// Where everybody lived before.
    before: BTreeMap<String, Home>,
    /// How many were expected to move; `None`: nobody can say.
    predicted: Option<usize>,
    /// How many did, once it is over.
    moved: Option<usize>,
}

/// The last changes.
#[derive(Debug, Default)]
pub(super) struct Shifts {
    shifts: VecDeque<Shift>,
    homes: BTreeMap<String, Home>,
}

impl Shifts {
    /// A client's session was answered there; whether it lived on another pod before.
    pub(super) fn lives(&mut self, client: &str, home: Home) -> bool {
        if self.homes.len() >= CLIENTS && !self.homes.contains_key(client) {
            return false;
        }
        let pod = home.pod.clone();
        let cluster = home.cluster.clone();
        let before = self.homes.insert(client.to_owned(), home);
        before.is_some_and(|before| before.cluster == cluster && before.pod != pod)
    }

    /// A client is gone, or its cookie is.
    pub(super) fn forget(&mut self, client: &str) {
        self.homes.remove(client);
        for shift in self.shifts.iter_mut().filter(|one| one.moved.is_none()) {
            shift.before.remove(client);
        }
    }

    /// The pods have changed. `sessions` knows the clusters by Envoy's names.
    pub(super) fn changed(&mut self, change: &Change, sessions: &BTreeMap<String, Sessions>) {
        let homes = &self.homes;
        for shift in self.shifts.iter_mut().filter(|one| one.moved.is_none()) {
            shift.moved = Some(moved(&shift.before, homes));
        }
        for (name, listed) in &change.clusters {
            let Some(known) = sessions.get(name) else {
                continue;
            };
            let here = homes.iter();
            let before: BTreeMap<String, Home> = here
                .filter(|(_, home)| home.cluster == known.upstream_name)
                .map(|(client, home)| (client.clone(), home.clone()))
                .collect();
            self.shifts.push_front(Shift {
                what: change.what.clone(),
                cluster: name.clone(),
                format: known.format.clone(),
                predicted: predicted(change, *listed, &known.format, &before),
                before,
                moved: None,
            });
        }
        self.shifts.truncate(LENGTH);
    }

    /// The newest first.
    pub(super) fn told(&self) -> Value {
        let told = self.shifts.iter().map(|shift| {
            let counted = shift.moved;
            json!({
                "what": shift.what,
                "cluster": shift.cluster,
                "format": shift.format,
                "sessions": shift.before.len(),
                "predicted": shift.predicted,
                "counted": counted.unwrap_or_else(|| moved(&shift.before, &self.homes)),
            })
        });
        told.collect()
    }
}

fn moved(before: &BTreeMap<String, Home>, now: &BTreeMap<String, Home>) -> usize {
    let gone = |(client, home): &(&String, &Home)| now.get(*client).is_some_and(|it| it != *home);
    before.iter().filter(gone).count()
}

/// What the cookie's format lets one expect. Balanced sessions hang on a ring: of `n` pods a new
/// one takes every `n`th. Every other format names its pod, and moves with that one alone.
fn predicted(
    change: &Change,
    listed: usize,
    format: &str,
    before: &BTreeMap<String, Home>,
) -> Option<usize> {
    if matches!(format, "index" | "none") {
        return None;
    }
    Some(match change.kind {
        Kind::Same => 0,
        Kind::Less => {
            let there = before.values().filter(|home| home.pod == change.address);
            there.count()
        }
        Kind::More if format == "balanced" => {
            let pods = listed + 1;
            (before.len() + pods / 2) / pods
        }
        Kind::More => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: Kind) -> Change {
        Change {
            what: "web-3 changed".into(),
            clusters: vec![("a".into(), 2), ("b".into(), 2)],
            kind,
            address: "p1".into(),
        }
    }

    fn sessions() -> BTreeMap<String, Sessions> {
        let known = |upstream_name: &str, format: &str| Sessions {
            upstream_name: upstream_name.into(),
            format: format.into(),
        };
        [
            ("a".to_owned(), known("up-a", "balanced")),
            ("b".to_owned(), known("up-b", "persistent")),
        ]
        .into()
    }

    fn home(cluster: &str, pod: &str) -> Home {
        Home {
            cluster: cluster.into(),
            pod: pod.into(),
        }
    }

    #[test]
    fn a_third_of_balanced_sessions_is_expected_at_a_third_pod_and_none_of_persistent_ones() {
        let mut shifts = Shifts::default();
        for client in 0..6 {
            shifts.lives(&format!("a{client}"), home("up-a", "p1"));
            shifts.lives(&format!("b{client}"), home("up-b", "p1"));
        }
        shifts.changed(&change(Kind::More), &sessions());
        shifts.lives("a0", home("up-a", "p3"));
        let told = shifts.told();
        let of = |format: &str| {
            let mut rows = told.as_array().unwrap().iter();
            let row = rows.find(|row| row["format"] == format).unwrap();
            ["sessions", "predicted", "counted"].map(|key| row[key].as_u64().unwrap())
        };
        assert_eq!(of("balanced"), [6, 2, 1]);
        assert_eq!(of("persistent"), [6, 0, 0]);
    }

    #[test]
    fn who_lived_on_a_pod_that_goes_is_expected_to_move_and_later_moves_are_not_counted() {
        let mut shifts = Shifts::default();
        shifts.lives("x", home("up-b", "p1"));
        shifts.lives("y", home("up-b", "p2"));
        shifts.changed(&change(Kind::Less), &sessions());
        shifts.lives("x", home("up-b", "p2"));
        shifts.changed(&change(Kind::Same), &sessions());
        shifts.lives("y", home("up-b", "p1"));
        let told = shifts.told();
        let rows: Vec<_> = told
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["cluster"] == "b")
            .map(|row| (row["predicted"].as_u64(), row["counted"].as_u64()))
            .collect();
        assert_eq!(rows, [(Some(0), Some(1)), (Some(1), Some(1))]);
    }
}
