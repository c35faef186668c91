//! Sessions from cookie to cookie: what is read, asked for, kept and written.

use super::*;
use crate::cluster::Cluster;
use crate::config::CookieFormat;
use crate::edit;
use crate::endpoints::{ClusterTable, Endpoint, Health};
use crate::facts::Facts;

const NAME: &str = "default-web-8080";
const A: &str = "10.0.0.1:80";
const B: &str = "10.0.0.2:80";
const GONE: &str = "10.0.0.9:80";

type Annotated = AffinityAnnotations;

fn annotations(mode: Option<&str>, hash: Option<&str>) -> Annotated {
    Annotated {
        mode: mode.map(str::to_owned),
        hash: hash.map(str::to_owned),
        ..Annotated::default()
    }
}

fn keyed(keys: &[&str]) -> AffinitySettings {
    AffinitySettings {
        cookie_keys: Some(keys.iter().map(|key| key.as_bytes().to_vec()).collect()),
        ..AffinitySettings::default()
    }
}

fn cluster(annotations: &Annotated, settings: &AffinitySettings) -> Cluster {
    Cluster {
        upstream_name: NAME.to_owned(),
        service: "default/web:8080".to_owned(),
        envoy_name: NAME.to_owned(),
        affinity: Some(Affinity::new(NAME, annotations, annotations, settings).0),
        alternatives: Vec::new(),
        has_fallback: false,
        has_pages: false,
        canary: None,
        hash_by: None,
    }
}

fn simple(mode: Option<&str>, hash: Option<&str>) -> Cluster {
    cluster(&annotations(mode, hash), &AffinitySettings::default())
}

fn table(cluster: &Cluster, endpoints: &[(&str, Health)]) -> ClusterTable {
    let endpoint = |(address, health): &(&str, Health)| Endpoint {
        address: (*address).into(),
        health: *health,
    };
    ClusterTable::build(cluster.index(), endpoints.iter().map(endpoint).collect())
}

fn healthy(cluster: &Cluster) -> ClusterTable {
    table(cluster, &[(A, Health::Healthy), (B, Health::Healthy)])
}

type Owned = [(String, Vec<u8>)];

fn cookie(value: &str) -> Vec<(String, Vec<u8>)> {
    vec![(
        "cookie".to_owned(),
        format!("INGRESSCOOKIE={value}").into_bytes(),
    )]
}

fn open(cluster: &Cluster, table: Option<&ClusterTable>, headers: &Owned) -> Session {
    let affinity = cluster.affinity.as_ref().unwrap();
    super::open(affinity, table, &edit::fields(headers))
}

fn place(sets_cookie: bool) -> CookiePlace<'static> {
    CookiePlace {
        location_path: "/",
        sets_cookie,
        https: false,
        user_agent: None,
    }
}

fn served(address: &str, elsewhere: bool) -> Served<'_> {
    Served {
        address: Some(address),
        elsewhere,
        local_reply: false,
        response: &[],
    }
}

/// Closes a session: its state, and the value of the cookie that is set.
fn closed(
    session: &Session,
    cluster: &Cluster,
    table: Option<&ClusterTable>,
    served: &Served,
) -> (State, Option<String>) {
    let facts = Facts {
        now: &|| 1_732_345_678,
        random: &|| 0x1234_5678_9ABC_DEF0,
        ..Facts::NONE
    };
    let affinity = cluster.affinity.as_ref().unwrap();
    let closed = close(affinity, session, &|| table, &place(true), served, &facts);
    let value = closed.set_cookie.map(|cookie| {
        let cookie = String::from_utf8(cookie).unwrap();
        let (_, value) = cookie.split_once('=').unwrap();
        value.split(';').next().unwrap().to_owned()
    });
    (closed.state, value)
}

/// The value that a cluster writes for an endpoint.
fn value(cluster: &Cluster, address: &str) -> String {
    let table = table(
        cluster,
        &[
            (A, Health::Healthy),
            (B, Health::Healthy),
            (GONE, Health::Healthy),
        ],
    );
    let session = open(cluster, Some(&table), &[]);
    let (state, value) = closed(&session, cluster, Some(&table), &served(address, false));
    assert_eq!(state, State::New);
    value.unwrap()
}

/// Every writer, by name.
fn writers() -> Vec<(&'static str, Cluster)> {
    vec![
        ("balanced", simple(Some("balanced"), None)),
        ("default", simple(None, None)),
        ("persistent", simple(Some("persistent"), None)),
        ("drainable", simple(Some("persistent-drainable"), None)),
        ("sha1", simple(None, Some("sha1"))),
        ("md5", simple(None, Some("md5"))),
        ("index", simple(None, Some("index"))),
        ("keyed", cluster(&Annotated::default(), &keyed(&["secret"]))),
    ]
}

#[test]
fn what_a_cluster_writes_it_reads_and_leaves_alone() {
    for (name, cluster) in writers() {
        let table = healthy(&cluster);
        for address in [A, B] {
            let session = open(&cluster, Some(&table), &[]);
            let (_, value) = closed(&session, &cluster, Some(&table), &served(address, false));
            let value = value.unwrap();
            let session = open(&cluster, Some(&table), &cookie(&value));
            assert_eq!(session.override_host(), Some(address), "{name} {value}");
            assert!(
                !session.is_rewritten() && !session.wants_refresh(),
                "{name}"
            );
            let again = closed(&session, &cluster, Some(&table), &served(address, false));
            assert_eq!(again, (State::Kept, None), "{name} {value}");
        }
    }
}

#[test]
fn every_format_is_read_by_those_who_map_and_then_rewritten() {
    for (reader, cluster) in writers() {
        if matches!(reader, "balanced" | "default") {
            continue; // Every key is a ring key there, as in ingress-nginx.
        }
        let table = healthy(&cluster);
        for (writer, other) in writers() {
            // A keyed cookie means nothing without its key.
            let mapped = writer != "keyed" || reader == "keyed";
            let value = if writer == "index" {
                "1".to_owned()
            } else {
                value(&other, B)
            };
            let session = open(&cluster, Some(&table), &cookie(&value));
            if mapped && writer != "balanced" && writer != "default" {
                assert_eq!(session.override_host(), Some(B), "{reader} reads {writer}");
            }
            let Some(asked) = session.override_host() else {
                assert!(
                    (reader, writer) == ("sha1", "keyed"),
                    "{reader} reads {writer}"
                );
                continue;
            };
            let (state, cookie) = closed(&session, &cluster, Some(&table), &served(asked, false));
            assert_eq!(state, State::Kept, "{reader} reads {writer}");
            let same = reader == writer
                || ["persistent", "drainable"].contains(&reader)
                    && ["persistent", "drainable"].contains(&writer);
            assert_eq!(cookie.is_some(), !same, "{reader} reads {writer}");
            assert_eq!(session.is_rewritten(), !same);
        }
    }
}

#[test]
fn values_have_the_shape_of_their_format() {
    let backend = backend_key(NAME);
    for (name, shape) in [
        ("persistent", "6c"),
        ("sha1", "sha1"),
        ("md5", "md5"),
        ("index", "0"),
        ("keyed", "hmac"),
    ] {
        let (_, cluster) = writers()
            .into_iter()
            .find(|(found, _)| *found == name)
            .unwrap();
        let value = value(&cluster, A);
        let (key, of) = value.split_once('|').unwrap_or((&value, ""));
        match shape {
            "6c" => assert_eq!((key.len(), of), (32, backend.as_str())),
            "0" => assert_eq!((key, of), ("0", "")),
            "md5" => assert_eq!((key.len(), of), (32, "")),
            _ => assert_eq!((key.len(), of), (40, "")),
        }
        assert!(!value.contains("10.0.0"), "{value}: an address");
    }
}

#[test]
fn a_cookie_that_names_nobody_is_dead_if_it_is_ours() {
    let backend = backend_key(NAME);
    let digest = |length| "d".repeat(length);
    for (name, value, state, refresh) in [
        (
            "persistent",
            format!("{}|{backend}", digest(32)),
            State::Dead,
            true,
        ),
        ("persistent", digest(32), State::Dead, true),
        (
            "persistent",
            format!("{}|another", digest(32)),
            State::Foreign,
            false,
        ),
        ("sha1", digest(40), State::Dead, true),
        ("md5", digest(32), State::Dead, true),
        ("index", "2".to_owned(), State::Dead, true),
        ("keyed", digest(40), State::Dead, true),
    ] {
        let (_, cluster) = writers()
            .into_iter()
            .find(|(found, _)| *found == name)
            .unwrap();
        let table = healthy(&cluster);
        let session = open(&cluster, Some(&table), &cookie(&value));
        assert_eq!(session.override_host(), None, "{name} {value}");
        assert_eq!(session.wants_refresh(), refresh, "{name} {value}");
        let (found, cookie) = closed(&session, &cluster, Some(&table), &served(A, false));
        assert_eq!(found, state, "{name} {value}");
        assert!(cookie.is_some(), "{name} {value}");
    }
}

#[test]
fn without_endpoints_nothing_is_known_and_nothing_replaced() {
    for (name, cluster) in writers() {
        let session = open(&cluster, None, &cookie("x"));
        assert!(session.has_cookie() && session.wants_refresh(), "{name}");
        assert!(session.is_unjudged(), "{name}");
        let closed = closed(&session, &cluster, None, &served(A, false));
        assert_eq!(closed, (State::Foreign, None), "{name}");
        let session = open(&cluster, None, &cookie(""));
        assert!(!session.has_cookie() && !session.wants_refresh(), "{name}");
    }
}

#[test]
fn the_last_cookie_of_a_name_comes_first_and_then_the_others() {
    let persistent = simple(Some("persistent"), None);
    let table = healthy(&persistent);
    let (a, b) = (value(&persistent, A), value(&persistent, B));
    let dead = value(&persistent, GONE);
    for (values, named) in [
        (&[&a, &b][..], Some(B)),
        (&[&b, &a, &dead], Some(A)),
        (&[&dead, &dead], None),
    ] {
        let line = values
            .iter()
            .map(|value| format!("INGRESSCOOKIE={value}; "));
        let headers = [("cookie".to_owned(), line.collect::<String>().into_bytes())];
        let session = open(&persistent, Some(&table), &headers);
        assert_eq!(session.override_host(), named, "{values:?}");
    }
}

#[test]
fn a_minted_key_is_its_endpoints_wherever_on_its_arcs_it_falls() {
    let balanced = simple(None, None);
    let table = healthy(&balanced);
    for address in [A, B] {
        let position = table.position(address).unwrap();
        let arcs: Vec<_> = table.ring().arcs(address, position).collect();
        let ends = arcs.iter().scan(0, |end, arc| {
            *end += arc.length;
            Some(*end)
        });
        for end in ends.collect::<Vec<_>>() {
            for random in [end - 1, end, end + 1] {
                let facts = Facts {
                    now: &|| 1_732_345_678,
                    random: &|| random,
                    ..Facts::NONE
                };
                let affinity = balanced.affinity.as_ref().unwrap();
                let key = affinity.mint(address, Some(&table), &facts).unwrap();
                let session = open(&balanced, Some(&table), &cookie(&key));
                assert_eq!(session.override_host(), Some(address), "{random} {key}");
            }
        }
    }
}

#[test]
fn a_digest_is_of_the_cluster_whose_endpoint_it_names_if_it_is_the_last_and_its_own() {
    let md5 = simple(None, Some("md5"));
    let table = healthy(&md5);
    let (own, dead) = (value(&md5, A), value(&md5, GONE));
    let other = value(&simple(None, Some("sha1")), A);
    for (values, wanted) in [
        (&[&own][..], true),
        (&[&own, &dead], false),
        (&[&dead, &own], true),
        (&[&other], false),
        (&[&dead], false),
    ] {
        let line = values.iter();
        let line = line.map(|value| format!("INGRESSCOOKIE={value}; "));
        let headers = [("cookie".to_owned(), line.collect::<String>().into_bytes())];
        let session = open(&md5, Some(&table), &headers);
        assert_eq!(session.is_affinitized(), wanted, "{values:?}");
    }
}

#[test]
fn digits_beyond_the_last_position_are_a_key_of_the_ring() {
    let md5 = simple(None, Some("md5"));
    let session = open(&md5, Some(&healthy(&md5)), &cookie("99"));
    assert!(session.named().is_some() && session.is_rewritten());
    let index = simple(None, Some("index"));
    let session = open(&index, Some(&healthy(&index)), &cookie("99"));
    assert_eq!(session.named(), None);
}

#[test]
fn who_served_is_whom_was_asked_for_unless_it_was_somebody_else() {
    let md5 = simple(None, Some("md5"));
    let table = healthy(&md5);
    let session = open(&md5, Some(&table), &cookie(&value(&md5, A)));
    for (elsewhere, wanted) in [(false, State::Kept), (true, State::Moved)] {
        let served = Served {
            address: None,
            ..served("", elsewhere)
        };
        assert_eq!(closed(&session, &md5, Some(&table), &served).0, wanted);
    }
}

#[test]
fn a_session_moves_as_change_on_failure_says() {
    for (change, endpoint_of_a, by, state, sets) in [
        (true, Some(Health::Healthy), A, State::Kept, false),
        (false, Some(Health::Healthy), B, State::Moved, false),
        (true, Some(Health::Healthy), B, State::Moved, true),
        (false, Some(Health::Unhealthy), B, State::Moved, false),
        (true, Some(Health::Unhealthy), B, State::Moved, true),
        (false, Some(Health::Draining), A, State::Kept, false),
        (true, Some(Health::Draining), A, State::Kept, false),
        // Gone between request and response: the ring maps its key elsewhere by itself.
        (false, None, B, State::Moved, true),
        (true, None, B, State::Moved, true),
    ] {
        for (name, mode) in [("balanced", "balanced"), ("persistent", "persistent")] {
            let annotated = Annotated {
                change_on_failure: Some(change),
                ..annotations(Some(mode), None)
            };
            let cluster = cluster(&annotated, &AffinitySettings::default());
            let health = endpoint_of_a.unwrap_or(Health::Healthy);
            let before = table(&cluster, &[(A, health), (B, Health::Healthy)]);
            let session = open(&cluster, Some(&before), &[]);
            let (_, value) = closed(&session, &cluster, Some(&before), &served(A, false));
            let session = open(&cluster, Some(&before), &cookie(&value.unwrap()));
            let away = health == Health::Unhealthy && !change;
            let asked = if away { B } else { A };
            let row = format!("{name} {change} {endpoint_of_a:?} {by}");
            assert_eq!(session.override_host(), Some(asked), "{row}");
            let after = match endpoint_of_a {
                Some(_) => before,
                None => table(&cluster, &[(B, Health::Healthy)]),
            };
            let closed = closed(&session, &cluster, Some(&after), &served(by, by != asked));
            let sets = sets && (endpoint_of_a.is_some() || mode != "balanced");
            assert_eq!((closed.0, closed.1.is_some()), (state, sets), "{row}");
        }
    }
}

#[test]
fn substitutes_are_spread_and_stay() {
    let balanced = simple(None, None);
    let addresses: Vec<String> = (1..=20).map(|n| format!("10.0.0.{n}:80")).collect();
    let health = |ill: usize| {
        let health = move |n| {
            if n < ill {
                Health::Unhealthy
            } else {
                Health::Healthy
            }
        };
        let list = addresses.iter().enumerate();
        let list: Vec<_> = list
            .map(|(n, address)| (address.as_str(), health(n)))
            .collect();
        table(&balanced, &list)
    };
    let (one_ill, two_ill) = (health(1), health(2));
    let mut moved = 0;
    let mut used = std::collections::BTreeSet::new();
    for session in 0..1000 {
        let key = format!("session {session}");
        let before = one_ill.substitute(key.as_bytes()).unwrap();
        let after = two_ill.substitute(key.as_bytes()).unwrap();
        used.insert(before.address.clone());
        moved += usize::from(before.address != after.address);
        assert!(before == after || *before.address == addresses[1]);
    }
    assert_eq!(used.len(), 19);
    assert!((20..100).contains(&moved), "{moved} of 1000 moved");
    let nobody = table(&balanced, &[(A, Health::Unhealthy)]);
    assert!(nobody.substitute(b"k").is_none());
    let session = open(&balanced, Some(&nobody), &cookie("k"));
    assert_eq!(session.override_host(), Some(A), "the proxy decides");
}

#[test]
fn no_cookie_is_set_where_none_is_due() {
    let balanced = simple(None, None);
    let table = healthy(&balanced);
    let session = open(&balanced, Some(&table), &[]);
    let facts = Facts::NONE;
    let affinity = balanced.affinity.as_ref().unwrap();
    let nowhere = close(
        affinity,
        &session,
        &|| Some(&table),
        &place(false),
        &served(A, false),
        &facts,
    );
    assert_eq!(nowhere.set_cookie, None, "the location sets no cookies");
    let local = Served {
        local_reply: true,
        ..served(A, false)
    };
    let nobody = close(
        affinity,
        &session,
        &|| Some(&table),
        &place(true),
        &local,
        &facts,
    );
    assert_eq!(nobody.set_cookie, None, "nobody answered");
    let (_, unknown) = closed(&session, &balanced, Some(&table), &served(GONE, false));
    assert_eq!(
        unknown, None,
        "no ring key names an endpoint that is not on the ring"
    );
    let (state, _) = closed(&session, &balanced, None, &served(A, false));
    assert_eq!(state, State::New);
}

#[test]
fn shared_responses_get_no_cookie_where_asked_for() {
    let annotated = Annotated {
        skip_cacheable: Some(true),
        ..Annotated::default()
    };
    let careful = cluster(&annotated, &AffinitySettings::default());
    let careless = simple(None, None);
    assert!(careful.affinity.as_ref().unwrap().reads_response());
    for (cache_control, shared) in [
        (&["max-age=60, Public"][..], true),
        (&["s-maxage=1"], true),
        (&["no-cache", "S-MaxAge = 3"], true),
        (&["private, max-age=60"], false),
        (&["no-public"], false),
        (&[], false),
    ] {
        let header = |value: &&str| ("cache-control".to_owned(), value.as_bytes().to_vec());
        let response: Vec<_> = cache_control.iter().map(header).collect();
        let served = Served {
            response: &edit::fields(&response),
            ..served(A, false)
        };
        for (cluster, sets) in [(&careful, !shared), (&careless, true)] {
            let table = healthy(cluster);
            let session = open(cluster, Some(&table), &[]);
            let (_, set) = closed(&session, cluster, Some(&table), &served);
            assert_eq!(set.is_some(), sets, "{cache_control:?}");
        }
    }
}

#[test]
fn a_sliding_cookie_is_set_again_with_its_own_value() {
    for (mode, keys) in [
        (
            Some("balanced"),
            &["1732345679.5.77.8|x", "foo", "\"odd\""][..],
        ),
        (Some("persistent"), &[]),
    ] {
        let annotated = Annotated {
            refresh: Some(true),
            ..annotations(mode, None)
        };
        let cluster = cluster(&annotated, &AffinitySettings::default());
        assert!(cluster.affinity.as_ref().unwrap().refreshes());
        let table = healthy(&cluster);
        let own = value(&simple(mode, None), A);
        for sent in keys.iter().copied().chain([own.as_str()]) {
            let session = open(&cluster, Some(&table), &cookie(sent));
            let asked = session.override_host().unwrap().to_owned();
            let (state, set) = closed(&session, &cluster, Some(&table), &served(&asked, false));
            assert_eq!(state, State::Kept);
            let set = set.unwrap();
            let (key, _) = sent.split_once('|').unwrap_or((sent, ""));
            // A key that is not plain is not sent back: a new one names the same endpoint.
            assert_eq!(set.starts_with(key), sent != "\"odd\"", "{set}");
            let session = open(&cluster, Some(&table), &cookie(&set));
            assert_eq!(session.override_host(), Some(asked.as_str()), "{set}");
        }
    }
}

#[test]
fn secrets_rotate_and_may_stand_alone() {
    let old = cluster(&Annotated::default(), &keyed(&["old"]));
    let both = cluster(&Annotated::default(), &keyed(&["new", "old"]));
    let only = AffinitySettings {
        cookie_keys_only: true,
        ..keyed(&["new", "old"])
    };
    let only = cluster(&Annotated::default(), &only);
    let sha1 = simple(None, Some("sha1"));
    for (cluster, writer, named, rewritten) in [
        (&both, &both, Some(A), false),
        (&both, &old, Some(A), true),
        (&both, &sha1, Some(A), true),
        (&only, &both, Some(A), false),
        (&only, &old, Some(A), true),
        (&only, &sha1, None, false),
    ] {
        let table = healthy(cluster);
        let value = value(writer, A);
        let session = open(cluster, Some(&table), &cookie(&value));
        assert_eq!(session.override_host(), named, "{value}");
        assert_eq!(session.is_rewritten(), rewritten, "{value}");
    }
    let table = healthy(&only);
    let session = open(&only, Some(&table), &cookie("a.ring.key"));
    assert_eq!(session.override_host(), None);
    let (state, set) = closed(&session, &only, Some(&table), &served(B, false));
    assert_eq!((state, set.is_some()), (State::Foreign, true));
}

#[test]
fn any_text_is_replaced_where_digests_are_written_whoever_serves() {
    let persistent = simple(Some("persistent"), None);
    let sha1 = simple(None, Some("sha1"));
    let of = |cluster: &Cluster, sent: &str, address: &str| {
        let table = healthy(cluster);
        let session = open(cluster, Some(&table), &cookie(sent));
        let elsewhere = session.override_host() != Some(address);
        closed(&session, cluster, Some(&table), &served(address, elsewhere)).1
    };
    for address in [A, B] {
        for sent in [
            "1732345678.123.4567.890123|x",
            "foo",
            "10.0.0.1:80",
            "0",
            "EF27",
        ] {
            for cluster in [&persistent, &sha1] {
                let set = of(cluster, sent, address).unwrap();
                assert!(set.starts_with(&value(cluster, address)), "{sent}: {set}");
            }
        }
    }
    // A digest of another format waits for its endpoint, as one of our own does.
    let (of_a, own_a) = (value(&sha1, A), value(&persistent, A));
    assert!(of(&persistent, &of_a, A).is_some());
    assert_eq!(of(&persistent, &of_a, B), None);
    assert_eq!(of(&persistent, &own_a, B), None);
}

#[test]
fn without_a_key_that_was_asked_for_no_cookie_is_written_and_old_ones_are_read() {
    let sha1 = simple(None, Some("sha1"));
    let key = cluster(&Annotated::default(), &keyed(&["key"]));
    for (only, sent, named) in [
        (false, None, None),
        (false, Some(value(&sha1, A)), Some(A)),
        (true, None, None),
        (true, Some(value(&sha1, A)), None),
        (true, Some(value(&key, A)), None),
    ] {
        let settings = AffinitySettings {
            cookie_keys_only: only,
            ..keyed(&[])
        };
        for mode in [None, Some("persistent")] {
            let annotated = Annotated {
                refresh: Some(true),
                ..annotations(mode, Some("sha1"))
            };
            let cluster = cluster(&annotated, &settings);
            let table = healthy(&cluster);
            let headers = sent.as_deref().map_or_else(Vec::new, cookie);
            let session = open(&cluster, Some(&table), &headers);
            assert_eq!(session.override_host(), named, "{sent:?}");
            // Nothing that a newer table could know.
            assert!(!session.wants_refresh(), "{sent:?}");
            for address in [A, B] {
                let served = served(address, named.is_some() && address != A);
                let (_, set) = closed(&session, &cluster, Some(&table), &served);
                assert_eq!(set, None, "{sent:?}, served by {address}");
            }
        }
    }
}

#[test]
fn a_table_of_another_cluster_still_finds_digests() {
    let persistent = simple(Some("persistent"), None);
    for (name, other) in writers() {
        let table = healthy(&other);
        let session = open(&persistent, Some(&table), &cookie(&value(&persistent, B)));
        assert_eq!(session.override_host(), Some(B), "{name}");
    }
}

#[test]
fn what_is_superseded_is_said() {
    let key = AffinitySettings {
        cookie_format: Some(CookieFormat::Key),
        ..AffinitySettings::default()
    };
    let both = AffinitySettings {
        cookie_format: Some(CookieFormat::Key),
        ..keyed(&["s"])
    };
    let none = AffinitySettings::default();
    for (mode, hash, settings, writer, fields) in [
        (None, None, &none, Writer::Ring, &[][..]),
        (Some("balanced"), None, &none, Writer::Ring, &[]),
        (
            Some("balanced"),
            Some("sha1"),
            &none,
            Writer::Ring,
            &["session-cookie-hash"],
        ),
        (
            Some("persistent"),
            Some("md5"),
            &none,
            Writer::Persistent,
            &["session-cookie-hash"],
        ),
        (
            Some("persistent-drainable"),
            None,
            &none,
            Writer::Persistent,
            &[],
        ),
        (Some("odd"), None, &none, Writer::Ring, &["affinity-mode"]),
        (None, Some("sha1"), &none, Writer::Sha1, &[]),
        (None, Some("md5"), &none, Writer::Md5, &[]),
        (
            None,
            Some("index"),
            &none,
            Writer::Index,
            &["session-cookie-hash"],
        ),
        (
            None,
            Some("sha256"),
            &none,
            Writer::Ring,
            &["session-cookie-hash"],
        ),
        (
            None,
            Some("sha1"),
            &key,
            Writer::Ring,
            &["session-cookie-hash"],
        ),
        (Some("balanced"), None, &key, Writer::Ring, &[]),
        (
            Some("persistent"),
            None,
            &key,
            Writer::Ring,
            &["affinity-mode"],
        ),
        (None, None, &both, Writer::Ring, &[]),
        (
            Some("persistent"),
            None,
            &keyed(&["s"]),
            Writer::Keyed,
            &["affinity-mode"],
        ),
        (
            Some("persistent"),
            None,
            &keyed(&[]),
            Writer::Nothing,
            &["affinity-mode"],
        ),
    ] {
        let (affinity, remarks) = Affinity::new(
            NAME,
            &annotations(mode, hash),
            &Annotated::default(),
            settings,
        );
        let found: Vec<_> = remarks.iter().map(|remark| remark.field.name()).collect();
        assert_eq!(
            (affinity.writer, found),
            (writer, fields.to_vec()),
            "{mode:?} {hash:?}"
        );
    }
}

#[test]
fn lenient_attributes_are_kept_with_a_remark() {
    let annotated = Annotated {
        path: Some("/; Secure; SameSite=Lax; Shiny".to_owned()),
        domain: Some("example.com;Partitioned".to_owned()),
        expires: Some("abc5".to_owned()),
        max_age: Some("0abc".to_owned()),
        same_site: Some("none".to_owned()),
        secure: Some(false),
        ..Annotated::default()
    };
    let (affinity, remarks) = Affinity::new(
        NAME,
        &Annotated::default(),
        &annotated,
        &AffinitySettings::default(),
    );
    let line = affinity.cookie.set_cookie("v", &place(true), &|| 0);
    assert_eq!(
        String::from_utf8(line).unwrap(),
        "INGRESSCOOKIE=v; Domain=example.com; Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned"
    );
    let found: Vec<_> = remarks.iter().map(|remark| remark.field.name()).collect();
    assert_eq!(
        found,
        [
            "session-cookie-expires",
            "session-cookie-max-age",
            "session-cookie-samesite",
            "session-cookie-path",
            "session-cookie-path",
            "session-cookie-path",
            "session-cookie-domain",
        ]
    );
    for remark in &remarks {
        assert!(remark.value.is_some(), "{remark:?}");
    }
}

#[test]
fn attributes_in_the_path_of_a_cookie_count_where_nothing_else_says_them() {
    for (own, max_age, wanted) in [
        ("d.example", Some("5"), "Max-Age=5; Domain=d.example"),
        ("", None, "Max-Age=9; Domain=in.path"),
    ] {
        let annotated = Annotated {
            path: Some("/; HttpOnly; Domain=in.path; Max-Age=9".to_owned()),
            domain: Some(own.to_owned()).filter(|own| !own.is_empty()),
            max_age: max_age.map(str::to_owned),
            ..Annotated::default()
        };
        let first = Annotated::default();
        let (affinity, _) = Affinity::new(NAME, &first, &annotated, &keyed(&["k"]));
        let line = affinity.cookie.set_cookie("v", &place(true), &|| 0);
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line, format!("INGRESSCOOKIE=v; {wanted}; Path=/; HttpOnly"));
    }
}

#[test]
fn ingresses_on_one_service_are_told_who_wins() {
    let one = Annotated {
        mode: Some("persistent".to_owned()),
        name: Some("one".to_owned()),
        ..Annotated::default()
    };
    let other = Annotated {
        mode: Some("balanced".to_owned()),
        name: Some("other".to_owned()),
        ..Annotated::default()
    };
    let plain = Annotated::default();
    let sha1 = Annotated {
        hash: Some("sha1".to_owned()),
        refresh: Some(true),
        ..Annotated::default()
    };
    let md5 = Annotated {
        hash: Some("md5".to_owned()),
        ..Annotated::default()
    };
    for (ingresses, said) in [
        (&[("d/a", None), ("d/b", None)][..], vec![]),
        (&[("d/a", Some(&one))], vec![]),
        (&[("d/a", Some(&one)), ("d/b", Some(&one))], vec![]),
        (
            &[("d/a", Some(&one)), ("d/b", None)],
            vec![("d/b", "affinity")],
        ),
        (
            &[("d/a", Some(&one)), ("d/b", Some(&other))],
            vec![("d/a", "session-cookie-name"), ("d/b", "affinity-mode")],
        ),
        (
            &[
                ("d/a", Some(&sha1)),
                ("d/b", Some(&plain)),
                ("d/c", Some(&md5)),
            ],
            vec![
                ("d/a", "limpet.dev/session-cookie-refresh"),
                ("d/c", "session-cookie-hash"),
            ],
        ),
    ] {
        let remarks = conflicts("d/web:80", ingresses);
        let found: Vec<_> = remarks
            .iter()
            .map(|remark| (remark.ingress.as_deref().unwrap(), remark.field.name()))
            .collect();
        assert_eq!(found, said, "{remarks:?}");
    }
}
