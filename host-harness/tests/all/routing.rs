//! Routes, clusters, overrides, retries and local replies.

use crate::support::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use host_harness::{
    Append, Attempted, Body, Cluster, ClusterSpecifier, Connection, HeaderEdit, Headers,
    RetryPolicy, Route, Template,
};

fn asks_for(port: u16) -> String {
    STANDARD.encode(address(port).to_string())
}

/// Cluster by header `x-to`, endpoint by header `x-pick`, three endpoints.
fn fixture() -> Fixture {
    let mut fixture = Fixture::plain();
    let specifier = ClusterSpecifier::Header {
        name: "x-to".to_owned(),
        fallback: None,
    };
    fixture.config.routes = vec![Route::to(specifier)];
    fixture.config.session_header = Some("x-pick".to_owned());
    let endpoints = [1, 2, 3].map(|port| host_harness::Endpoint::healthy(address(port)));
    let clusters = &fixture.environment.clusters;
    clusters.set("a", Cluster::new(endpoints.to_vec()));
    clusters.set("empty", Cluster::default());
    fixture
}

#[test]
fn a_cluster_header_without_a_cluster_answers_503() {
    let engine = fixture().start();
    for (fields, flags, details, body) in [
        (vec![], 0x0100_0000, "cluster_not_found", ""),
        (vec![("x-to", "")], 0x0100_0000, "cluster_not_found", ""),
        (vec![("x-to", "b")], 0x0100_0000, "cluster_not_found", ""),
        (
            vec![("x-to", "empty")],
            0x2,
            "no_healthy_upstream",
            "no healthy upstream",
        ),
    ] {
        let (exchange, step) = send(&engine, "/", &fields);
        let answer = answer(step);
        let summary = exchange.summary();
        assert_eq!(answer.head.status(), Some(503), "{fields:?}");
        assert_eq!(
            answer.body,
            Body::Local(body.as_bytes().to_vec()),
            "{fields:?}"
        );
        assert_eq!(
            (summary.flags, summary.details.as_deref()),
            (flags, Some(details))
        );
    }
}

#[test]
fn the_session_header_names_the_endpoint_and_tells_when_another_served() {
    let engine = fixture().start();
    for port in [1, 2, 3, 2] {
        let (mut exchange, step) =
            send(&engine, "/", &[("x-to", "a"), ("x-pick", &asks_for(port))]);
        assert_eq!(attempt(step).endpoint, address(port));
        assert!(!answer(exchange.respond(ok())).head.contains("x-pick"));
    }
    for asked in [asks_for(9), address(1).to_string(), String::new()] {
        let (mut exchange, step) = send(&engine, "/", &[("x-to", "a"), ("x-pick", &asked)]);
        let served = asks_for(attempt(step).endpoint.port());
        assert_eq!(
            values(&answer(exchange.respond(ok())).head, "x-pick"),
            [served]
        );
    }
}

#[test]
fn a_refused_endpoint_is_left_for_another_and_the_response_tells() {
    let mut fixture = fixture();
    fixture.config.routes[0].retry = RetryPolicy {
        retries: 2,
        on_connect_failure: true,
        on_statuses: vec![503],
        previous_hosts: true,
        ..RetryPolicy::default()
    };
    let engine = fixture.start();
    let (mut exchange, step) = send(&engine, "/", &[("x-to", "a"), ("x-pick", &asks_for(1))]);
    assert_eq!(attempt(step).endpoint, address(1));
    let refused = || Attempted::ConnectFailed("Connection refused".to_owned());
    let second = attempt(exchange.respond(refused()));
    assert_ne!(second.endpoint, address(1));
    assert_eq!(second.number, 2);
    let answer_head = answer(exchange.respond(ok())).head;
    assert_eq!(
        values(&answer_head, "x-pick"),
        [asks_for(second.endpoint.port())]
    );
    assert_eq!(exchange.summary().transport_failure, None);

    let (mut exchange, step) = send(&engine, "/", &[("x-to", "a")]);
    attempt(step);
    attempt(exchange.respond(refused()));
    attempt(exchange.respond(Attempted::Response(Headers::with_status(503))));
    let last = answer(exchange.respond(Attempted::Response(Headers::with_status(503))));
    assert_eq!(last.body, Body::Upstream);
    let summary = exchange.summary();
    assert_eq!((summary.attempts, summary.flags), (3, 0x8000));
    assert_eq!(summary.details.as_deref(), Some("via_upstream"));
}

#[test]
fn failures_without_a_retry_are_told_in_envoys_words() {
    let engine = fixture().start();
    for (attempted, status, flags, details) in [
        (
            Attempted::ConnectFailed("Connection refused".to_owned()),
            503,
            0x20,
            "upstream_reset_before_response_started\
             {remote_connection_failure|delayed_connect_error:_Connection_refused}",
        ),
        (
            Attempted::Reset,
            503,
            0x40,
            "upstream_reset_before_response_started{connection_termination}",
        ),
        (Attempted::TimedOut, 504, 0x4, "response_timeout"),
    ] {
        let (mut exchange, step) = send(&engine, "/", &[("x-to", "a")]);
        let tried = attempt(step).endpoint;
        let answer = answer(exchange.respond(attempted));
        let summary = exchange.summary();
        assert_eq!((summary.status, summary.flags), (status, flags));
        assert_eq!(summary.details.as_deref(), Some(details));
        assert_eq!(values(&answer.head, "x-pick"), [asks_for(tried.port())]);
    }
}

#[test]
fn a_guests_own_reply_passes_its_response_callback() {
    let engine = Fixture::guest("reply").start();
    let (exchange, step) = send(&engine, "/", &[]);
    let answer = answer(step);
    assert_eq!(answer.head.status(), Some(418));
    assert_eq!(answer.body, Body::Local(b"teapot".to_vec()));
    assert_eq!(values(&answer.head, "content-type"), ["text/plain"]);
    assert_eq!(values(&answer.head, "x-seen"), ["yes"]);
    assert_eq!(exchange.summary().details.as_deref(), Some(""));
}

#[test]
fn a_request_header_that_a_guest_writes_chooses_the_route_anew() {
    let mut fixture = Fixture::guest("look"); // sets :path to /b
    let clusters = &fixture.environment.clusters;
    clusters.set("b", clusters.cluster("a").unwrap());
    let mut to_b = Route::to(ClusterSpecifier::Name("b".to_owned()));
    to_b.matches.prefix = Some("/b".to_owned());
    fixture.config.routes.insert(0, to_b);
    let engine = fixture.start();
    let (_exchange, step) = send(&engine, "/a", &[]);
    assert_eq!(attempt(step).cluster, "b");
    assert_eq!(
        fixture.said(),
        ["/a", "a", "1", "a"],
        "stale until the router asks"
    );
}

#[test]
fn no_route_is_404() {
    let mut fixture = Fixture::plain();
    fixture.config.routes.clear();
    let (exchange, step) = send(&fixture.start(), "/", &[]);
    assert_eq!(answer(step).head.status(), Some(404));
    assert_eq!(
        exchange.summary().details.as_deref(),
        Some("route_not_found")
    );
}

#[test]
fn edits_reach_the_endpoint_but_not_the_choice() {
    let mut fixture = fixture();
    let write = |name: &str, value, append| HeaderEdit::Write {
        name: name.to_owned(),
        value,
        append,
    };
    fixture.config.routes[0].request_edits = vec![
        HeaderEdit::Remove("x-to".to_owned()),
        HeaderEdit::Remove("x-pick".to_owned()),
        write("x-real", Template::RemoteAddress, Append::OverwriteOrAdd),
        write(
            "x-host",
            Template::Request(":authority".to_owned()),
            Append::IfAbsent,
        ),
        write(
            "x-list",
            Template::Text("2".to_owned()),
            Append::AppendOrAdd,
        ),
    ];
    let engine = fixture.start();
    let fields = [
        ("x-to", "a"),
        ("x-pick", &asks_for(3)),
        ("x-real", "forged"),
        ("x-host", "mine"),
        ("x-list", "1"),
    ];
    let (_exchange, step) = send(&engine, "/", &fields);
    let attempt = attempt(step);
    assert_eq!(attempt.endpoint, address(3));
    for (name, want) in [
        ("x-to", vec![]),
        ("x-pick", vec![]),
        ("x-real", vec!["127.0.0.1"]),
        ("x-host", vec!["mine"]),
        ("x-list", vec!["1", "2"]),
    ] {
        assert_eq!(values(&attempt.head, name), want, "{name}");
    }
}

#[test]
fn a_picker_decides_over_the_balancers_head() {
    let engine = fixture().start();
    let picker = Box::new(|pick: &host_harness::PickRequest<'_>| {
        assert_eq!(
            (pick.cluster, pick.asked, pick.attempt),
            ("a", Some(address(1)), 1)
        );
        Some(address(3))
    });
    let head = get("/", &[("x-to", "a"), ("x-pick", &asks_for(1))]);
    let (mut exchange, step) = engine.request(head, Connection::default(), true, Some(picker));
    assert_eq!(attempt(step).endpoint, address(3));
    let head = answer(exchange.respond(ok())).head;
    assert_eq!(values(&head, "x-pick"), [asks_for(3)]);
}
