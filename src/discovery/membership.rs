//! The cheap question: have the endpoints of a cluster changed at all?
//!
//! Envoy counts changes of membership (`membership_change`) and gauges healthy, degraded and
//! excluded endpoints. The figures of one cluster make one number, its *mark*.

use super::query::stat_name;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Reads an answer of `/stats`: the mark of each of `clusters` whose changes Envoy counts.
/// A cluster that is missing in the answer has no mark. Marks are never 0.
#[must_use]
pub fn marks(clusters: &[String], body: &[u8]) -> BTreeMap<String, u64> {
    let mut figures: HashMap<&[u8], Figures> = HashMap::new();
    for line in body.split(|&b| b == b'\n') {
        if let Some((cluster, figure)) = split(line) {
            let of = figures.entry(cluster).or_default();
            of.counted |= figure.starts_with(b"change:");
            figure.hash(&mut of.hasher);
        }
    }
    let mark = |cluster: &String| {
        let figures = figures.get(stat_name(cluster).as_bytes())?;
        let mark = figures.hasher.finish().max(1);
        figures.counted.then(|| (cluster.clone(), mark))
    };
    // One by one: to collect is to sort, which is 6 KiB of the module for each kind of map.
    let mut marks = BTreeMap::new();
    marks.extend(clusters.iter().filter_map(mark));
    marks
}

#[derive(Default)]
struct Figures {
    counted: bool,
    hasher: DefaultHasher,
}

/// `cluster.<name>.membership_<figure>` as name and figure.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    const MIDDLE: &[u8] = b".membership_";
    let line = line.strip_prefix(b"cluster.")?;
    let at = line.windows(MIDDLE.len()).rposition(|w| w == MIDDLE)?;
    let (cluster, rest) = line.split_at_checked(at)?;
    Some((cluster, rest.strip_prefix(MIDDLE)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "cluster.a.membership_change: 1\ncluster.a.membership_healthy: 2\n";

    fn read(body: &str) -> BTreeMap<String, u64> {
        marks(&["a".into(), "b:c".into()], body.as_bytes())
    }

    #[test]
    fn a_figure_that_moves_moves_the_mark() {
        let mark = read(A)["a"];
        assert_eq!(read(A)["a"], mark);
        assert_ne!(read(&A.replace(": 1", ": 2"))["a"], mark);
        assert_ne!(read(&A.replace("healthy: 2", "healthy: 1"))["a"], mark);
    }

    #[test]
    fn a_cluster_whose_changes_are_not_counted_has_no_mark() {
        assert_eq!(read("cluster.b_c.membership_healthy: 2\n").len(), 0);
        assert_eq!(read("cluster.b_c.membership_change: 0\n").len(), 1);
        assert_eq!(read("cluster.other.membership_change: 0\n").len(), 0);
        for garbage in ["", "\n\n", "cluster.", "cluster..membership_", "<html>"] {
            assert_eq!(read(garbage).len(), 0, "{garbage:?}");
        }
    }
}
