//! Endpoints come and go.

use super::{BALANCED, CLUSTER, DIGEST, HOST, PERSISTENT, Shop, cluster, host};
use limpet_tests::crowd::{Crowd, Moves};
use limpet_tests::eds::{self, Lb};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};

/// Clients of each test.
const CLIENTS: usize = 60;

fn crowd(envoy: &Rendered) -> Crowd {
    crowd_of(0, envoy)
}

/// Of one of the shop's kinds of session.
fn crowd_of(kind: usize, envoy: &Rendered) -> Crowd {
    let mut crowd = Crowd::new(CLIENTS, envoy.http(), &host(kind), "/");
    let first = crowd.reload();
    assert_eq!((first.cookies, first.lost), (CLIENTS, 0), "a session each");
    crowd
}

fn nobody_moved(moves: &Moves) {
    assert_eq!(
        moves,
        &Moves {
            stayed: CLIENTS,
            ..Moves::default()
        }
    );
}

/// Reloads while the endpoints become these, until the module knows.
fn reload_through(envoy: &Rendered, cluster: &str, crowd: &mut Crowd, pods: &[Pod]) -> Moves {
    let endpoints = eds::healthy(pods);
    let mut all = Moves::default();
    std::thread::scope(|scope| {
        let change = scope.spawn(|| {
            envoy.set_endpoints(cluster, &endpoints);
            envoy.wait_until_discovered();
        });
        loop {
            let changed = change.is_finished();
            let moves = crowd.reload();
            all.lost += moves.lost;
            all.cookies += moves.cookies;
            for (client, way) in moves.moved {
                all.moved.entry(client).or_insert(way);
            }
            if changed {
                break;
            }
        }
    });
    all
}

#[test]
fn mapped_sessions_stay_while_endpoints_grow_and_shrink() {
    let kinds = [PERSISTENT, DIGEST];
    let shop = Shop::several(10, &kinds);
    let setup = Setup {
        workers: 2,
        ..Setup::default()
    };
    let envoy = shop.open(2, &setup);
    for (kind, annotations) in kinds.iter().enumerate() {
        let mut crowd = crowd_of(kind, &envoy);
        for size in [5, 10, 2] {
            let moves = reload_through(&envoy, &cluster(kind), &mut crowd, &shop.pods[..size]);
            assert_eq!(
                (moves.lost, moves.cookies, moves.moved.len()),
                (0, 0, 0),
                "to {size}"
            );
        }
        println!(
            "{annotations:?}: {} requests, 0 lost, 0 moved",
            crowd.requests
        );
    }
}

#[test]
fn balanced_sessions_move_as_the_ring_says_and_back() {
    let shop = Shop::new(5, BALANCED);
    let envoy = shop.open(2, &Setup::default());
    let mut crowd = crowd(&envoy);
    let before: Vec<_> = (0..CLIENTS)
        .map(|n| crowd.home(n).map(str::to_owned))
        .collect();
    let grown = reload_through(&envoy, CLUSTER, &mut crowd, &shop.pods);
    assert_eq!((grown.lost, grown.cookies), (0, 0));
    let new: Vec<_> = shop.pods[2..].iter().map(Pod::endpoint).collect();
    let strays: Vec<_> = grown
        .moved
        .values()
        .filter(|(_, to)| !new.contains(to))
        .collect();
    assert!(
        strays.is_empty(),
        "moved between pods that were there before: {strays:?}"
    );
    assert_eq!(
        grown.moved.len(),
        predicted(&crowd, &shop.pods[..2], &shop.pods)
    );
    let shrunk = reload_through(&envoy, CLUSTER, &mut crowd, &shop.pods[..2]);
    assert_eq!((shrunk.lost, shrunk.cookies), (0, 0));
    let after: Vec<_> = (0..CLIENTS)
        .map(|n| crowd.home(n).map(str::to_owned))
        .collect();
    assert_eq!(before, after, "every session is back where it was");
}

/// How many of the crowd's keys lie on another endpoint's arc, by the ring itself.
fn predicted(crowd: &Crowd, before: &[Pod], after: &[Pod]) -> usize {
    let ring = |pods: &[Pod]| {
        let addresses: Vec<_> = pods.iter().map(Pod::endpoint).collect();
        limpet_tests::ring::Ring::new(&addresses)
    };
    let (before, after) = (ring(before), ring(after));
    let keys = crowd
        .cookies("INGRESSCOOKIE")
        .into_iter()
        .map(Option::unwrap);
    let keys = keys.map(|value| value.split('|').next().unwrap().to_owned());
    keys.filter(|key| before.endpoint(key) != after.endpoint(key))
        .count()
}

#[test]
fn a_pod_that_is_removed_loses_its_sessions_once_and_nobody_else_moves() {
    let shop = Shop::several(3, &[PERSISTENT, DIGEST]);
    let envoy = shop.open(3, &Setup::default());
    for kind in 0..2 {
        let cluster = cluster(kind);
        let mut crowd = crowd_of(kind, &envoy);
        let gone = shop.pods[2].endpoint();
        let orphans = (0..CLIENTS)
            .filter(|n| crowd.home(*n) == Some(&gone))
            .count();
        assert!(orphans > 0);
        let moves = reload_through(&envoy, &cluster, &mut crowd, &shop.pods[..2]);
        assert_eq!(
            (moves.lost, moves.cookies, moves.moved.len()),
            (0, orphans, orphans)
        );
        assert!(moves.moved.values().all(|(from, _)| *from == gone));
        nobody_moved(&crowd.reload());
        let back = reload_through(&envoy, &cluster, &mut crowd, &shop.pods);
        assert_eq!(
            (back.lost, back.cookies, back.moved.len()),
            (0, 0, 0),
            "it comes back"
        );
    }
}

#[test]
fn an_answer_from_elsewhere_asks_for_the_endpoints_at_once() {
    let shop = Shop::new(3, PERSISTENT);
    let setup = Setup {
        workers: 2,
        // Without an answer from elsewhere nobody asks for the endpoints within the test.
        interval_ms: 60_000,
        ..Setup::default()
    };
    let envoy = shop.open(3, &setup);
    let mut crowd = crowd(&envoy);
    let gone = shop.pods[2].endpoint();
    let at_home = |crowd: &Crowd| {
        let at_home = |n: &usize| crowd.home(*n) == Some(&gone);
        (0..CLIENTS).filter(at_home).count()
    };
    let orphans = at_home(&crowd);
    assert!(orphans > 0);
    envoy.set_endpoints(CLUSTER, &eds::healthy(&shop.pods[..2]));
    let mut cookies = 0;
    limpet_tests::wait::until("every session of the pod has a new cookie", || {
        let moves = crowd.reload();
        assert_eq!(moves.lost, 0);
        cookies += moves.cookies;
        cookies >= orphans
    });
    assert_eq!((cookies, at_home(&crowd)), (orphans, 0));
    nobody_moved(&crowd.reload());
}

#[test]
fn a_draining_pod_keeps_its_sessions_and_gets_no_new_ones() {
    const DRAINABLE: &[(&str, &str)] = &[
        ("affinity", "cookie"),
        ("affinity-mode", "persistent-drainable"),
    ];
    for annotations in [PERSISTENT, DRAINABLE] {
        let shop = Shop::new(2, annotations);
        let envoy = shop.share();
        let mut crowd = crowd(&envoy);
        let mut endpoints = eds::healthy(&shop.pods);
        endpoints[1] = Lb {
            health: "DRAINING",
            ..endpoints[1].clone()
        };
        envoy.set_endpoints(CLUSTER, &endpoints);
        for _ in 0..3 {
            nobody_moved(&crowd.reload());
        }
        let mut newcomers = Crowd::new(20, envoy.http(), HOST, "/");
        assert_eq!(newcomers.reload().cookies, 20);
        let drained = shop.pods[1].endpoint();
        assert!((0..20).all(|n| newcomers.home(n) != Some(&drained)));
    }
}

#[test]
fn without_any_pod_cookies_are_left_alone_and_one_new_one_comes_with_the_pods() {
    let shop = Shop::new(3, PERSISTENT);
    let envoy = shop.open(1, &Setup::default());
    const CLIENTS: usize = 20;
    let mut crowd = Crowd::new(CLIENTS, envoy.http(), HOST, "/");
    assert_eq!(crowd.reload().cookies, CLIENTS);
    let cookies = crowd.cookies("INGRESSCOOKIE");
    envoy.set_endpoints(CLUSTER, &[]);
    envoy.wait_until_discovered();
    let moves = crowd.reload();
    assert_eq!(
        (moves.lost, moves.cookies),
        (CLIENTS, 0),
        "503, cookies untouched"
    );
    assert_eq!(crowd.cookies("INGRESSCOOKIE"), cookies);
    envoy.set_endpoints(CLUSTER, &eds::healthy(&shop.pods[1..]));
    envoy.wait_until_discovered();
    let moves = crowd.reload();
    assert_eq!(
        (moves.lost, moves.cookies),
        (0, CLIENTS),
        "one new cookie each"
    );
    let moves = crowd.reload();
    assert_eq!((moves.stayed, moves.cookies), (CLIENTS, 0));
}

/// A pod refuses connections while it is still listed, and then serves again: the crowd's reloads
/// while it is dead, after that, and when it is back; and how many are then where they were first.
fn dies_and_returns(shop: &mut Shop, kind: usize, envoy: &Rendered) -> ([Moves; 3], usize) {
    let mut crowd = crowd_of(kind, envoy);
    let homes: Vec<_> = (0..CLIENTS)
        .map(|n| crowd.home(n).map(str::to_owned))
        .collect();
    shop.pods[2].stop();
    let dead = crowd.reload();
    let later = crowd.reload();
    shop.pods[2].restart();
    limpet_tests::wait::until("the pod is in use again", || {
        let flags = envoy.envoy.endpoints(&cluster(kind));
        flags.iter().all(|(_, flags)| flags == "healthy")
    });
    envoy.wait_until_discovered();
    let back = crowd.reload();
    let homes = (0..CLIENTS).filter(|n| crowd.home(*n) == homes[*n].as_deref());
    ([dead, later, back], homes.count())
}

/// Two shops, with `session-cookie-change-on-failure` true and false.
fn on_failure(pods: usize) -> Shop {
    let [moves, stays] = ["true", "false"].map(|on_failure| {
        let annotation = ("session-cookie-change-on-failure", on_failure);
        [PERSISTENT, &[annotation]].concat()
    });
    Shop::several(pods, &[&moves, &stays])
}

#[test]
fn a_pod_that_refuses_moves_its_sessions_for_good_or_lends_them_as_change_on_failure_says() {
    let mut shop = on_failure(3);
    let setup = Setup {
        edit: |value| eject_for(value, "1s"),
        ..Setup::default()
    };
    let envoy = shop.open(3, &setup);
    let ([dead, later, back], homes) = dies_and_returns(&mut shop, 0, &envoy);
    assert!(!dead.moved.is_empty());
    assert_eq!(
        (dead.lost, dead.cookies),
        (0, dead.moved.len()),
        "one new cookie each"
    );
    nobody_moved(&later);
    nobody_moved(&back);
    assert_eq!(homes, CLIENTS - dead.moved.len());

    let ([dead, later, back], homes) = dies_and_returns(&mut shop, 1, &envoy);
    assert!(!dead.moved.is_empty());
    assert_eq!((dead.lost, dead.cookies), (0, 0), "no new cookie");
    assert_eq!((later.lost, later.cookies), (0, 0));
    assert_eq!((back.lost, back.cookies), (0, 0));
    assert_eq!(homes, CLIENTS, "they come home");
}

/// How long an ejected pod stays so, whatever it does.
fn eject_for(value: &mut serde_json::Value, time: &str) {
    let clusters = value.pointer_mut("/static_resources/clusters");
    for cluster in clusters
        .and_then(|c| c.as_array_mut())
        .into_iter()
        .flatten()
    {
        if let Some(detection) = cluster.get_mut("outlier_detection") {
            detection["base_ejection_time"] = time.into();
            detection["max_ejection_time"] = time.into();
        }
    }
}

/// The crowd's reloads after a pod was ejected: the first, and the sum of three more; and how many
/// sessions the pod had.
fn ejected(shop: &mut Shop, kind: usize, envoy: &Rendered) -> (Moves, Moves, usize) {
    let mut crowd = crowd_of(kind, envoy);
    let gone = shop.pods[3].endpoint();
    let sessions = (0..CLIENTS)
        .filter(|n| crowd.home(*n) == Some(&gone))
        .count();
    assert!(sessions > 0);
    shop.pods[3].stop();
    // Others than the crowd find out.
    limpet_tests::wait::until("the pod is ejected", || {
        let mut other = Crowd::new(1, envoy.http(), &host(kind), "/");
        assert_eq!(other.reload().lost, 0);
        let endpoints = envoy.envoy.endpoints(&cluster(kind)).into_iter();
        let mut ejected = endpoints.filter(|(_, flags)| flags != "healthy");
        ejected.any(|(address, _)| address == gone)
    });
    envoy.wait_until_discovered();
    shop.pods[3].restart();
    let first = crowd.reload();
    let mut later = Moves::default();
    for _ in 0..3 {
        let moves = crowd.reload();
        later.stayed += moves.stayed;
        later.moved.extend(moves.moved);
        later.cookies += moves.cookies;
        later.lost += moves.lost;
    }
    (first, later, sessions)
}

#[test]
fn a_pod_that_is_ejected_moves_its_sessions_to_one_other_pod_each() {
    let mut shop = on_failure(4);
    let setup = Setup {
        // For the rest of the test.
        edit: |value| eject_for(value, "300s"),
        ..Setup::default()
    };
    let envoy = shop.open(4, &setup);
    for (kind, (on_failure, is_new)) in [("true", 1), ("false", 0)].into_iter().enumerate() {
        let (first, later, sessions) = ejected(&mut shop, kind, &envoy);
        assert_eq!(
            (first.lost, first.moved.len(), first.cookies),
            (0, sessions, sessions * is_new),
            "change-on-failure {on_failure}"
        );
        let stayed = Moves {
            stayed: 3 * CLIENTS,
            ..Moves::default()
        };
        assert_eq!(later, stayed, "change-on-failure {on_failure}");
    }
}

#[test]
fn a_pod_that_is_back_under_another_address_is_another_pod() {
    let shop = Shop::several(4, &[PERSISTENT, DIGEST]);
    let envoy = shop.open(3, &Setup::default());
    for kind in 0..2 {
        let mut crowd = crowd_of(kind, &envoy);
        let old = shop.pods[2].endpoint();
        let orphans = (0..CLIENTS)
            .filter(|n| crowd.home(*n) == Some(&old))
            .count();
        let now = [&shop.pods[0], &shop.pods[1], &shop.pods[3]];
        envoy.set_endpoints(&cluster(kind), &eds::healthy(now));
        envoy.wait_until_discovered();
        let moves = crowd.reload();
        assert_eq!(
            (moves.lost, moves.cookies, moves.moved.len()),
            (0, orphans, orphans)
        );
        assert!(moves.moved.values().all(|(from, _)| *from == old));
        nobody_moved(&crowd.reload());
    }
}
