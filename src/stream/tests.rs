use super::*;
use crate::config::Report;
use crate::edit::{FieldValue, fields, first};
use crate::endpoints::digest::Digest;
use crate::endpoints::{ClusterTable, Endpoint, Health};
use crate::remark::Problem;
use crate::zone::Verdict;
use crate::{config, policy};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};

const POD: &str = "10.0.0.1:80";
const OTHER: &str = "10.0.0.2:80";
const ANSWERED: &[u8] = b"via_upstream";

/// A shop whose sessions are kept by `session-cookie-hash: sha1`, and its two pods.
struct Shop {
    policy: Policy,
    endpoints: EndpointTable,
}

impl Shop {
    fn new() -> Self {
        Self::with(json!({}))
    }

    /// The same with further annotations.
    fn with(further: Value) -> Self {
        Self::configured(further, json!({}))
    }

    /// The same with further annotations, and further keys of the configuration.
    fn configured(further: Value, keys: Value) -> Self {
        let mut annotations = json!({
            "nginx.ingress.kubernetes.io/affinity": "cookie",
            "nginx.ingress.kubernetes.io/session-cookie-name": "route",
            "nginx.ingress.kubernetes.io/session-cookie-hash": "sha1",
        });
        for (name, value) in further.as_object().unwrap() {
            annotations[format!("nginx.ingress.kubernetes.io/{name}")] = value.clone();
        }
        let service = json!({ "service": { "name": "web", "port": { "number": 80 } } });
        let path = json!({ "path": "/", "pathType": "Prefix", "backend": service });
        let mut config = json!({ "report": "why", "ingresses": [{
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "name": "shop", "namespace": "default", "annotations": annotations },
            "spec": { "rules": [{ "host": "shop.test", "http": { "paths": [path] } }] },
        }]});
        for (key, value) in keys.as_object().unwrap() {
            config[key] = value.clone();
        }
        let (config, _) = config::read(config.to_string().as_bytes()).unwrap();
        let (policy, _) = policy::compile(&config);
        let endpoint = |address: &str| Endpoint {
            address: address.into(),
            health: Health::Healthy,
        };
        let pods = vec![endpoint(POD), endpoint(OTHER)];
        let mut endpoints = EndpointTable::default();
        endpoints.insert(
            "default/web:80".into(),
            ClusterTable::build(policy.clusters[0].index(), pods),
        );
        Self { policy, endpoints }
    }

    fn request(
        &self,
        stream: &mut Stream,
        more: &[(&str, &str)],
        knowledge: Knowledge,
    ) -> OnRequest<'_> {
        let mut headers = fields(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "shop.test"),
            (":path", "/cart"),
        ]);
        headers.extend(fields(more));
        let facts = Facts {
            now: &|| 1_700_000_000,
            random: &|| 7,
            knowledge: &|| knowledge,
            count: &|_| Verdict::TooFast,
            ..Facts::NONE
        };
        stream.on_request(&self.policy, &self.endpoints, &headers, &facts)
    }

    /// The edits of a response with these headers, and what was asked for to make them.
    fn response(
        &self,
        stream: &mut Stream,
        headers: &[(&str, &str)],
        code_details: &'static [u8],
    ) -> (Response, Vec<String>) {
        let headers = fields(headers);
        let asked = RefCell::new(Vec::new());
        let ask = |what: &str| asked.borrow_mut().push(what.to_owned());
        let head = ResponseHead {
            header: &|name| {
                ask(name);
                first(&headers, name).map(<[u8]>::to_vec)
            },
            headers: &|| {
                ask("all headers");
                &headers
            },
            elsewhere: None,
        };
        let facts = Facts {
            now: &|| 1_700_000_000,
            random: &|| 7,
            property: &|path| {
                ask(&path.join("."));
                Some(code_details.to_vec())
            },
            ..Facts::NONE
        };
        let decided = stream.on_response(&self.policy, &self.endpoints, &head, &facts);
        let response = Response {
            edits: decided.edits.into_iter().map(owned).collect(),
            served_elsewhere: decided.served_elsewhere,
            instead: decided.instead,
            telemetry: decided.telemetry,
        };
        (response, asked.take())
    }
}

/// What is decided about a response, for longer than its head.
type Response = OnResponse<'static>;

fn owned(edit: Edit) -> Edit<'static> {
    let own = |text: Name| Name::Owned(text.into_owned());
    match edit {
        Edit::Set(name, value) => Edit::Set(own(name), FieldValue::received(value.into_owned())),
        Edit::Add(name, value) => Edit::Add(own(name), FieldValue::received(value.into_owned())),
        Edit::Remove(name) => Edit::Remove(own(name)),
    }
}

fn set(name: &'static str, value: &str) -> Edit<'static> {
    Edit::Set(name.into(), FieldValue::new(value.as_bytes().to_vec()))
}

fn add(name: &'static str, value: &str) -> Edit<'static> {
    Edit::Add(name.into(), FieldValue::new(value.as_bytes().to_vec()))
}

fn remove(name: &'static str) -> Edit<'static> {
    Edit::Remove(name.into())
}

/// `route=<sha1 of the address>`.
fn cookie(address: &str) -> String {
    format!("route={}", Digest::Sha1.of(address).as_str())
}

/// What the session filter says of an endpoint.
fn encoded(address: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(address)
}

#[test]
fn a_first_answer_starts_a_session_where_it_came_from_before_the_applications_cookies() {
    let shop = Shop::with(json!({ "proxy-cookie-path": "/ /shop" }));
    let mut stream = Stream::default();
    let decided = shop.request(&mut stream, &[], Knowledge::Current);
    assert_eq!(
        decided.step,
        Step::Forward(vec![set("x-limpet-cluster", "default/web:80")])
    );
    let served = encoded(OTHER);
    let answer = [
        ("set-cookie", "app=1; Path=/x"),
        ("x-limpet-endpoint", served.as_str()),
        ("set-cookie", "b=2"),
    ];
    let (decided, _) = shop.response(&mut stream, &answer, ANSWERED);
    let minted = format!("{}; Path=/; HttpOnly", cookie(OTHER));
    let want = vec![
        remove("x-limpet-endpoint"),
        remove("set-cookie"),
        add("set-cookie", &minted),
        add("set-cookie", "app=1; Path=/shopx"),
        add("set-cookie", "b=2"),
    ];
    assert_eq!(decided.edits, want);
    assert_eq!(decided.telemetry.count, Some(Count::Session(State::New)));
    let (again, _) = shop.response(&mut stream, &[], ANSWERED);
    assert_eq!(again.telemetry.count, None);
}

#[test]
fn a_session_is_pinned_and_its_answer_costs_one_question() {
    let mut shop = Shop::new();
    shop.policy.report = Report::Off;
    let mut stream = Stream::default();
    let asked = shop.request(&mut stream, &[("cookie", &cookie(POD))], Knowledge::Current);
    let want = vec![
        set("x-limpet-cluster", "default/web:80"),
        set("x-limpet-endpoint", &encoded(POD)),
    ];
    assert_eq!(asked.step, Step::Forward(want));
    assert_eq!(asked.telemetry, Telemetry::default());
    let (answered, questions) = shop.response(&mut stream, &[], ANSWERED);
    assert_eq!(
        (answered.edits, questions),
        (vec![], vec!["x-limpet-endpoint".to_owned()])
    );
    let kept = Telemetry {
        count: Some(Count::Session(State::Kept)),
        ..Telemetry::default()
    };
    assert_eq!(answered.telemetry, kept);
}

#[test]
fn only_a_pinned_request_that_another_endpoint_answered_was_served_elsewhere() {
    let shop = Shop::new();
    let served_elsewhere = |cookie: &str, by: Option<&str>| {
        let mut stream = Stream::default();
        shop.request(&mut stream, &[("cookie", cookie)], Knowledge::Current);
        let by = by.map(encoded);
        let headers: Vec<_> = by.iter().map(|by| ("x-limpet-endpoint", &**by)).collect();
        let (decided, _) = shop.response(&mut stream, &headers, ANSWERED);
        decided.served_elsewhere
    };
    assert!(served_elsewhere(&cookie(POD), Some(OTHER)));
    assert!(!served_elsewhere(&cookie(POD), None));
    assert!(!served_elsewhere("none=1", Some(OTHER)));
}

#[test]
fn a_downstream_never_chooses_an_endpoint_or_a_cluster() {
    let shop = Shop::new();
    let aimed = encoded(OTHER);
    let ours = [
        ("x-limpet-cluster", "admin"),
        ("x-limpet-endpoint", aimed.as_str()),
    ];
    let decided = shop.request(&mut Stream::default(), &ours, Knowledge::Current);
    let want = vec![
        set("x-limpet-cluster", "default/web:80"),
        remove("x-limpet-endpoint"),
    ];
    assert_eq!(decided.step, Step::Forward(want));

    let elsewhere = [(":authority", "other.test")];
    let headers = [fields(&elsewhere), fields(&[(":path", "/")]), fields(&ours)].concat();
    let facts = Facts::NONE;
    let decided = Stream::default().on_request(&shop.policy, &shop.endpoints, &headers, &facts);
    let want = vec![remove("x-limpet-cluster"), remove("x-limpet-endpoint")];
    assert_eq!(decided.step, Step::Forward(want));
}

#[test]
fn a_cookie_that_names_nobody_waits_for_newer_endpoints_and_is_dead_only_by_those() {
    let shop = Shop::new();
    let gone = cookie("10.0.0.9:80");
    let sent = [("cookie", gone.as_str())];
    for (knowledge, waits, starts) in [
        (Knowledge::Coming, true, false),
        (Knowledge::Unavailable, false, false),
        (Knowledge::Current, false, true),
    ] {
        let mut stream = Stream::default();
        let decided = shop.request(&mut stream, &sent, knowledge);
        assert_eq!(decided.step == Step::Wait, waits, "{knowledge:?}");
        assert_eq!(decided.telemetry.record.is_none(), waits, "{knowledge:?}");
        if !waits {
            let served = encoded(POD);
            let answer = [("x-limpet-endpoint", served.as_str())];
            let (decided, _) = shop.response(&mut stream, &answer, ANSWERED);
            let started = decided
                .edits
                .iter()
                .any(|edit| matches!(edit, Edit::Add(..)));
            assert_eq!(started, starts, "{knowledge:?}");
        }
    }
}

#[test]
fn a_local_reply_starts_no_session_and_shows_no_address() {
    let shop = Shop::new();
    let mut stream = Stream::default();
    let _ = shop.request(&mut stream, &[], Knowledge::Current);
    let tried = encoded(POD);
    let details = b"upstream_reset_before_response_started{connection_termination}";
    let (decided, _) = shop.response(&mut stream, &[("x-limpet-endpoint", &tried)], details);
    assert_eq!(decided.edits, vec![remove("x-limpet-endpoint")]);
}

#[test]
fn an_answer_that_is_no_error_is_a_pods_without_a_question() {
    let shop = Shop::new();
    let served = encoded(POD);
    for (status, further, is_asked) in [
        ("200", None, false),
        ("101", None, false),
        ("304", None, false),
        ("404", None, true),
        ("503", None, true),
        ("200", Some(("grpc-status", "14")), true),
    ] {
        let mut stream = Stream::default();
        let _ = shop.request(&mut stream, &[], Knowledge::Current);
        let mut answer = vec![(":status", status), ("x-limpet-endpoint", served.as_str())];
        answer.extend(further);
        let (decided, asked) = shop.response(&mut stream, &answer, ANSWERED);
        let question = "response.code_details".to_owned();
        assert_eq!(asked.contains(&question), is_asked, "{answer:?}");
        let begun = Some(Count::Session(State::New));
        assert_eq!(decided.telemetry.count, begun);
    }
}

#[test]
fn who_serves_is_not_asked_where_nobody_wants_to_know() {
    let mut shop = Shop::new();
    shop.policy.unmatched = crate::config::Unmatched::Pass;
    let elsewhere = [(":authority", "other.test"), (":path", "/")];
    let facts = Facts::NONE;
    let mut stream = Stream::default();
    let headers = fields(&elsewhere);
    let _ = stream.on_request(&shop.policy, &shop.endpoints, &headers, &facts);
    let served = encoded(POD);
    let answer = [("x-limpet-endpoint", served.as_str())];
    let (decided, asked) = shop.response(&mut stream, &answer, ANSWERED);
    assert_eq!(decided.edits, vec![remove("x-limpet-endpoint")]);
    assert_eq!(asked, Vec::<String>::new());
}

/// A shell that pins by itself knows who served, and what a pod says of it is the pod's.
#[test]
fn who_served_may_be_known_without_the_session_filter() {
    let shop = Shop::new();
    let mut stream = Stream::default();
    let _ = shop.request(&mut stream, &[], Knowledge::Current);
    let lie = encoded(POD);
    let answer = [(":status", "200"), ("x-limpet-endpoint", lie.as_str())];
    let answer = fields(&answer);
    let head = ResponseHead {
        header: &|_| panic!("nothing more is asked"),
        headers: &|| &answer,
        elsewhere: Some(&|| Some(OTHER.to_owned())),
    };
    let facts = Facts::NONE;
    let decided = stream.on_response(&shop.policy, &shop.endpoints, &head, &facts);
    let minted = format!("{}; Path=/; HttpOnly", cookie(OTHER));
    assert_eq!(decided.edits, vec![add("set-cookie", &minted)]);
}

#[test]
fn an_unpinned_answer_that_names_nobody_betrays_a_missing_session_filter() {
    let shop = Shop::new();
    let mut stream = Stream::default();
    let _ = shop.request(&mut stream, &[], Knowledge::Current);
    let (decided, _) = shop.response(&mut stream, &[], ANSWERED);
    assert_eq!(decided.edits, vec![]);
    assert_eq!(decided.telemetry.count, Some(Count::FilterMissing));
}

#[test]
fn the_answer_to_a_request_that_limpet_answered_is_left_alone() {
    let mut shop = Shop::new();
    shop.policy.unmatched = crate::config::Unmatched::NotFound;
    let mut stream = Stream::default();
    let asked = Cell::new(false);
    let headers = [fields(&[(":authority", "other.test"), (":path", "/")])].concat();
    let facts = Facts::NONE;
    let decided = stream.on_request(&shop.policy, &shop.endpoints, &headers, &facts);
    let step = decided.step;
    assert!(
        matches!(step, Step::Reply(Reply { status: 404, .. })),
        "{step:?}"
    );
    assert_eq!(decided.telemetry.count, Some(Count::NotFound));
    let head = ResponseHead {
        header: &|_| {
            asked.set(true);
            None
        },
        headers: &|| &[],
        elsewhere: None,
    };
    let decided = stream.on_response(&shop.policy, &shop.endpoints, &head, &facts);
    assert_eq!((decided.edits, asked.get()), (vec![], false));
}

// nginx's `rewrite_log`.
#[test]
fn a_rewrite_is_told_where_its_ingress_asks_for_it() {
    let line = |log: &str, target: &str, asked: &str| {
        let service = json!({ "service": { "name": "web", "port": { "number": 80 } } });
        let path =
            json!({ "path": "/a/(.*)", "pathType": "ImplementationSpecific", "backend": service });
        let config = json!({ "unmatched": "not_found", "ingresses": [{
            "kind": "Ingress",
            "metadata": { "name": "shop", "annotations": {
                "nginx.ingress.kubernetes.io/enable-rewrite-log": log,
                "nginx.ingress.kubernetes.io/rewrite-target": target } },
            "spec": { "rules": [{ "host": "shop.test", "http": { "paths": [path] } }] },
        }]});
        let (config, _) = config::read(config.to_string().as_bytes()).unwrap();
        let shop = Shop {
            policy: policy::compile(&config).0,
            endpoints: EndpointTable::default(),
        };
        let mut stream = Stream::default();
        let named = [(":authority", "shop.test"), (":path", asked)];
        let headers = fields(&named);
        let facts = Facts::NONE;
        let decided = stream.on_request(&shop.policy, &shop.endpoints, &headers, &facts);
        decided.telemetry.log
    };
    let told = r#"ingress default/shop: path "/a/(.*)": "/a/x?y=\xc3\xa9" is rewritten to "/b/x?y=\xc3\xa9""#;
    assert_eq!(line("true", "/b/$1", "/a/x?y=é").as_deref(), Some(told));
    let told =
        r#"ingress default/shop: path "/a/(.*)": "/a/x" is rewritten to "https://b.example/x""#;
    assert_eq!(
        line("true", "https://b.example/$1", "/a/x").as_deref(),
        Some(told)
    );
    assert_eq!(line("false", "/b/$1", "/a/x"), None);
    assert_eq!(line("true", "/b/$1", "/elsewhere"), None);
}

#[test]
fn a_default_backend_takes_over_while_no_endpoint_is_left() {
    let path = |path: &str, service: &str| {
        let service = json!({ "service": { "name": service, "port": { "number": 80 } } });
        json!({ "path": path, "pathType": "Prefix", "backend": service })
    };
    let config = json!({ "ingresses": [{
        "kind": "Ingress",
        "metadata": { "name": "shop", "annotations":
            { "nginx.ingress.kubernetes.io/default-backend": "spare" } },
        "spec": { "rules": [{ "host": "shop.test",
            "http": { "paths": [path("/", "web"), path("/spare", "spare")] } }] },
    }]});
    let (config, _) = config::read(config.to_string().as_bytes()).unwrap();
    let (policy, _) = policy::compile(&config);
    let web = policy
        .clusters
        .iter()
        .find(|c| c.envoy_name == "default/web:80")
        .unwrap();
    assert!(web.needs_endpoints());
    let pod = Endpoint {
        address: POD.into(),
        health: Health::Healthy,
    };
    for (pods, want) in [
        (None, "default/web:80"),
        (Some(vec![pod]), "default/web:80"),
        (Some(vec![]), "default/spare:80"),
    ] {
        let (policy, _) = policy::compile(&config);
        let mut shop = Shop {
            policy,
            endpoints: EndpointTable::default(),
        };
        if let Some(pods) = pods {
            let table = ClusterTable::build(web.index(), pods);
            shop.endpoints.insert("default/web:80".into(), table);
        }
        let decided = shop.request(
            &mut Stream::default(),
            &[("accept", "a/b")],
            Knowledge::Current,
        );
        let Step::Forward(edits) = decided.step else {
            panic!("{decided:?}")
        };
        assert!(edits.contains(&set("x-limpet-cluster", want)), "{edits:?}");
        let told = [
            set("x-code", "503"),
            set("x-format", "a/b"),
            set("x-service-name", "web"),
        ];
        let is_told = told.iter().all(|edit| edits.contains(edit));
        assert_eq!(is_told, want == "default/spare:80", "{edits:?}");
    }
}

#[test]
fn all_fields_of_a_user_agent_say_which_same_site_it_can_read() {
    let shop = Shop::with(json!({
        "session-cookie-samesite": "None",
        "session-cookie-conditional-samesite-none": "true",
    }));
    for (agents, none) in [
        (&[][..], true),
        (&["Chrome/120.0"], true),
        (&["Chrome/120.0", "Chrome/51.0"], false),
        (&["Macintosh; Intel Mac OS X 10_14", "Safari/605"], false),
    ] {
        let sent: Vec<_> = agents.iter().map(|agent| ("user-agent", *agent)).collect();
        let mut stream = Stream::default();
        shop.request(&mut stream, &sent, Knowledge::Current);
        let served = encoded(OTHER);
        let (decided, _) = shop.response(&mut stream, &[("x-limpet-endpoint", &served)], ANSWERED);
        let edits = decided.edits;
        let same_site = if none { "; SameSite=None" } else { "" };
        let minted = format!("{}; Path=/; HttpOnly{same_site}", cookie(OTHER));
        assert!(edits.contains(&add("set-cookie", &minted)), "{edits:?}");
    }
}

/// What the record of a request says.
fn record(shop: &Shop, host: &str, path: &str, cookie: &str) -> Value {
    let sent = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", host),
        (":path", path),
        ("cookie", cookie),
    ];
    let facts = Facts::NONE;
    let decided =
        Stream::default().on_request(&shop.policy, &shop.endpoints, &fields(&sent), &facts);
    serde_json::from_str(&decided.telemetry.record.unwrap()).unwrap()
}

#[test]
fn an_unknown_host_is_told_from_an_unknown_path() {
    let service = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let path = json!({ "path": "/cart", "pathType": "Prefix", "backend": service });
    for (unmatched, outcome) in [("not_found", "not_found"), ("pass", "pass")] {
        let config = json!({ "unmatched": unmatched, "report": "why", "ingresses": [{
            "kind": "Ingress",
            "metadata": { "name": "shop" },
            "spec": { "rules": [{ "host": "shop.test", "http": { "paths": [path] } }] },
        }]});
        let (config, _) = config::read(config.to_string().as_bytes()).unwrap();
        let shop = Shop {
            policy: policy::compile(&config).0,
            endpoints: EndpointTable::default(),
        };
        for (host, why) in [
            ("other.test", json!(["unknown_host"])),
            ("shop.test", json!(["unknown_path"])),
        ] {
            let record = record(&shop, host, "/", "");
            assert_eq!(record["outcome"], outcome, "{host}: {record}");
            let last = record["why"].as_array().unwrap().last();
            assert_eq!(last, Some(&why), "{host}: {record}");
        }
    }
}

#[test]
fn a_summary_tells_what_was_decided_and_not_the_way_there() {
    let mut shop = Shop::new();
    let whole = record(&shop, "shop.test", "/cart", "");
    shop.policy.report = Report::Summary;
    let summary = record(&shop, "shop.test", "/cart", "");
    assert!(whole["why"].is_array() && summary["why"].is_null());
    for field in ["outcome", "ingress", "location", "cluster", "affinity"] {
        assert_eq!(summary[field], whole[field], "{field}");
    }
}

#[test]
fn who_stands_in_for_the_cookies_endpoint_is_told_apart_from_it() {
    let mut shop = Shop::new();
    let pods = [(POD, Health::Unhealthy), (OTHER, Health::Healthy)];
    let pods = pods.map(|(address, health)| Endpoint {
        address: address.into(),
        health,
    });
    let table = ClusterTable::build(shop.policy.clusters[0].index(), pods.to_vec());
    shop.endpoints.insert("default/web:80".into(), table);
    let record = record(&shop, "shop.test", "/cart", &cookie(POD));
    assert_eq!(record["affinity"]["override"], OTHER);
    let why = record["why"].as_array().unwrap();
    let want = [json!(["cookie", POD]), json!(["substitute", OTHER])];
    assert!(why.ends_with(&want), "{record}");
}

#[test]
fn the_host_that_a_pod_is_to_see_goes_into_its_header_where_routes_go_by_the_host() {
    let vhost = json!({ "upstream-vhost": "inner.test:8443" });
    let named = json!({ "headers": { "host": "x-limpet-host" } });
    let forged = [("x-limpet-host", "evil.test")];
    let host = |annotations: &Value, keys: &Value| {
        let shop = Shop::configured(annotations.clone(), keys.clone());
        let mut stream = Stream::default();
        let decided = shop.request(&mut stream, &forged, Knowledge::Current);
        let Step::Forward(edits) = decided.step else {
            panic!("{:?}", decided.step);
        };
        let is_about = |edit: &Edit| match edit {
            Edit::Set(name, _) | Edit::Add(name, _) | Edit::Remove(name) => {
                [":authority", "x-limpet-host"].contains(&name.as_ref())
            }
        };
        edits
            .into_iter()
            .map(owned)
            .filter(is_about)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        host(&vhost, &named),
        [set("x-limpet-host", "inner.test:8443")]
    );
    // Where nothing is to be said, nobody else says it.
    assert_eq!(host(&json!({}), &named), [remove("x-limpet-host")]);
    // On a listener of its own no route goes by the host, unless somebody says so.
    let own = json!({ "unmatched": "not_found" });
    assert_eq!(host(&vhost, &own), [set(":authority", "inner.test:8443")]);
    let both = json!({ "unmatched": "not_found", "headers": named["headers"] });
    assert_eq!(
        host(&vhost, &both),
        [set("x-limpet-host", "inner.test:8443")]
    );
    // A listener of others whose routes do not ask keeps its Host.
    assert_eq!(host(&vhost, &json!({})), []);
}

#[test]
fn no_client_names_the_host_of_a_request_that_limpet_passes_on() {
    let named = json!({ "headers": { "host": "x-limpet-host" } });
    let shop = Shop::configured(json!({}), named);
    let forged = [
        (":authority", "other.test"),
        (":path", "/"),
        ("x-limpet-host", "evil.test"),
    ];
    let facts = Facts::NONE;
    let headers = fields(&forged);
    let decided = Stream::default().on_request(&shop.policy, &shop.endpoints, &headers, &facts);
    assert_eq!(decided.step, Step::Forward(vec![remove("x-limpet-host")]));
}

#[test]
fn what_protect_refuses_is_counted_and_told() {
    for (annotations, protect, reason) in [
        (json!({}), "/CART", "ambiguous_path"),
        (
            json!({ "rewrite-target": "/admin" }),
            "/admin",
            "protected_path",
        ),
    ] {
        let shop = Shop::configured(annotations, json!({ "protect": [protect] }));
        let mut stream = Stream::default();
        let decided = shop.request(&mut stream, &[], Knowledge::Current);
        let Step::Reply(reply) = &decided.step else {
            panic!("{reason}: {:?}", decided.step)
        };
        assert_eq!(reply.status, 400);
        assert_eq!(decided.telemetry.count, Some(Count::Protected));
        let record: Value = serde_json::from_str(&decided.telemetry.record.unwrap()).unwrap();
        assert_eq!(record["outcome"], "reject");
        let last = record["why"].as_array().unwrap().last();
        assert_eq!(last, Some(&json!(["answered", reason])));
    }
}

#[test]
fn headers_that_say_who_a_client_is_are_taken_off_where_they_are_to_be() {
    let keys = json!({ "strip_headers": ["ssl-client-*", "default/shop/x-user", "default/other/authorization"] });
    let shop = Shop::configured(json!({}), keys);
    let sent = [
        ("ssl-client-verify", "SUCCESS"),
        ("ssl_client_subject_dn", "CN=admin"),
        ("x-user", "admin"),
        ("X_User", "admin"),
        ("authorization", "Bearer x"),
        ("x9user", "another"),
        ("x-user-name", "another"),
        ("ssl-client", "another"),
    ];
    let others = ["authorization", "x9user", "x-user-name", "ssl-client"];
    let sent = sent.map(|(name, value)| (name.to_ascii_lowercase(), value));
    let sent: Vec<(&str, &str)> = sent
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let decided = shop.request(&mut Stream::default(), &sent, Knowledge::Current);
    let Step::Forward(edits) = decided.step else {
        panic!("not forwarded: {:?}", decided.step);
    };
    let is_removed = |name: &str| edits.contains(&Edit::Remove(name.to_owned().into()));
    for (name, _) in &sent {
        assert_eq!(
            is_removed(name),
            !others.contains(name),
            "{name}: {edits:?}"
        );
    }
}

#[test]
fn add_headers_are_filled_in_for_each_request() {
    let added = json!({ "X-A": "1", "X-Host": "$host $ingress_name", "X-Empty": "$http_x_none" });
    let keys = json!({
        "config_map": { "add-headers": "default/added" },
        "config_maps": { "default/added": added },
    });
    let host = |stream: &mut Stream, shop: &Shop| {
        let (response, _) = shop.response(stream, &[(":status", "200")], b"via_upstream");
        response.edits
    };
    let shop = Shop::configured(json!({}), keys.clone());
    let mut stream = Stream::default();
    shop.request(&mut stream, &[], Knowledge::Current);
    let edits = host(&mut stream, &shop);
    for edit in [
        set("x-a", "1"),
        set("x-host", "shop.test shop"),
        remove("x-empty"),
    ] {
        assert!(edits.contains(&edit), "{edit:?} is not in {edits:?}");
    }
    let shop = Shop::configured(json!({ "permanent-redirect": "http://away.test" }), keys);
    let decided = shop.request(&mut stream, &[], Knowledge::Current);
    let Step::Reply(reply) = decided.step else {
        panic!("{:?}", decided.step)
    };
    let value = reply.headers.iter().find(|(name, _)| *name == "x-host");
    assert_eq!(&*value.unwrap().1, b"shop.test shop");
}

#[test]
fn a_request_that_would_be_too_much_work_is_answered_500_and_counted() {
    let config = json!({ "ingresses": [{
        "metadata": { "namespace": "default", "name": "web", "annotations": {
            "nginx.ingress.kubernetes.io/use-regex": "true",
        } },
        "spec": { "rules": [{ "host": "h.example", "http": { "paths": [
            { "path": "/.*[ab].{2000}q$", "pathType": "ImplementationSpecific",
              "backend": { "service": { "name": "web", "port": { "number": 80 } } } },
        ] } }] },
    }], "report": "why", "config_map": { "large-client-header-buffers": "4 64k" } });
    let (policy, remarks) = policy::read(config.to_string().as_bytes()).unwrap();
    let [remark] = remarks.as_slice() else {
        panic!("{remarks:?}")
    };
    assert!(matches!(remark.problem, Problem::Costly { .. }), "{remark}");
    let facts = Facts::NONE;
    let path = format!("/{}", "a".repeat(59_000));
    let mut head = fields(&[(":method", "GET"), (":authority", "h.example")]);
    head.push((b":path", path.as_bytes()));
    let endpoints = EndpointTable::default();
    let decided = Stream::default().on_request(&policy, &endpoints, &head, &facts);
    let Step::Reply(reply) = &decided.step else {
        panic!("{:?}", decided.step)
    };
    assert_eq!(
        (reply.status, decided.telemetry.count),
        (500, Some(Count::TooCostly))
    );
}

/// A client once got past an authorizer by calling the host as the authorizer is called: the host's
/// own public path was asked in its place.
#[test]
fn an_authorizer_that_is_named_is_asked_whatever_a_client_calls_the_host() {
    let ingress = |name: &str, path: &str, annotations: Value| {
        let service = json!({ "service": { "name": "web", "port": { "number": 80 } } });
        let path = json!({ "path": path, "pathType": "Prefix", "backend": service });
        json!({
            "metadata": { "name": name, "namespace": "default", "annotations": annotations },
            "spec": { "rules": [{ "http": { "paths": [path] } }] },
        })
    };
    let asked = |url: &str| {
        let guarded = json!({ "nginx.ingress.kubernetes.io/auth-url": url });
        let keys = json!({
            "ingresses": [ingress("guarded", "/cart", guarded), ingress("open", "/", json!({}))],
            "authorizers": { "http://shop.test:80": "sso", "http://shop.test:4180": "sso" },
        });
        let shop = Shop::configured(json!({}), keys);
        let mut stream = Stream::default();
        match shop.request(&mut stream, &[], Knowledge::Current).step {
            Step::Ask(question) => question.cluster,
            other => panic!("{url}: {other:?}"),
        }
    };
    assert_eq!(asked("http://shop.test/verify"), "sso");
    assert_eq!(asked("http://shop.test:4180/verify"), "sso");
    assert_eq!(asked("http://$host/verify"), "default/web:80");
}

#[test]
fn each_way_to_be_kept_out_is_counted_by_its_kind() {
    let login = json!({ "auth-type": "basic", "auth-secret": "ba" });
    let sso = json!({ "auth-url": "http://sso.test/ask" });
    let agent = ("user-agent", "bad");
    for (annotations, keys, more, want) in [
        (
            json!({ "whitelist-source-range": "10.0.0.0/8" }),
            json!({}),
            vec![],
            Count::DeniedAddress,
        ),
        (
            json!({}),
            json!({ "config_map": { "block-user-agents": "bad" } }),
            vec![agent],
            Count::DeniedClient,
        ),
        (
            json!({ "proxy-body-size": "1" }),
            json!({}),
            vec![("content-length", "2")],
            Count::TooLarge,
        ),
        (
            json!({}),
            json!({ "config_map": { "large-client-header-buffers": "1 8" } }),
            vec![],
            Count::TooLarge,
        ),
        (
            login,
            json!({ "secrets": { "default/ba": { "auth": "user:{PLAIN}pw" } } }),
            vec![],
            Count::DeniedPassword,
        ),
        (
            sso.clone(),
            json!({ "authorizers": { "http://sso.test:80": "sso" } }),
            vec![],
            Count::DeniedAuthorizer,
        ),
        (
            json!({ "limit-rps": "1" }),
            json!({}),
            vec![],
            Count::Limited,
        ),
        (
            json!({ "auth-tls-secret": "default/ca" }),
            json!({ "client_certificates": {} }),
            vec![],
            Count::DeniedCertificate,
        ),
        (sso, json!({ "close": ["*"] }), vec![], Count::Closed),
        (
            json!({}),
            json!({}),
            vec![("expect", "100-continue,100-continue")],
            Count::BadRequest,
        ),
    ] {
        let shop = Shop::configured(annotations, keys);
        let mut stream = Stream::default();
        let ask = |stream: &mut Stream| shop.request(stream, &more, Knowledge::Current);
        let mut decided = ask(&mut stream);
        if let Step::Ask(_) = &decided.step {
            assert_eq!(decided.telemetry, Telemetry::default(), "{want:?}");
            stream.answered(Answer {
                status: 401,
                ..Answer::default()
            });
            decided = ask(&mut stream);
        }
        let kept_out = matches!(decided.step, Step::Reply(_));
        assert!(kept_out, "{want:?}: {:?}", decided.step);
        assert_eq!(decided.telemetry.count, Some(want));
    }
}

#[test]
fn a_request_is_counted_once_however_often_it_is_decided() {
    let limited = json!({ "limit-rps": "1", "auth-url": "http://sso.test/ask" });
    let shop = Shop::configured(
        limited,
        json!({ "authorizers": { "http://sso.test:80": "sso" } }),
    );
    let counted = Cell::new(0);
    let facts = Facts {
        count: &|_| {
            counted.set(counted.get() + 1);
            if counted.get() == 1 {
                Verdict::Within
            } else {
                Verdict::TooFast
            }
        },
        ..Facts::NONE
    };
    let head = fields(&[
        (":method", "GET"),
        (":authority", "shop.test"),
        (":path", "/"),
    ]);
    let mut stream = Stream::default();
    let ask = |stream: &mut Stream| {
        stream
            .on_request(&shop.policy, &shop.endpoints, &head, &facts)
            .step
    };
    assert!(matches!(ask(&mut stream), Step::Ask(_)));
    stream.answered(Answer {
        status: 200,
        ..Answer::default()
    });
    assert!(matches!(ask(&mut stream), Step::Forward(_)));
    assert_eq!(counted.get(), 1);
}

#[test]
fn what_is_dear_to_know_is_found_out_once_however_often_a_request_is_decided() {
    let shop = Shop::configured(
        json!({
            "auth-url": "http://sso.test/ask",
            "auth-type": "basic",
            "auth-secret": "ba",
            "server-alias": "~^a[0-9]+\\.test$",
            "use-regex": "true",
        }),
        json!({
            "authorizers": { "http://sso.test:80": "sso" },
            "secrets": { "default/ba": { "auth": "user:{PLAIN}pw" } },
        }),
    );
    let ask = |stream: &mut Stream, changed: (&str, &'static str)| {
        let head = [
            (":method", "GET"),
            (":authority", "a1.test"),
            (":path", "/cart"),
            ("authorization", "Basic dXNlcjpwdw=="),
        ];
        let head = head.map(|(name, value)| match changed {
            (of, value) if of == name => (of, value),
            _ => (name, value),
        });
        let facts = Facts {
            now: &|| 1_700_000_000,
            random: &|| 7,
            knowledge: &|| Knowledge::Current,
            ..Facts::NONE
        };
        let head = fields(&head);
        let decided = stream.on_request(&shop.policy, &shop.endpoints, &head, &facts);
        match decided.step {
            Step::Ask(_) => "ask",
            Step::Forward(edits) if !edits.is_empty() => "forward",
            _ => "neither",
        }
    };
    for changed in [
        (":authority", "nobody.test"),
        ("authorization", "Basic eA=="),
    ] {
        assert_eq!(
            ask(&mut Stream::default(), changed),
            "neither",
            "{changed:?}"
        );
        let mut stream = Stream::default();
        assert_eq!(ask(&mut stream, ("", "")), "ask");
        stream.answered(Answer {
            status: 200,
            ..Answer::default()
        });
        // Whoever looked again would see it.
        assert_eq!(ask(&mut stream, changed), "forward", "{changed:?}");
    }
}

#[test]
fn a_page_in_place_of_an_answer_brings_the_session_along() {
    let pages = json!({ "custom-http-errors": "404" });
    let shop = Shop::configured(pages, json!({ "unmatched": "not_found" }));
    let mut stream = Stream::default();
    let _ = shop.request(&mut stream, &[], Knowledge::Current);
    assert!(!stream.is_paging() && !stream.wants_body());
    let served = encoded(POD);
    let answer = [(":status", "404"), ("x-limpet-endpoint", served.as_str())];
    let (decided, _) = shop.response(&mut stream, &answer, ANSWERED);
    let Some(Instead::Reply(page)) = decided.instead else {
        panic!("{:?}", decided.instead);
    };
    let value = format!("{}; Path=/; HttpOnly", cookie(POD));
    let session = ("set-cookie".into(), FieldValue::new(value.into_bytes()));
    assert!(page.headers.contains(&session), "{:?}", page.headers);
    assert!(!stream.is_paging() && !stream.wants_body());
}

#[test]
fn what_is_told_of_every_answer_stands_once_in_a_page_and_its_cookies_stay() {
    let field = |name: &'static str, value: &'static str| -> (Name<'static>, FieldValue<'static>) {
        (name.into(), FieldValue::new(value.as_bytes()))
    };
    let reply = Reply {
        status: 404,
        headers: vec![
            field("x-told", "by the page"),
            field("set-cookie", "page=1"),
            field("x-own", "1"),
        ],
        body: Vec::new(),
    };
    let told = vec![field("set-cookie", "route=a"), field("x-told", "by us")];
    let want = [
        field("set-cookie", "route=a"),
        field("x-told", "by us"),
        field("set-cookie", "page=1"),
        field("x-own", "1"),
    ];
    assert_eq!(with(reply, told).headers, want);
}

#[test]
fn no_client_chooses_a_way_of_its_own() {
    let ways = json!({ "policies": { "default/other": "other" } });
    let shop = Shop::configured(json!({}), ways.clone());
    let aimed = [("x-limpet-policy", "other")];
    let decided = shop.request(&mut Stream::default(), &aimed, Knowledge::Current);
    let Step::Forward(edits) = decided.step else {
        panic!("{:?}", decided.step);
    };
    assert!(edits.contains(&remove("x-limpet-policy")), "{edits:?}");
    let decided = shop.request(&mut Stream::default(), &[], Knowledge::Current);
    let Step::Forward(edits) = decided.step else {
        panic!("{:?}", decided.step);
    };
    // Every edit clears Envoy's route cache.
    assert!(!edits.contains(&remove("x-limpet-policy")), "{edits:?}");
}

#[test]
fn a_cookie_is_written_and_read_with_the_key_that_was_given() {
    let shop = |key: &str| {
        let keys = json!({ "cookie_keys": [key], "cookie_keys_only": true });
        Shop::configured(json!({}), keys)
    };
    let written = |shop: &Shop| {
        let mut stream = Stream::default();
        let _ = shop.request(&mut stream, &[], Knowledge::Current);
        let served = encoded(OTHER);
        let answer = [(":status", "200"), ("x-limpet-endpoint", served.as_str())];
        let (decided, _) = shop.response(&mut stream, &answer, ANSWERED);
        let cookies = decided.edits.iter().find_map(|edit| match edit {
            Edit::Add(name, value) if *name == "set-cookie" => Some(value.to_vec()),
            _ => None,
        });
        let cookie = String::from_utf8(cookies.unwrap()).unwrap();
        cookie.split(';').next().unwrap().to_owned()
    };
    let is_pinned = |shop: &Shop, cookie: &str| {
        let sent = [("cookie", cookie)];
        let decided = shop.request(&mut Stream::default(), &sent, Knowledge::Current);
        let Step::Forward(edits) = decided.step else {
            panic!("{:?}", decided.step);
        };
        edits.contains(&set("x-limpet-endpoint", &encoded(OTHER)))
    };
    let ours = shop("0123456789abcdef0123456789abcdef");
    let others = shop("fedcba9876543210fedcba9876543210");
    assert!(is_pinned(&ours, &written(&ours)));
    assert!(!is_pinned(&ours, &written(&others)));
    assert!(!is_pinned(&others, &written(&ours)));
}

/// An Ingress of the shop's host beside its own.
fn ingress(name: &str, path: &str, annotations: Value) -> Value {
    let service = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let path = json!({ "path": path, "pathType": "Prefix", "backend": service });
    json!({
        "metadata": { "name": name, "namespace": "default", "annotations": annotations },
        "spec": { "rules": [{ "host": "shop.test", "http": { "paths": [path] } }] },
    })
}

#[test]
fn an_authorizer_on_the_requests_own_host_is_asked_where_nobody_else_is_to_be_asked_first() {
    let said = |name: &str| format!("nginx.ingress.kubernetes.io/{name}");
    for (annotations, further, is_asked) in [
        (json!({}), json!({}), true),
        (
            json!({ said("whitelist-source-range"): "10.0.0.0/8" }),
            json!({}),
            false,
        ),
        (
            json!({ said("auth-type"): "basic", said("auth-secret"): "ba" }),
            json!({}),
            false,
        ),
        (
            json!({ said("permanent-redirect"): "https://a.test" }),
            json!({}),
            false,
        ),
        (
            json!({ said("auth-url"): "http://sso.test/ask" }),
            json!({}),
            false,
        ),
        (json!({}), json!({ "close": ["default/verify"] }), false),
    ] {
        let guarded = json!({ said("auth-url"): "http://$host/verify" });
        let mut keys = json!({
            "ingresses": [
                ingress("guarded", "/cart", guarded),
                ingress("verify", "/verify", annotations.clone()),
            ],
            "authorizers": { "http://sso.test:80": "sso" },
            "secrets": { "default/ba": { "auth": "user:{PLAIN}pw" } },
        });
        for (key, value) in further.as_object().unwrap() {
            keys[key] = value.clone();
        }
        let shop = Shop::configured(json!({}), keys);
        let mut stream = Stream::default();
        let decided = shop.request(&mut stream, &[], Knowledge::Current);
        match decided.step {
            Step::Ask(question) => {
                assert!(is_asked, "{annotations} {further}");
                assert_eq!(question.cluster, "default/web:80");
            }
            Step::Reply(reply) => {
                assert!(!is_asked, "{annotations} {further}");
                assert_eq!(reply.status, 500);
            }
            other => panic!("{annotations} {further}: {other:?}"),
        }
    }
}

#[test]
fn an_authorizer_sees_no_header_of_a_proxys_own() {
    let keys = json!({ "authorizers": { "http://sso.test:80": "sso" } });
    let shop = Shop::configured(json!({ "auth-url": "http://sso.test/ask" }), keys);
    let sent = [
        ("x-limpet-endpoint", "forged"),
        ("x-envoy-internal", "true"),
        ("x-original-forwarded-for", "10.0.0.1"),
        ("x-original-forwarded-host", "f.test"),
        ("x-original-uri", "/cart"),
        ("x-mine", "1"),
    ];
    let mut stream = Stream::default();
    let Step::Ask(question) = shop.request(&mut stream, &sent, Knowledge::Current).step else {
        panic!("nobody is asked");
    };
    let value = |name: &str| {
        let found = question.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    for name in ["x-limpet-endpoint", "x-envoy-internal", "x-original-uri"] {
        assert_eq!(value(name), None, "{name}");
    }
    assert_eq!(value("x-forwarded-host").as_deref(), Some("f.test"));
    assert_eq!(value("x-mine").as_deref(), Some("1"));
    // Another URI than that of the request is the client's own.
    let sent = [("x-original-uri", "/other")];
    let mut stream = Stream::default();
    let Step::Ask(question) = shop.request(&mut stream, &sent, Knowledge::Current).step else {
        panic!("nobody is asked");
    };
    let own = ("x-original-uri".to_owned(), b"/other".to_vec());
    assert!(question.headers.contains(&own), "{:?}", question.headers);
}

#[test]
fn what_the_proxy_answers_itself_betrays_no_missing_session_filter() {
    let shop = Shop::new();
    let mut stream = Stream::default();
    let _ = shop.request(&mut stream, &[], Knowledge::Current);
    let own = [(":status", "200")];
    let (decided, _) = shop.response(&mut stream, &own, b"direct_response");
    assert_ne!(decided.telemetry.count, Some(Count::FilterMissing));
    assert_eq!(decided.edits, vec![]);
}

#[test]
fn a_record_tells_where_a_request_was_answered_and_what_its_cookie_was() {
    let shop = Shop::configured(json!({ "permanent-redirect": "https://a.test" }), json!({}));
    let told = record(&shop, "shop.test", "/cart", "");
    assert_eq!(told["ingress"], "default/shop");
    assert_eq!(told["location"], "/");
    let shop = Shop::new();
    for (cookie, want) in [
        ("", "balanced"),
        (&cookie("10.0.0.9:80"), "nobody_named"),
        (&cookie(POD), "cookie"),
    ] {
        let told = record(&shop, "shop.test", "/cart", cookie);
        let why = told["why"].as_array().unwrap();
        assert!(why.iter().any(|one| one[0] == want), "{cookie}: {told}");
        assert!(!why.iter().any(|one| one[0] == "canary"), "{told}");
    }
}

#[test]
fn a_page_that_is_asked_for_has_a_body_and_what_is_told_of_every_answer() {
    let keys = json!({ "unmatched": "not_found", "default_backend": "default/web:80" });
    let shop = Shop::configured(json!({ "custom-http-errors": "404" }), keys);
    for (method, body) in [("GET", b"page".to_vec()), ("HEAD", vec![0; 4])] {
        let mut stream = Stream::default();
        let sent = [
            (":method", method),
            (":scheme", "http"),
            (":authority", "shop.test"),
            (":path", "/cart"),
        ];
        let sent = fields(&sent);
        let facts = Facts {
            random: &|| 7,
            ..Facts::NONE
        };
        let _ = stream.on_request(&shop.policy, &shop.endpoints, &sent, &facts);
        let served = encoded(POD);
        let answer = [(":status", "404"), ("x-limpet-endpoint", served.as_str())];
        let (decided, _) = shop.response(&mut stream, &answer, ANSWERED);
        let Some(Instead::Ask(question)) = decided.instead else {
            panic!("{method}: {:?}", decided.instead);
        };
        assert!(question.wants_body && stream.is_paging() && stream.wants_body());
        let code = ("x-code".to_owned(), b"404".to_vec());
        assert!(question.headers.contains(&code), "{question:?}");
        let mut came = answer_of(404, b"page");
        came.headers.push(("content-length".into(), b"4".to_vec()));
        let page = stream.page(&shop.policy, came).unwrap();
        assert_eq!((page.status, page.body), (404, body), "{method}");
        let names: Vec<_> = page.headers.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["set-cookie"], "{method}");
        assert!(!stream.is_paging() && !stream.wants_body());
    }
}

fn answer_of(status: u16, body: &[u8]) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: body.to_vec(),
    }
}

#[test]
fn no_authorizer_on_the_requests_own_host_is_asked_where_its_path_may_become_another() {
    let said = |url: &str| json!({ "nginx.ingress.kubernetes.io/auth-url": url });
    for (url, is_asked) in [
        ("http://$host/verify", true),
        ("http://$host/verify?a=//b", true),
        ("http://$host//verify", false),
        ("http://$host/a/../verify", false),
        ("http://$host/.verify", false),
        ("http://$host/%76erify", false),
    ] {
        let ingresses = [
            ingress("guarded", "/cart", said(url)),
            ingress("open", "/", json!({})),
        ];
        let shop = Shop::configured(
            json!({}),
            json!({ "ingresses": ingresses, "authorizers": {} }),
        );
        let decided = shop.request(&mut Stream::default(), &[], Knowledge::Current);
        let asks = matches!(decided.step, Step::Ask(_));
        assert_eq!(asks, is_asked, "{url}: {:?}", decided.step);
        let refuses = matches!(&decided.step, Step::Reply(reply) if reply.status == 500);
        assert_eq!(refuses, !is_asked, "{url}: {:?}", decided.step);
    }
}

#[test]
fn an_answer_that_caches_keep_starts_no_session_where_its_ingress_says_so() {
    let said = json!({
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/session-cookie-hash": "sha1",
        "limpet.dev/session-cookie-skip-cacheable": "true",
    });
    let ingresses = [ingress("shop", "/", said)];
    let shop = Shop::configured(json!({}), json!({ "ingresses": ingresses }));
    for (control, starts) in [("public, max-age=60", false), ("no-store", true)] {
        let mut stream = Stream::default();
        let _ = shop.request(&mut stream, &[], Knowledge::Current);
        let served = encoded(POD);
        let answer = [
            (":status", "200"),
            ("cache-control", control),
            ("x-limpet-endpoint", served.as_str()),
        ];
        let (decided, _) = shop.response(&mut stream, &answer, ANSWERED);
        let started = decided
            .edits
            .iter()
            .any(|edit| matches!(edit, Edit::Add(..)));
        assert_eq!(started, starts, "{control}");
    }
}
