//! What a ConfigMap and the configuration decide for every location.

use crate::edit::{Edit, fields};
use crate::endpoints::EndpointTable;
use crate::facts::Facts;
use crate::policy::{self, Policy};
use crate::route::{self, Disposition, Forward};
use serde_json::{Value, json};

/// One Ingress for `a.example`, with `said` in its annotations; `more` stands beside it.
fn policy(said: &[(&str, &str)], more: &Value) -> Policy {
    let said = said.iter();
    let said = said.map(|(name, value)| {
        let name = format!("nginx.ingress.kubernetes.io/{name}");
        (name, json!(value))
    });
    let said: serde_json::Map<String, Value> = said.collect();
    let service = json!({ "name": "web", "port": { "number": 80 } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": { "service": service } });
    let mut config = json!({
        "unmatched": "not_found",
        "ingresses": [{
            "kind": "Ingress",
            "metadata": { "name": "a", "annotations": said },
            "spec": { "rules": [{ "host": "a.example", "http": { "paths": [path] } }] },
        }],
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    policy::read(config.to_string().as_bytes()).unwrap().0
}

/// What becomes of a request of 127.0.0.1.
fn ask<'p>(policy: &'p Policy, host: &str, headers: &[(&str, &str)]) -> Disposition<'p> {
    let mut head = vec![(":method", "GET"), (":path", "/"), (":authority", host)];
    if !headers.iter().any(|(name, _)| *name == ":scheme") {
        head.push((":scheme", "http"));
    }
    head.extend(headers);
    let facts = Facts {
        property: &|path| (path == ["source", "address"]).then(|| b"127.0.0.1:1".to_vec()),
        ..Facts::NONE
    };
    route::dispose(policy, &EndpointTable::default(), &fields(&head), &facts)
}

fn status(disposition: &Disposition) -> u16 {
    match disposition {
        Disposition::Forward(_) => 200,
        Disposition::NotFound { .. } => 404,
        Disposition::Reply { reply, .. } => reply.status,
        Disposition::Pass { .. } | Disposition::Ask(_) => 0,
    }
}

fn forward<'p>(policy: &'p Policy, host: &str, headers: &[(&str, &str)]) -> Forward<'p> {
    match ask(policy, host, headers) {
        Disposition::Forward(forward) => forward,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whom_everybody_is_to_ask_is_asked_but_where_an_ingress_says_not_to() {
    let map = |url: &str| {
        json!({
            "config_map": { "global-auth-url": url },
            "authorizers": { "http://sso.test:80": "sso" },
        })
    };
    let off = [("enable-global-auth", "false")];
    for (said, url, wanted) in [
        (&[][..], "http://sso.test/ask", 0),
        (&off, "http://sso.test/ask", 200),
        // One that cannot be asked lets nobody in.
        (&[], "http://nobody.test/ask", 503),
        (&off, "http://nobody.test/ask", 200),
        (&[], "", 200),
    ] {
        let policy = policy(said, &map(url));
        let is = status(&ask(&policy, "a.example", &[]));
        assert_eq!(is, wanted, "{said:?} {url}");
    }
}

#[test]
fn headers_that_cannot_be_added_close_a_location_and_others_are_added() {
    let more = json!({
        "config_map": {
            "global-allowed-response-headers": "X-A",
            "proxy-set-headers": "default/sent",
        },
        "config_maps": {
            "default/fit": { "X-A": "a" },
            "default/unfit": { "X-B": "b" },
            "default/sent": { "X-C": "c" },
        },
    });
    for (named, wanted) in [
        ("default/fit", 200),
        ("default/unfit", 503),
        ("default/nobody", 503),
    ] {
        let policy = policy(&[("custom-headers", named)], &more);
        let is = status(&ask(&policy, "a.example", &[]));
        assert_eq!(is, wanted, "{named}");
    }
    let policy = policy(&[], &more);
    let forward = forward(&policy, "a.example", &[]);
    let mut edits = forward.edits.iter();
    let is_it = |edit: &Edit| format!("{edit:?}").to_lowercase().contains("x-c");
    assert!(edits.any(is_it), "{:?}", forward.edits);
}

#[test]
fn clients_are_kept_out_by_the_name_that_either_list_has() {
    let agents = json!({ "block-user-agents": "bad" });
    let referers = json!({ "block-referers": "bad" });
    for (map, header, wanted) in [
        (&agents, ("user-agent", "bad"), 403),
        (&agents, ("user-agent", "good"), 200),
        (&agents, ("referer", "bad"), 200),
        (&referers, ("referer", "bad"), 403),
        (&referers, ("user-agent", "bad"), 200),
        (&json!({}), ("user-agent", "bad"), 200),
        (&json!({}), ("user-agent", ""), 200),
    ] {
        let policy = policy(&[], &json!({ "config_map": map }));
        let is = status(&ask(&policy, "a.example", &[header]));
        assert_eq!(is, wanted, "{map} {header:?}");
    }
}

#[test]
fn a_header_says_who_the_client_is_where_whoever_connects_is_believed() {
    let list = [("whitelist-source-range", "10.0.0.0/8")];
    let client = [("x-forwarded-for", "10.0.0.1")];
    for (map, wanted) in [
        (json!({}), 403),
        (json!({ "use-forwarded-headers": "true" }), 200),
        (json!({ "enable-real-ip": "true" }), 200),
        (
            json!({ "enable-real-ip": "true", "proxy-real-ip-cidr": "192.0.2.0/24" }),
            403,
        ),
        (
            json!({ "enable-real-ip": "true", "forwarded-for-header": "X-Other" }),
            403,
        ),
        // It takes a listener that says it.
        (json!({ "use-proxy-protocol": "true" }), 403),
    ] {
        let policy = policy(&list, &json!({ "config_map": map }));
        assert_eq!(status(&ask(&policy, "a.example", &client)), wanted, "{map}");
    }
}

#[test]
fn a_body_that_is_said_to_be_too_long_goes_nowhere() {
    let policy = policy(&[("proxy-body-size", "4")], &json!({}));
    for (length, wanted) in [("4", 200), ("5", 413)] {
        let is = ask(&policy, "a.example", &[("content-length", length)]);
        assert_eq!(status(&is), wanted, "{length}");
    }
}

#[test]
fn browsers_are_kept_at_https_by_whatever_came_over_it() {
    let shut = [("denylist-source-range", "127.0.0.0/8")];
    for (scheme, is_on, wanted) in [
        ("https", true, true),
        ("http", true, false),
        ("https", false, false),
    ] {
        let more = json!({ "config_map": { "hsts": is_on } });
        let headers = [(":scheme", scheme)];
        let open = policy(&[], &more);
        let is = forward(&open, "a.example", &headers).hsts;
        assert_eq!(is, wanted, "{scheme} {is_on}");
        let shut = policy(&shut, &more);
        let Disposition::Reply { reply, .. } = ask(&shut, "a.example", &headers) else {
            panic!("it is open");
        };
        let mut names = reply.headers.iter().map(|(name, _)| name);
        let has = names.any(|name| name == "strict-transport-security");
        assert_eq!(has, wanted, "{scheme} {is_on}");
    }
}

#[test]
fn the_default_backend_takes_what_no_ingress_names() {
    for (key, wanted) in [("", 404), ("default/late:80", 200), ("late", 404)] {
        let policy = policy(&[], &json!({ "default_backend": key }));
        let is = ask(&policy, "other.example", &[]);
        assert_eq!(status(&is), wanted, "{key}");
        assert_eq!(status(&ask(&policy, "a.example", &[])), 200);
        if let Disposition::Forward(forward) = is {
            let cluster = policy.cluster(forward.cluster).unwrap();
            assert_eq!(cluster.service, key);
        }
    }
    let strays = json!({ "default_backend": "default/late:80", "unmatched": "pass" });
    let policy = policy(&[], &strays);
    assert_eq!(status(&ask(&policy, "other.example", &[])), 0);
}

#[test]
fn who_asks_for_addresses_is_known() {
    let list = [("whitelist-source-range", "10.0.0.0/8")];
    let limit = [("limit-rps", "1")];
    let none = json!({});
    for (said, more, wanted) in [
        (&[][..], &none, false),
        (&list, &none, true),
        (&limit, &none, true),
        (&list, &json!({ "close": ["default/a"] }), false),
        (
            &[],
            &json!({ "config_map": { "block-cidrs": "192.0.2.1" } }),
            true,
        ),
    ] {
        let policy = policy(said, more);
        assert_eq!(policy.asks_for_address(), wanted, "{said:?} {more}");
        assert_eq!(policy.location_count(), 1);
        assert!(policy.idle().is_none());
    }
    assert!(policy(&[], &json!({ "ingresses": [] })).idle().is_some());
}
