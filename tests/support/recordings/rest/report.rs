//! Counting which requests are answered as recorded; `recordings/rest/divergences.yaml` has the others.

use super::readme::{has_row, number};
use super::seen::Seen;
use crate::recordings::list;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// How many requests of each family agree: more is better.
pub type Agree<'a> = &'a [(&'a str, usize)];

/// What ingress-nginx answered whom a rule stopped.
const STOPPED: [u64; 7] = [400, 401, 403, 413, 421, 429, 503];

/// An entry of `recordings/rest/divergences.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Divergence {
    /// `id of the scenario`, a space, the number of the request.
    requests: Vec<String>,
    /// What ingress-nginx does.
    ingress_nginx: String,
    /// What limpet does, as an operator would be told.
    limpet: String,
    /// Where; none: everywhere.
    #[serde(default)]
    on: Vec<String>,
    /// What happens depends on the order or the time of things.
    #[serde(default)]
    sometimes: bool,
}

/// The recorded answers as one proxy gives them.
pub struct Report {
    families: BTreeMap<String, Count>,
    /// The requests that are listed here, and whether they differ only at times.
    listed: BTreeMap<String, bool>,
    opened: Vec<String>,
    unlisted: Vec<String>,
    stale: Vec<String>,
}

/// What was counted in a family.
#[derive(Debug, Default)]
struct Count {
    agree: usize,
    /// Nothing reached a pod, as something of the scenario is closed.
    closed: usize,
    listed: usize,
    not_asked: BTreeMap<String, usize>,
}

impl Report {
    /// Nothing compared yet. A request is listed that is for any of these names.
    ///
    /// # Panics
    /// A line of the list says nothing.
    #[must_use]
    pub fn on(proxies: &[&str]) -> Self {
        let path = format!(
            "{}/recordings/rest/divergences.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(path).unwrap();
        let list: Vec<Divergence> = serde_saphyr::from_str(&text).unwrap();
        let mut listed = BTreeMap::new();
        for line in list {
            let says = !line.ingress_nginx.is_empty() && !line.limpet.is_empty();
            assert!(says, "{:?}: no reason", line.requests);
            if line.on.is_empty() || line.on.iter().any(|on| proxies.contains(&&**on)) {
                listed.extend(line.requests.into_iter().map(|one| (one, line.sometimes)));
            }
        }
        Self {
            families: BTreeMap::new(),
            listed,
            opened: Vec::new(),
            unlisted: Vec::new(),
            stale: Vec::new(),
        }
    }

    fn count(&mut self, scenario: &Value) -> &mut Count {
        let family = scenario["family"].as_str().unwrap();
        self.families.entry(family.to_owned()).or_default()
    }

    /// A request that cannot be asked there.
    ///
    /// # Panics
    /// It is of no recorded scenario.
    pub fn not_asked(&mut self, scenario: &Value, reason: &str) {
        let count = self.count(scenario);
        *count.not_asked.entry(reason.to_owned()).or_default() += 1;
    }

    /// Compares what became of the request `at` of a scenario, of which something `is_closed`.
    ///
    /// # Panics
    /// It is of no recorded scenario.
    pub fn compare(&mut self, scenario: &Value, at: usize, seen: &Seen, is_closed: bool) {
        let case = format!("{} {at}", scenario["id"].as_str().unwrap());
        let expect = &scenario["requests"][at]["expect"];
        let differences = seen.against(expect);
        let was_stopped = list(&expect["upstream"]).is_empty()
            && STOPPED.iter().any(|status| expect["status"] == *status);
        if was_stopped && seen.reached_pods() {
            self.opened.push(format!("{case}: {differences:?}"));
        }
        let listed = self.listed.get(&case).copied();
        if differences.is_empty() {
            if listed == Some(false) {
                self.stale.push(case);
            }
            // Neither more nor less, whatever came first.
            let count = self.count(scenario);
            if listed.is_some() {
                count.listed += 1;
            } else {
                count.agree += 1;
            }
        } else if listed.is_some() {
            self.count(scenario).listed += 1;
            println!("    {case}: {differences:?}");
        } else if is_closed && !seen.reached_pods() {
            self.count(scenario).closed += 1;
        } else {
            self.unlisted.push(format!("{case}: {differences:?}"));
        }
    }

    /// Prints the counts, and fails unless nothing is open, every difference is listed, what is listed
    /// does differ, as many agree as are said to, and the README says so of `whom`, whom `runner` asks.
    ///
    /// # Panics
    /// That is how it fails.
    pub fn finish(self, agree: Agree<'_>, whom: &str, runner: &str) {
        for (family, count) in &self.families {
            println!("{family}: {count}");
        }
        let parts = [
            ("a pod saw what was stopped", &self.opened),
            ("neither as recorded nor listed", &self.unlisted),
            ("listed, but as recorded", &self.stale),
        ];
        let wrong = parts.iter().filter(|(_, cases)| !cases.is_empty());
        let wrong = wrong.map(|(what, cases)| format!("{what}:\n{}\n", cases.join("\n")));
        let wrong: String = wrong.collect();
        assert!(wrong.is_empty(), "{wrong}");
        let of = |family: &str| self.families.get(family).map_or(0, |count| count.agree);
        let have: Vec<_> = agree
            .iter()
            .map(|(family, _)| (*family, of(family)))
            .collect();
        assert_eq!(have, agree);
        let sum = |of: fn(&Count) -> usize| self.families.values().map(of).sum::<usize>();
        let asked = sum(|one| one.agree + one.closed + one.listed);
        let counts = [asked, sum(|one| one.agree), sum(|one| one.closed)].map(number);
        has_row(whom, &[&[format!("`{runner}`")], &counts[..]].concat());
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (agree, closed, listed) = (self.agree, self.closed, self.listed);
        write!(f, "{agree} agree, {closed} closed, {listed} are listed")?;
        write!(f, ", not asked: {:?}", self.not_asked)
    }
}
