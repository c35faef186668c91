//! What a request costs the module where the configuration is large, beside a small one: its instructions, the
//! same on every machine.

use super::worker::{Request, Worker, counting, ingress};
use serde_json::Value;

/// So many times what a request takes in a small configuration it may take in a large one: of hosts, endpoints,
/// patterns.
const MOST: [f64; 3] = [1.1, 1.2, 1.3];

/// Instructions that 8 KiB of cookies may cost, whatever they are: natively 50,000 to 60,000 took a microsecond
/// (2026-11-29, x86-64), and 10 are what they may take.
const COOKIES: u64 = 600_000;

/// The same request, in a small and in a large configuration.
fn compare(name: &str, [small, large]: [u64; 2], most: f64) -> Result<(), String> {
    let ratio = large as f64 / small as f64;
    let line = format!("{name}: {small} and {large} instructions, {ratio:.2} times");
    println!("{line}");
    if ratio <= most { Ok(()) } else { Err(line) }
}

fn all_hold(results: impl IntoIterator<Item = Result<(), String>>) {
    let wrong: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every second one has patterns.
fn host(number: usize) -> Value {
    let is_regex = !number.is_multiple_of(2);
    let rest = if is_regex { "(/|$)(.*)" } else { "" };
    let paths: Vec<_> = (0..5).map(|app| format!("/app{app}{rest}")).collect();
    ingress(&name(number), &paths, is_regex, false)
}

fn name(number: usize) -> String {
    format!("shop-{number:05}.example.com")
}

#[test]
fn ten_thousand_hosts_cost_a_request_what_one_does() {
    let [small, large] = [2, 10_000].map(|hosts| {
        let ingresses: Vec<_> = (0..hosts).map(host).collect();
        let worker = Worker::start(counting(), &ingresses, 5);
        // The last of both kinds.
        let work = [hosts - 2, hosts - 1].map(|number| {
            let cookie = worker.begin(&name(number), "/app4/x");
            [Some(cookie.as_str()), None].map(|cookie| {
                let request = Request::get(&name(number), "/app4/x?q=1", cookie);
                worker.work(&request)
            })
        });
        println!("{hosts} hosts: {} KiB of memory", worker.memory() >> 10);
        work
    });
    let names = [
        ["paths, session kept", "paths, new session"],
        ["patterns, session kept", "patterns, new session"],
    ];
    let all = names.as_flattened().iter();
    let all = all.zip(small.as_flattened()).zip(large.as_flattened());
    all_hold(all.map(|((name, small), large)| compare(name, [*small, *large], MOST[0])));
}

#[test]
fn five_thousand_endpoints_cost_a_request_what_five_do() {
    let path = "/app".to_owned();
    let kinds = [("by a digest", false), ("by the ring", true)];
    let results = kinds.map(|(kind, is_ring)| {
        let ingress = ingress(&name(0), std::slice::from_ref(&path), false, is_ring);
        let of = |pods| {
            let worker = Worker::start(counting(), std::slice::from_ref(&ingress), pods);
            let cookie = worker.begin(&name(0), "/app/x");
            [Some(cookie.as_str()), None].map(|cookie| {
                let request = Request::get(&name(0), "/app/x?q=1", cookie);
                // Each time another pod answers, and each has another key.
                (0..20).map(|_| worker.work(&request)).sum::<u64>() / 20
            })
        };
        let ([kept, new], [of_many, new_of_many]) = (of(5), of(5_000));
        [
            compare(&format!("{kind}, session kept"), [kept, of_many], MOST[1]),
            compare(&format!("{kind}, new session"), [new, new_of_many], MOST[1]),
        ]
    });
    all_hold(results.into_iter().flatten());
}

#[test]
fn the_last_of_a_thousand_patterns_costs_a_request_what_the_only_one_does() {
    let kinds = [
        ("text and a number", "/app{}(/|$)(.*)", "/app{}/x"),
        (
            "a long text before",
            "/api/v1/tenants/{}/items(/|$)(.*)",
            "/api/v1/tenants/{}/items/x",
        ),
        ("nested in another", "/{}(/|$)(.*)", "/{}/x"),
    ];
    let results = kinds.map(|(name_of, pattern, path)| {
        let of = |count: usize| {
            let path_of = |number: usize| pattern.replace("{}", &format!("{number:04}"));
            let mut paths: Vec<_> = (0..count).map(path_of).collect();
            paths.push("/()(.*)".to_owned());
            let worker = Worker::start(counting(), &[ingress(&name(0), &paths, true, false)], 5);
            // nginx tries them in descending order.
            worker.work(&Request::get(&name(0), &path.replace("{}", "0000"), None))
        };
        compare(name_of, [of(1), of(1_000)], MOST[2])
    });
    all_hold(results);
}

#[test]
fn eight_kib_of_cookies_are_read_once() {
    let ingress = ingress(&name(0), &["/app".to_owned()], false, false);
    let worker = Worker::start(counting(), &[ingress], 5);
    let session = worker.begin(&name(0), "/app/x");
    let work = |cookie: &str| worker.work(&Request::get(&name(0), "/app/x", Some(cookie)));
    let few = work(&session);
    let mut wrong = Vec::new();
    for (kind, one) in [
        ("long values", format!("theme={}; ", "v".repeat(1_000))),
        ("values of 40 bytes", format!("theme={}; ", "v".repeat(40))),
        ("values of a byte", "a=b; ".to_owned()),
        ("others of its name", "route=x; ".to_owned()),
        ("semicolons", ";".to_owned()),
        ("spaces", " ".to_owned()),
    ] {
        // A line of more than 8 KiB is refused.
        let filler = one.repeat(8_000 / one.len());
        for (place, cookies) in [
            ("last", format!("{filler}; {session}")),
            ("first", format!("{session}; {filler}")),
        ] {
            let more = work(&cookies).saturating_sub(few);
            println!("8 KiB of {kind}, the session {place}: {more} instructions more than {few}");
            if more > COOKIES {
                wrong.push(format!("{kind}, {place}: {more}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
