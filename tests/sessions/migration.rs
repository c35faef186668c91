//! Both directions of a migration: ingress-nginx's ring, implemented once more from its
//! published algorithm (`support/ring.rs`), understands the cookies limpet mints, and limpet
//! understands its keys.

use limpet::affinity::{self, Affinity, AffinitySettings, CookiePlace, Served};
use limpet::annotations::AffinityAnnotations;
use limpet::cluster::Cluster;
use limpet::edit::fields;
use limpet::endpoints::{Build, ClusterTable, Endpoint, Health};
use limpet::facts::Facts;
use limpet_tests::ring::Ring;
use limpet_tests::target::{FACTS, NOW};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A generator of the tests' own (SplitMix64).
struct Random(Cell<u64>);

impl Random {
    fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }
}

fn nodes(count: usize) -> Vec<String> {
    let node = |n: usize| match n % 7 {
        3 => format!("[fd00::{n:x}]:8080"),
        _ => format!(
            "10.{}.{}.{}:8080",
            n / 200 / 200,
            n / 200 % 200,
            n % 200 + 1
        ),
    };
    (0..count).map(node).collect()
}

fn cluster() -> Cluster {
    cluster_of(&AffinityAnnotations::default())
}

fn cluster_of(none: &AffinityAnnotations) -> Cluster {
    let (affinity, _) = Affinity::new("default-web-8080", none, none, &AffinitySettings::default());
    Cluster {
        upstream_name: "default-web-8080".to_owned(),
        service: "default/web:8080".to_owned(),
        envoy_name: "web".to_owned(),
        affinity: Some(affinity),
        alternatives: Vec::new(),
        has_fallback: false,
        has_pages: false,
        canary: None,
        hash_by: None,
    }
}

fn endpoints(nodes: &[String]) -> Vec<Endpoint> {
    let endpoint = |address: &String| Endpoint {
        address: address.as_str().into(),
        health: Health::Healthy,
    };
    nodes.iter().map(endpoint).collect()
}

fn affinity_of(cluster: &Cluster) -> &Affinity {
    cluster.affinity.as_ref().unwrap()
}

/// The key that limpet mints for an endpoint.
fn minted(cluster: &Cluster, table: &ClusterTable, address: &str, random: &Random) -> String {
    let session = affinity::open(affinity_of(cluster), Some(table), &[]);
    let place = CookiePlace {
        location_path: "/",
        sets_cookie: true,
        https: false,
        user_agent: None,
    };
    let served = Served {
        address: Some(address),
        elsewhere: false,
        local_reply: false,
        response: &[],
    };
    let facts = Facts {
        random: &|| random.next(),
        ..FACTS
    };
    let closed = affinity::close(
        affinity_of(cluster),
        &session,
        &|| Some(table),
        &place,
        &served,
        &facts,
    );
    let cookie = String::from_utf8(closed.set_cookie.unwrap()).unwrap();
    let key = cookie.strip_prefix("INGRESSCOOKIE=").unwrap();
    key.split('|').next().unwrap().to_owned()
}

/// Pearson's statistic against shares of the whole, divided by its degrees of freedom.
fn chi_square(counts: impl IntoIterator<Item = (f64, f64)>) -> (f64, f64) {
    let terms: Vec<f64> = counts
        .into_iter()
        .map(|(found, expected)| (found - expected).powi(2) / expected)
        .collect();
    (terms.iter().sum(), (terms.len() - 1) as f64)
}

/// Whether a statistic is within five deviations of its mean: the generator is fixed, so this
/// cannot fail by chance on one machine only.
fn plausible((statistic, freedom): (f64, f64)) -> bool {
    (statistic - freedom).abs() < 5.0 * (2.0 * freedom).sqrt()
}

#[test]
fn ten_thousand_cookies_of_either_side_are_understood_by_the_other() {
    let random = Random(Cell::new(1));
    let cluster = cluster();
    for count in [2, 3, 20, 500] {
        let nodes = nodes(count);
        let theirs = Ring::new(&nodes);
        let ours = ClusterTable::build(cluster.index(), endpoints(&nodes));
        for _ in 0..10_000 {
            let address = &nodes[random.below(count)];
            let key = minted(&cluster, &ours, address, &random);
            assert_eq!(theirs.endpoint(&key).unwrap(), address, "{count}: {key}");

            // `pick_new_upstream`, `balancer/sticky_balanced.lua`.
            let millis = random.below(1000);
            let pid = random.below(40_000) + 1;
            let key = format!("{NOW}.{millis:03}.{pid}.{}", random.below(999_999) + 1);
            let cookie = [("cookie", format!("INGRESSCOOKIE={key}|x"))];
            let session = affinity::open(affinity_of(&cluster), Some(&ours), &fields(&cookie));
            assert_eq!(
                session.override_host(),
                theirs.endpoint(&key),
                "{count}: {key}"
            );
        }
    }
}

#[test]
fn minted_keys_spread_evenly_over_the_arcs_of_their_endpoint() {
    let random = Random(Cell::new(2));
    let cluster = cluster();
    let nodes = nodes(5);
    let table = ClusterTable::build(cluster.index(), endpoints(&nodes));
    let ring = Ring::new(&nodes);
    let address = &nodes[2];
    // The arc that ends at each point of the endpoint, and its share.
    let mut arcs: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    let mut before = ring.points().last().unwrap().0;
    for (hash, owner) in ring.points() {
        if owner == address {
            arcs.insert(*hash, (0.0, f64::from(hash.wrapping_sub(before))));
        }
        before = *hash;
    }
    let total: f64 = arcs.values().map(|(_, length)| length).sum();
    for _ in 0..10_000 {
        let key = minted(&cluster, &table, address, &random);
        let (point, _) = ring.point(&key).unwrap();
        arcs.get_mut(point).unwrap().0 += 1.0;
    }
    // Arcs too short for the test's approximation count as one.
    let scale = |(found, length): &(f64, f64)| (*found, length / total * 10_000.0);
    let (long, short): (Vec<_>, Vec<_>) = arcs
        .values()
        .map(scale)
        .partition(|(_, expected)| *expected >= 5.0);
    let rest = short
        .iter()
        .fold((0.0, 0.0), |sum, arc| (sum.0 + arc.0, sum.1 + arc.1));
    let found = chi_square(
        long.into_iter()
            .chain([rest].into_iter().filter(|rest| rest.1 > 0.0)),
    );
    assert!(plausible(found), "{found:?}");
}

#[test]
fn new_sessions_spread_as_the_proxy_spreads_them_and_stay_there() {
    let random = Random(Cell::new(3));
    let cluster = cluster();
    let nodes = nodes(5);
    let table = ClusterTable::build(cluster.index(), endpoints(&nodes));
    let mut sessions = BTreeMap::new();
    for _ in 0..10_000 {
        // No cookie, no override: the choice is the proxy's, here a fair one.
        let session = affinity::open(affinity_of(&cluster), Some(&table), &[]);
        assert_eq!(session.override_host(), None);
        let address = &nodes[random.below(nodes.len())];
        let key = minted(&cluster, &table, address, &random);
        let cookie = [("cookie", format!("INGRESSCOOKIE={key}"))];
        let session = affinity::open(affinity_of(&cluster), Some(&table), &fields(&cookie));
        assert_eq!(session.override_host(), Some(address.as_str()));
        *sessions.entry(address).or_insert(0.0) += 1.0;
    }
    let found = chi_square(sessions.values().map(|count| (*count, 2_000.0)));
    assert!(plausible(found), "{found:?} {sessions:?}");
}

#[test]
fn a_ring_that_changed_is_the_ring_that_would_be_built() {
    let random = Random(Cell::new(4));
    let cluster = cluster();
    let all = nodes(60);
    let mut table: Option<Arc<ClusterTable>> = None;
    for round in 0..40 {
        let some: Vec<String> = all
            .iter()
            .filter(|_| random.below(3) > 0)
            .cloned()
            .collect();
        let mut build = Build::start(cluster.index(), table.as_ref(), endpoints(&some));
        let mut steps = 1;
        while !build.step(1 + random.below(300)) {
            steps += 1;
        }
        let changed = build.finish();
        let fresh = ClusterTable::build(cluster.index(), endpoints(&some));
        assert_eq!(changed.endpoints(), fresh.endpoints());
        assert_eq!(changed.ring(), fresh.ring(), "round {round}");
        assert_eq!(fresh.ring().len(), some.len() * 160);
        assert!(steps > 10, "round {round}: {steps} slices");
        table = Some(Arc::new(changed));
    }
}

#[test]
fn digests_that_changed_are_the_digests_that_would_be_built() {
    let random = Random(Cell::new(5));
    let cluster = cluster_of(&AffinityAnnotations {
        mode: Some("persistent".to_owned()),
        ..AffinityAnnotations::default()
    });
    let all = nodes(40);
    let digests = cluster.affinity.as_ref().unwrap().digests();
    let mut table: Option<Arc<ClusterTable>> = None;
    for round in 0..20 {
        let some: Vec<String> = all
            .iter()
            .filter(|_| random.below(3) > 0)
            .cloned()
            .collect();
        let mut build = Build::start(cluster.index(), table.as_ref(), endpoints(&some));
        while !build.step(1 + random.below(100)) {}
        let changed = build.finish();
        for address in &all {
            for (which, digest) in digests.iter().enumerate() {
                let found = changed.find_digest(digests, digest.of(address).as_bytes());
                let named = found.and_then(|(_, at)| Some(&*changed.at(at)?.address));
                let there = some.contains(address);
                assert_eq!(named, there.then_some(address.as_str()), "round {round}");
                assert!(!there || found.unwrap().0 == which, "round {round}");
                let known = changed.digest_of(digest, address);
                assert_eq!(known, there.then(|| digest.of(address)), "round {round}");
            }
        }
        table = Some(Arc::new(changed));
    }
}

/// How many slices of so many points a table takes.
fn slices(cluster: &Cluster, before: Option<&Arc<ClusterTable>>, nodes: &[String]) -> usize {
    let mut build = Build::start(cluster.index(), before, endpoints(nodes));
    let mut slices = 1;
    while !build.step(1_000) {
        slices += 1;
    }
    slices
}

#[test]
fn a_change_computes_the_points_of_new_endpoints_alone() {
    let cluster = cluster();
    let all = nodes(501);
    let before = Arc::new(ClusterTable::build(cluster.index(), endpoints(&all[..500])));
    // All points: computed twice over (to count and to place), sorted, merged.
    let anew = slices(&cluster, None, &all);
    assert!(anew >= 4 * 500 * 160 / 1_000, "{anew}");
    // Those of one endpoint, and the merge with the others, which are only copied.
    let merge = 501 * 160 / 1_000;
    for (change, nodes) in [("one more", &all[..]), ("one less", &all[1..500])] {
        let changed = slices(&cluster, Some(&before), nodes);
        assert!(changed <= merge + 3, "{change}: {changed} slices");
    }
    // No change of addresses: the same ring, not a copy.
    let mut ill = endpoints(&all[..500]);
    ill[7].health = Health::Unhealthy;
    let same = Build::start(cluster.index(), Some(&before), ill).finish();
    assert!(std::ptr::eq(same.ring(), before.ring()));
}

#[test]
fn a_lookup_costs_at_most_twice_a_plain_search() {
    const KEYS: usize = 10_000;
    const ROUNDS: usize = 50;
    let cluster = cluster();
    let random = Random(Cell::new(6));
    let hash = |_| u32::try_from(random.next() >> 32).unwrap();
    let hashes: Vec<u32> = (0..KEYS).map(hash).collect();
    let timed = |find: &dyn Fn(u32) -> Option<u32>| {
        let start = Instant::now();
        let found = hashes.iter().filter_map(|hash| find(*hash));
        assert_eq!(found.count(), KEYS);
        start.elapsed()
    };
    for count in [2, 500, 5_000] {
        let nodes = nodes(count);
        let table = ClusterTable::build(cluster.index(), endpoints(&nodes));
        let points: Vec<u32> = Ring::new(&nodes).points().iter().map(|(p, _)| *p).collect();
        let searched = |hash| {
            let at = points.partition_point(|point| *point < hash);
            points.get(at).or(points.first()).copied()
        };
        // In turns, and the best of many: what else runs on the machine takes from both.
        let (mut own, mut plain) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            own = own.min(timed(&|hash| table.ring().owner(hash)));
            plain = plain.min(timed(&searched));
        }
        let ratio = own.as_secs_f64() / plain.as_secs_f64();
        println!("{count} endpoints: {ratio:.2} times a plain search ({own:?} for {KEYS})");
        assert!(ratio < 2.0, "{count} endpoints: {ratio:.2}");
    }
}
