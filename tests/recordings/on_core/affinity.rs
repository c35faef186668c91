//! `affinity.json`: keys, rings, cookies, canaries.

use limpet::affinity::{self, Affinity, AffinitySettings, Served};
use limpet::annotations::{AffinityAnnotations, CanaryAnnotations};
use limpet::balancer;
use limpet::canary::CanaryPolicy;
use limpet::cluster::{Cluster, ClusterId};
use limpet::edit::fields;
use limpet::endpoints::{ClusterTable, Endpoint, EndpointTable, Health};
use limpet::facts::Facts;
use limpet::session_cookie::{CookiePlace, SameSite, SessionCookie, number, read};
use limpet_tests::http;
use limpet_tests::recordings::{self, Tally, list, read};
use limpet_tests::target::FACTS;
use serde_json::Value;
use std::cell::Cell;
use std::sync::LazyLock;

pub(super) static RECORDED: LazyLock<Value> = LazyLock::new(|| read("affinity.json"));

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A recorded string as bytes.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    recordings::text(value).map(|text| http::bytes(&text))
}

/// A cluster with affinity in a mode; `None`: without affinity.
fn cluster(name: &str, annotations: Option<&AffinityAnnotations>) -> Cluster {
    let affinity = annotations.map(|annotations| {
        Affinity::new(name, annotations, annotations, &AffinitySettings::default()).0
    });
    Cluster {
        upstream_name: name.to_owned(),
        service: name.to_owned(),
        envoy_name: name.to_owned(),
        affinity,
        alternatives: Vec::new(),
        has_fallback: false,
        has_pages: false,
        canary: None,
        hash_by: None,
    }
}

fn affinity_of(cluster: &Cluster) -> &Affinity {
    cluster.affinity.as_ref().unwrap()
}

fn mode(mode: &str) -> AffinityAnnotations {
    AffinityAnnotations {
        mode: Some(mode.to_owned()),
        ..AffinityAnnotations::default()
    }
}

/// The endpoints of a vector, `ip:port` with IPv6 in brackets.
fn addresses(vector: &Value) -> Vec<String> {
    let address = |endpoint: &Value| {
        let (ip, port) = (text(&endpoint["address"]), text(&endpoint["port"]));
        if ip.contains(':') {
            format!("[{ip}]:{port}")
        } else {
            format!("{ip}:{port}")
        }
    };
    list(&vector["endpoints"]).iter().map(address).collect()
}

fn table<A: AsRef<str>>(cluster: &Cluster, addresses: &[A]) -> ClusterTable {
    let endpoint = |address: &A| Endpoint {
        address: address.as_ref().into(),
        health: Health::Healthy,
    };
    ClusterTable::build(cluster.index(), addresses.iter().map(endpoint).collect())
}

/// Whom the cookie value names.
fn named(cluster: &Cluster, table: &ClusterTable, value: &[u8]) -> Option<String> {
    let name = affinity_of(cluster).cookie_name();
    let cookie = [name.as_bytes(), b"=", value].concat();
    let session = affinity::open(
        affinity_of(cluster),
        Some(table),
        &fields(&[("cookie", cookie)]),
    );
    session.override_host().map(str::to_owned)
}

const PLACE: CookiePlace = CookiePlace {
    location_path: "/",
    sets_cookie: true,
    https: false,
    user_agent: None,
};

#[test]
fn a0_keys_have_the_shape_of_ingress_nginx() {
    let shape = |key: &str| {
        let parts: Vec<&str> = key.split('.').collect();
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let millis = parts.len() == 3 || parts.len() == 4 && parts[1].len() <= 3;
        assert!(parts.last().unwrap().len() <= 6, "{key}");
        (millis && parts.iter().all(digits), parts[0].to_owned())
    };
    let cluster = cluster("default-http-service-8080", Some(&mode("balanced")));
    let table = table(&cluster, &["10.0.0.1:80", "10.0.0.2:80"]);
    let mut tally = Tally::of("A0_balanced_key_format");
    for sample in list(&RECORDED["A0_balanced_key_format"]["samples"]) {
        let now = sample["ngx_now"].as_f64().unwrap() as u64;
        let served = Served {
            address: Some("10.0.0.1:80"),
            elsewhere: false,
            local_reply: false,
            response: &[],
        };
        let session = affinity::open(affinity_of(&cluster), Some(&table), &[]);
        let facts = Facts {
            now: &|| now,
            ..FACTS
        };
        let closed = affinity::close(
            affinity_of(&cluster),
            &session,
            &|| Some(&table),
            &PLACE,
            &served,
            &facts,
        );
        let cookie = String::from_utf8(closed.set_cookie.unwrap()).unwrap();
        let (_, key) = cookie.split_once('=').unwrap();
        let (key, _) = key.split_once('|').unwrap();
        tally.case(
            &sample["ngx_now"].to_string(),
            shape(key),
            shape(text(&sample["key"])),
        );
    }
    tally.finish(8);
}

#[test]
fn a1_the_ring_maps_keys_as_recorded() {
    let mut tally = Tally::of("A1_chash");
    for vector in list(&RECORDED["A1_chash"]) {
        let cluster = cluster(text(&vector["backend_name"]), Some(&mode("balanced")));
        let table = table(&cluster, &addresses(vector));
        for case in list(&vector["keys"]) {
            let repeated = case.get("key_repeat").map(|repeat| {
                let count = usize::try_from(repeat["count"].as_u64().unwrap()).unwrap();
                text(&repeat["char"]).repeat(count).into_bytes()
            });
            let hex = case
                .get("key_hex")
                .map(|hex| bytes(&serde_json::json!({ "hex": hex })).unwrap());
            let key = repeated
                .or(hex)
                .unwrap_or_else(|| bytes(&case["key"]).unwrap());
            let owner = table.ring().find(&key).and_then(|owner| table.at(owner));
            let name = format!("{} {}", text(&vector["set"]), String::from_utf8_lossy(&key));
            let ours = owner.map(|endpoint| &*endpoint.address);
            tally.case(&name, ours, case["endpoint"].as_str());
        }
    }
    tally.finish(180);
}

#[test]
fn a1_the_ring_moves_few_keys_when_it_changes() {
    let vector = &RECORDED["A1_rebalance"];
    let cluster = cluster("default-five-8080", Some(&mode("balanced")));
    let mut tally = Tally::of("A1_rebalance");
    for size in ["four", "five", "six"] {
        let nodes: Vec<&str> = list(&vector[size]).iter().map(text).collect();
        let table = table(&cluster, &nodes);
        for case in list(&vector["keys"]) {
            let key = text(&case["key"]);
            let ours = named(&cluster, &table, key.as_bytes());
            tally.case(
                &format!("{size} {key}"),
                ours.as_deref(),
                case[size].as_str(),
            );
        }
    }
    tally.finish(60);
}

#[test]
fn a2_persistent_keys_name_their_endpoints() {
    let mut tally = Tally::of("A2_persistent");
    for vector in list(&RECORDED["A2_persistent"]) {
        let name = text(&vector["backend_name"]);
        let cluster = cluster(name, Some(&mode("persistent")));
        let table = table(&cluster, &addresses(vector));
        let digest = &cluster.affinity.as_ref().unwrap().digests()[0];
        for case in list(&vector["keys"]) {
            let address = text(&case["endpoint"]);
            let ours = digest.of(address);
            tally.case(
                &format!("{name} {address}"),
                ours.as_str(),
                text(&case["key"]),
            );
        }
        for case in list(&vector["lookups"]) {
            let key = text(&case["key"]);
            // The writer's own digest alone: limpet reads other formats too.
            let found = table.find_digest(std::slice::from_ref(digest), key.as_bytes());
            let ours = found.and_then(|(_, at)| Some(&*table.at(at)?.address));
            tally.case(&format!("{name} {key:?}"), ours, case["endpoint"].as_str());
        }
    }
    tally.finish(28);
}

#[test]
fn a3_backend_keys_are_those_recorded() {
    let mut tally = Tally::of("A3_backend_key");
    for vector in list(&RECORDED["A3_backend_key"]) {
        let name = text(&vector["backend_name"]);
        let cluster = cluster(name, Some(&mode("balanced")));
        let ours = cluster.affinity.as_ref().unwrap().backend_key();
        tally.case(name, ours, text(&vector["backend_key"]));
    }
    tally.finish(3);
}

#[test]
fn a4_set_cookie_is_equal_byte_by_byte() {
    let mut tally = Tally::of("A4_set_cookie");
    for vector in list(&RECORDED["A4_set_cookie"]) {
        let config = &vector["config"];
        let string = |name: &str| config[name].as_str().map(str::to_owned);
        let number = |name: &str| config[name].as_str().and_then(number::parse);
        let cookie = SessionCookie {
            name: string("name").unwrap(),
            path: string("path"),
            domain: string("domain").filter(|domain| !domain.is_empty()),
            expires: number("expires"),
            max_age: number("maxage"),
            same_site: config["samesite"].as_str().and_then(SameSite::parse),
            conditional_same_site_none: config["conditional_samesite_none"] == true,
            secure: config["secure"].as_bool(),
            partitioned: false,
        };
        let place = CookiePlace {
            location_path: text(&vector["location_path"]),
            https: vector["scheme"] == "https",
            user_agent: vector["user_agent"].as_str().map(str::as_bytes),
            ..PLACE
        };
        let backend = cluster(text(&vector["backend_name"]), Some(&mode("balanced")));
        let backend_key = backend.affinity.as_ref().unwrap().backend_key().to_owned();
        let value = format!("{}|{backend_key}", text(&vector["upstream_key"]));
        let ours = cookie.set_cookie(&value, &place, &|| vector["time"].as_u64().unwrap());
        let ours = String::from_utf8(ours).unwrap();
        let recorded = vector["set_cookie"].as_str().unwrap_or("500");
        tally.case(text(&vector["desc"]), ours.as_str(), recorded);
    }
    tally.finish(41);
}

#[test]
fn a5_cookies_are_parsed_as_recorded() {
    let mut tally = Tally::of("A5_cookie_parse");
    for vector in list(&RECORDED["A5_cookie_parse"]) {
        let header = |value| ("cookie".to_owned(), bytes(value).unwrap());
        let headers: Vec<_> = list(&vector["cookie_headers"]).iter().map(header).collect();
        let headers = fields(&headers);
        let joined = read::joined(&headers);
        let keys = read::session_keys(&joined, text(&vector["cookie_name"]));
        let first = keys.first();
        let annotations = AffinityAnnotations {
            name: vector["cookie_name"].as_str().map(str::to_owned),
            ..AffinityAnnotations::default()
        };
        let cluster = cluster(text(&vector["backend_name"]), Some(&annotations));
        let ours = (
            first.map(|found| found.key.to_vec()),
            first.and_then(|found| found.backend_key.map(<[u8]>::to_vec)),
            affinity::open(affinity_of(&cluster), None, &headers).is_affinitized(),
        );
        let recorded = (
            bytes(&vector["upstream_key"]),
            bytes(&vector["backend_key"]),
            vector["is_affinitized"].as_bool().unwrap(),
        );
        tally.case(text(&vector["desc"]), ours, recorded);
    }
    tally.finish(24);
}

#[test]
fn a6_sessions_are_balanced_as_recorded() {
    let mut tally = Tally::of("A6_balance");
    for vector in list(&RECORDED["A6_balance"]) {
        let annotations = AffinityAnnotations {
            change_on_failure: vector["change_on_failure"].as_bool(),
            ..mode(text(&vector["mode"]))
        };
        let cluster = cluster(text(&vector["backend_name"]), Some(&annotations));
        let table = table(&cluster, &addresses(vector));
        let cookie = vector["cookie_header"].as_str();
        let headers: Vec<_> = cookie
            .map(|cookie| ("cookie".to_owned(), cookie.as_bytes().to_vec()))
            .into_iter()
            .collect();
        let session = affinity::open(affinity_of(&cluster), Some(&table), &fields(&headers));
        let asked = session.override_host();
        let observed = list(&vector["upstream_observed"]);
        let moved = !vector["last_failure"].is_null() && vector["change_on_failure"] == true;
        // Who is asked for, unless a failure has already moved the session.
        let right = asked.is_none_or(|asked| observed.iter().any(|one| *one == asked)) || moved;
        let served = Served {
            address: observed[0].as_str(),
            elsewhere: asked.is_some_and(|asked| observed[0] != asked),
            local_reply: observed[0].is_null(),
            response: &[],
        };
        let served = Served {
            address: if moved || asked.is_none() {
                served.address
            } else {
                asked
            },
            elsewhere: served.elsewhere && moved,
            ..served
        };
        let closed = affinity::close(
            affinity_of(&cluster),
            &session,
            &|| Some(&table),
            &PLACE,
            &served,
            &FACTS,
        );
        // A new cookie names the endpoint that answered.
        let fits = closed.set_cookie.as_ref().is_none_or(|cookie| {
            let cookie = str::from_utf8(cookie).unwrap();
            let (_, value) = cookie.split_once('=').unwrap();
            let (value, _) = value.split_once(';').unwrap();
            named(&cluster, &table, value.as_bytes()).as_deref() == served.address
        });
        let name = format!(
            "{} {} {} {} {}",
            text(&vector["mode"]),
            text(&vector["desc"]),
            vector["last_failure"],
            vector["change_on_failure"],
            vector["upstream_addr_tried"],
        );
        let ours = (right, fits, closed.set_cookie.is_some());
        tally.case(&name, ours, (true, true, vector["sets_cookie"] == true));
    }
    tally.finish(22);
}

#[test]
fn a7_canaries_take_what_is_recorded() {
    let mut tally = Tally::of("A7_canary");
    for vector in list(&RECORDED["A7_canary"]) {
        let policy = &vector["policy"];
        let string = |name: &str| text(&policy[name]).to_owned();
        let (canary_policy, _) = CanaryPolicy::new(CanaryAnnotations {
            weight: policy["weight"].as_i64().unwrap(),
            weight_total: policy["weightTotal"].as_i64().unwrap(),
            header: string("header"),
            header_value: string("headerValue"),
            header_pattern: string("headerPattern"),
            cookie: string("cookie"),
        });
        let behavior = text(&vector["affinity_canary_behavior"]);
        let annotations = mode("balanced");
        let mut primary = cluster(
            text(&vector["primary"]),
            (behavior != "none").then_some(&annotations),
        );
        primary.alternatives.push(ClusterId(1));
        let mut alternative = cluster(
            text(&vector["canary"]),
            (behavior == "sticky").then_some(&annotations),
        );
        alternative.canary = Some(canary_policy);
        let mut endpoints = EndpointTable::default();
        let present: &[&str] = if vector["canary_backend_present"] == true {
            &["10.0.0.9:80"]
        } else {
            &[]
        };
        endpoints.insert(alternative.envoy_name.clone(), table(&alternative, present));
        let header = |header: &Value| {
            (
                text(&header[0]).to_ascii_lowercase(),
                text(&header[1]).as_bytes().to_vec(),
            )
        };
        let headers: Vec<_> = list(&vector["request_headers"])
            .iter()
            .map(header)
            .collect();
        let draw = vector["random_draw"].as_u64().unwrap();
        let calls = Cell::new(0);
        let random = || {
            calls.set(calls.get() + 1);
            draw - 1
        };
        let facts = Facts {
            random: &random,
            ..FACTS
        };
        let clusters = [primary, alternative];
        let headers = fields(&headers);
        let chosen = balancer::choose(&clusters, &endpoints, ClusterId(0), &headers, &facts);
        let ours = (chosen.unwrap().id == ClusterId(1), calls.get());
        let drawn = vector["random_called_with"].as_array().map_or(0, Vec::len);
        let recorded = (vector["routes_to_canary"] == true, drawn);
        let name = format!("{behavior}: {}", text(&vector["desc"]));
        tally.case(&name, ours, recorded);
    }
    tally.finish(74);
}
