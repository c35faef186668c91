//! Behaviour that the recorded answers do not show, read from ingress-nginx's and nginx's
//! sources.

use super::*;
use crate::edit::Reply;
use crate::edit::fields;
use crate::endpoints::EndpointTable;
use crate::facts::Facts;
use crate::remark::{Problem, Remark};
use crate::route::lookup::Found;
use crate::route::{self, Disposition, Location};
use crate::zone::Verdict;
use serde_json::{Value, json};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

/// An Ingress of the class nginx with annotations and (host, pathType, path, service).
fn ingress(name: &str, annotations: &[(&str, &str)], paths: &[(&str, &str, &str, &str)]) -> Value {
    let annotations: serde_json::Map<String, Value> = annotations
        .iter()
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), json!(value)))
        .collect();
    let rules: Vec<Value> = paths
        .iter()
        .map(|(host, kind, path, service)| {
            let service = json!({"name": service, "port": {"number": 80}});
            let path = json!({"path": path, "pathType": kind, "backend": {"service": service}});
            json!({"host": host, "http": {"paths": [path]}})
        })
        .collect();
    json!({
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"ingressClassName": "nginx", "rules": rules},
    })
}

fn compile_with(ingresses: &[Value], extra: Value) -> (Policy, Vec<Remark>) {
    let mut configuration = json!({"ingresses": ingresses, "unmatched": "not_found"});
    for (key, value) in extra.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    read(configuration.to_string().as_bytes()).unwrap()
}

/// What becomes of a request, in words.
fn ask(policy: &Policy, url: &str, headers: &[(&str, &str)]) -> String {
    ask_where(policy, url, headers, &|_| None)
}

/// The same, with what the proxy says of the stream.
fn ask_where(
    policy: &Policy,
    url: &str,
    headers: &[(&str, &str)],
    property: &dyn Fn(&[&str]) -> Option<Vec<u8>>,
) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    let mut all = vec![(":method", "GET"), (":scheme", scheme), (":path", path)];
    if !host.is_empty() {
        all.push((":authority", host));
    }
    all.extend(headers);
    let facts = Facts {
        property,
        ..Facts::NONE
    };
    let said = |reply: &Reply| {
        let location = reply.headers.iter().find(|(name, _)| name == "location");
        let location = location.map_or(&b""[..], |(_, value)| value);
        format!("{} {}", reply.status, String::from_utf8_lossy(location))
    };
    match route::dispose(policy, &EndpointTable::default(), &fields(&all), &facts) {
        Disposition::Pass { .. } => "pass".to_owned(),
        Disposition::Ask(question) => format!("ask {}", question.cluster),
        Disposition::NotFound { .. } => "404 ".to_owned(),
        Disposition::Reply { reply, .. } => said(&reply),
        Disposition::Forward(forward) => {
            let cluster = policy.cluster(forward.cluster).unwrap();
            let path = forward.path.unwrap_or(path.as_bytes().to_vec());
            let path = String::from_utf8_lossy(&path).into_owned();
            let hash = forward
                .hash_by
                .map(|hash| format!(" hash={}", String::from_utf8_lossy(&hash)));
            format!(
                "{} {path}{}",
                cluster.upstream_name,
                hash.unwrap_or_default()
            )
        }
    }
}

/// Asserts each (url, answer).
fn check(policy: &Policy, rows: &[(&str, &str)]) {
    for (url, want) in rows {
        assert_eq!(ask(policy, url, &[]), *want, "{url}");
    }
}

#[test]
fn the_first_manifest_works() {
    let paths = [
        ("sample.example.com", "Prefix", "/(app1/.*)", "http-service"),
        ("sample.example.com", "Prefix", "/(app2/.*)", "http-service"),
    ];
    let annotations = [
        ("rewrite-target", "/$1"),
        ("affinity", "cookie"),
        ("session-cookie-name", "route"),
        ("session-cookie-path", "/"),
        ("session-cookie-hash", "sha1"),
    ];
    let (policy, _) = compile_with(
        &[ingress("sample-ingress", &annotations, &paths)],
        json!({}),
    );
    check(
        &policy,
        &[
            (
                "http://sample.example.com/app1/",
                "default-http-service-80 /app1/",
            ),
            (
                "http://sample.example.com/app2/x?y",
                "default-http-service-80 /app2/x?y",
            ),
            ("http://sample.example.com/app3/", "404 "),
            ("http://other.example.com/app1/", "404 "),
        ],
    );
    assert_eq!(
        policy.clusters[0].affinity.as_ref().unwrap().cookie_name(),
        "route"
    );
    let host = policy.virtual_hosts().find(|host| host.is_regex).unwrap();
    assert!(
        host.locations
            .iter()
            .all(|location| location.sets_cookie(false) || location.is_implicit)
    );
}

#[test]
fn what_no_ingress_names_passes_through_by_default() {
    let one = ingress(
        "a",
        &[("force-ssl-redirect", "true")],
        &[("h.example", "Prefix", "/a", "s")],
    );
    let (policy, _) = compile_with(&[one], json!({"unmatched": "pass"}));
    check(
        &policy,
        &[
            ("http://h.example/a", "308 https://h.example/a"),
            ("https://h.example/a", "default-s-80 /a"),
            ("http://h.example/b", "pass"),
            ("http://x.example/a", "pass"),
            ("http://x.example/%zz", "pass"),
            ("http://h.example/%zz", "400 "),
            ("http://h..example/", "pass"),
        ],
    );
}

// nginx.tmpl: `return` in a location runs in the rewrite module, before the Lua that
// redirects to https; a missing Service is found out after it.
#[test]
fn redirects_stand_in_the_order_of_nginx() {
    let all = ingress(
        "a",
        &[
            ("permanent-redirect", "https://n.example"),
            ("app-root", "/x"),
            ("force-ssl-redirect", "true"),
        ],
        &[("h.example", "Prefix", "/", "s")],
    );
    let (policy, _) = compile_with(&[all], json!({}));
    check(
        &policy,
        &[
            ("http://h.example/", "302 http://h.example/x"),
            ("http://h.example/y", "301 https://n.example"),
        ],
    );
    let forced = ingress(
        "a",
        &[("force-ssl-redirect", "true")],
        &[("h.example", "Prefix", "/", "s")],
    );
    let (policy, remarks) = compile_with(&[forced], json!({"services": []}));
    check(
        &policy,
        &[
            ("http://h.example/y", "308 https://h.example/y"),
            ("https://h.example/y", "503 "),
        ],
    );
    assert!(
        remarks
            .iter()
            .any(|remark| remark.problem == Problem::NoService)
    );
}

// redirect.go: temporal-redirect wants http(s), permanent-redirect anything; codes out of range
// fall back; a status that is no redirect carries the URL as a body.
#[test]
fn redirect_annotations_are_read_as_redirect_go_reads_them() {
    for (annotations, want) in [
        (
            vec![
                ("temporal-redirect", "https://t"),
                ("temporal-redirect-code", "307"),
            ],
            "307 https://t",
        ),
        (
            vec![
                ("temporal-redirect", "https://t"),
                ("temporal-redirect-code", "308"),
            ],
            "302 https://t",
        ),
        (
            vec![
                ("temporal-redirect", "ftp://t"),
                ("permanent-redirect", "https://p"),
            ],
            "default-s-80 /x",
        ),
        (
            vec![
                ("permanent-redirect", "https://p"),
                ("permanent-redirect-code", "308"),
            ],
            "308 https://p",
        ),
        (
            vec![
                ("permanent-redirect", "https://p"),
                ("permanent-redirect-code", "200"),
            ],
            "301 https://p",
        ),
        (
            vec![
                ("permanent-redirect", "https://p"),
                ("permanent-redirect-code", "300"),
            ],
            "300 ",
        ),
        // `isValidURL` fails where Go's `url.Parse` does.
        (
            vec![("temporal-redirect", "https://t:abc/")],
            "default-s-80 /x",
        ),
        (
            vec![("temporal-redirect", "https://[::1]:8443/")],
            "302 https://[::1]:8443/",
        ),
        (vec![("permanent-redirect", "/p")], "301 http://h.example/p"),
        (
            vec![("permanent-redirect", "/p"), ("relative-redirects", "true")],
            "301 /p",
        ),
        (
            vec![("permanent-redirect", "https://p$request_uri")],
            "301 https://p/x",
        ),
        (
            vec![("permanent-redirect", "https://p/$uri")],
            "301 https://p//x",
        ),
    ] {
        let one = ingress("a", &annotations, &[("h.example", "Prefix", "/", "s")]);
        let (policy, _) = compile_with(&[one], json!({}));
        check(&policy, &[("http://h.example/x", want)]);
    }
}

// A decoded line break in a variable would end the header in nginx; it is escaped here.
#[test]
fn nothing_of_a_request_reaches_a_header_unescaped() {
    let one = ingress(
        "a",
        &[("permanent-redirect", "https://p$uri")],
        &[("h.example", "Prefix", "/", "s")],
    );
    let (policy, _) = compile_with(&[one], json!({}));
    check(
        &policy,
        &[("http://h.example/a%0D%0Ab:c", "301 https://p/a%0D%0Ab:c")],
    );
    let one = ingress(
        "a",
        &[("rewrite-target", "/"), ("x-forwarded-prefix", "/$1")],
        &[("h.example", "Prefix", "/(.*)x", "s")],
    );
    let (policy, _) = compile_with(&[one], json!({}));
    let headers = fields(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/a%0Dbx"),
        (":authority", "h.example"),
    ]);
    let facts = Facts::NONE;
    let Disposition::Forward(forward) =
        route::dispose(&policy, &EndpointTable::default(), &headers, &facts)
    else {
        panic!("not forwarded");
    };
    let value = crate::edit::FieldValue::new(&b"/a%0Db"[..]);
    let want = crate::edit::Edit::Set("x-forwarded-prefix".into(), value);
    assert_eq!(forward.edits, [want]);
}

// updateServerLocations and enforceRegexModifier: a target equal to the written path no longer
// equals the path once that has its slash, and turns the host regex.
#[test]
fn a_target_equal_to_its_path_still_turns_the_host_regex() {
    let one = ingress(
        "a",
        &[("rewrite-target", "/foo")],
        &[("h.example", "Prefix", "/foo", "s")],
    );
    let (policy, _) = compile_with(&[one], json!({}));
    check(
        &policy,
        &[
            ("http://h.example/FOO", "default-s-80 /FOO"),
            ("http://h.example/foo/x", "default-s-80 /foo"),
        ],
    );
}

#[test]
fn of_two_locations_that_nginx_would_not_take_together_one_is_served() {
    let one = ingress(
        "a",
        &[],
        &[
            ("h.example", "Prefix", "/foo", "one"),
            ("h.example", "Prefix", "/foo/", "two"),
        ],
    );
    let (policy, remarks) = compile_with(&[one], json!({}));
    check(
        &policy,
        &[("http://h.example/foo/x", "default-two-80 /foo/x")],
    );
    assert!(
        remarks
            .iter()
            .any(|remark| matches!(remark.problem, Problem::SameLocation { .. })),
        "{remarks:?}"
    );
}

// A younger Ingress's `/admin/` once took the place of `/admin`, and one that was of no use opened it.
#[test]
fn nobodys_location_gives_way_to_a_younger_ingress() {
    let older = ingress(
        "older",
        &[],
        &[
            ("h.example", "Prefix", "/", "root"),
            ("h.example", "Prefix", "/admin", "admin"),
        ],
    );
    for annotations in [&[][..], &[("upstream-vhost", "$nope")]] {
        let paths = [("h.example", "Prefix", "/admin/", "other")];
        let younger = ingress("younger", annotations, &paths);
        let (policy, _) = compile_with(&[older.clone(), younger], json!({}));
        check(
            &policy,
            &[
                ("http://h.example/admin/x", "default-admin-80 /admin/x"),
                ("http://h.example/admin", "default-admin-80 /admin"),
                // The other half of the younger one's path, too.
                ("http://h.example/admin/", "default-admin-80 /admin/"),
            ],
        );
    }
    // The other way round it is the older one's, and where it is of no use the younger one's.
    for (annotations, served) in [
        (&[][..], "other"),
        (&[("upstream-vhost", "$nope")], "admin"),
    ] {
        let paths = [("h.example", "Prefix", "/admin/", "other")];
        let elder = ingress("elder", annotations, &paths);
        let (policy, _) = compile_with(&[elder, older.clone()], json!({}));
        let served = format!("default-{served}-80 /admin/x");
        check(&policy, &[("http://h.example/admin/x", &served)]);
    }
}

// Anybody's `//` once sent whoever asked for `/` to itself, without end.
#[test]
fn a_path_that_is_a_prefix_is_sent_to_no_slash() {
    for (own, others, kind, asked) in [
        ("/", "//", "Prefix", "/"),
        ("/foo", "/foo//", "Exact", "/foo/"),
    ] {
        let older = ingress("older", &[], &[("h.example", "Prefix", own, "own")]);
        let younger = ingress("younger", &[], &[("h.example", kind, others, "other")]);
        let (policy, _) = compile_with(&[older, younger], json!({}));
        let url = format!("http://h.example{asked}");
        let served = format!("default-own-80 {asked}");
        check(&policy, &[(&url, &served)]);
    }
}

#[test]
fn a_path_that_cannot_be_compiled_disables_itself_alone() {
    let bad = ingress(
        "bad",
        &[("use-regex", "true")],
        &[("h.example", "Prefix", r"/(a)\1", "s")],
    );
    let good = ingress("good", &[], &[("h.example", "Prefix", "/b", "s")]);
    let (policy, remarks) = compile_with(&[bad, good], json!({}));
    check(
        &policy,
        &[
            ("http://h.example/aa", "404 "),
            ("http://h.example/b", "default-s-80 /b"),
        ],
    );
    let text = remarks[0].to_string();
    let want = r#"ingress default/bad: path: "/(a)\\1" has a back reference, which a linear-time engine cannot run; the path is ignored"#;
    assert_eq!(text, want);
}

#[test]
fn strict_drops_what_ingress_nginx_drops() {
    for (annotation, value, served) in [
        ("permanent-redirect", "https://a b", false),
        ("server-alias", "a;b", false),
        ("x-forwarded-prefix", "/a;b", false),
        ("upstream-vhost", "a b", false),
        ("configuration-snippet", "return 418;", false),
        ("custom-http-errors", "abc", false),
        ("rewrite-target", "/a,b", true),
        ("temporal-redirect-code", "abc", true),
        ("permanent-redirect-code", "abc", false),
        ("ssl-redirect", "maybe", true),
        ("affinity", "ip", true),
    ] {
        let one = ingress(
            "a",
            &[(annotation, value)],
            &[("h.example", "Prefix", "/x", "s")],
        );
        let (policy, remarks) = compile_with(&[one], json!({"strict": true}));
        let want = if served { "default-s-80 /x" } else { "404 " };
        assert_eq!(
            ask(&policy, "http://h.example/x", &[]),
            want,
            "{annotation}: {value}"
        );
        assert!(!remarks.is_empty(), "{annotation}: {value}");
    }
}

#[test]
fn what_goes_with_an_annotation_that_is_not_there_refuses_nothing() {
    for (head, annotation, value) in [
        ("auth-type", "auth-realm", "a;b"),
        ("auth-type", "auth-secret-type", "a;b"),
        ("auth-url", "auth-method", "a;b"),
        ("auth-url", "auth-response-headers", "a;b"),
        ("auth-tls-secret", "auth-tls-match-cn", "a;b"),
        (
            "auth-tls-secret",
            "auth-tls-error-page",
            "https://a.test/?b",
        ),
        (
            "auth-tls-secret",
            "auth-tls-pass-certificate-to-upstream",
            "b",
        ),
    ] {
        for beside in [None, Some(""), Some("b")] {
            let head = beside.map(|value| (head, value));
            let all: Vec<_> = head.into_iter().chain([(annotation, value)]).collect();
            let one = ingress("a", &all, &[("h.example", "Prefix", "/x", "s")]);
            let (policy, remarks) = compile_with(&[one], json!({ "strict": true }));
            let is_served = ask(&policy, "http://h.example/x", &[]) == "default-s-80 /x";
            assert_eq!(is_served, beside != Some("b"), "{all:?}");
            let is_refused = |one: &Remark| matches!(one.problem, Problem::Refused { .. });
            let is_told = remarks.iter().any(is_refused);
            assert_eq!(is_told, beside == Some("b"), "{all:?}: {remarks:?}");
        }
    }
}

// ListIngresses: the oldest first, then by descending namespace/name; the first one has a path.
#[test]
fn older_ingresses_win_and_then_later_names() {
    let at = |name: &str, created: Option<&str>| {
        let mut one = ingress(name, &[], &[("h.example", "Prefix", "/", name)]);
        if let Some(created) = created {
            one["metadata"]["creationTimestamp"] = json!(created);
        }
        one
    };
    let (old, new) = (Some("2020-01-01T00:00:00Z"), Some("2021-01-01T00:00:00Z"));
    for (ingresses, want) in [
        (vec![at("a", new), at("b", old)], "b"),
        (vec![at("a", old), at("b", old)], "b"),
        (vec![at("a", None), at("b", None)], "a"),
        (vec![at("a", None), at("b", new)], "b"),
    ] {
        let (policy, _) = compile_with(&ingresses, json!({}));
        check(
            &policy,
            &[("http://h.example/", &format!("default-{want}-80 /"))],
        );
    }
}

#[test]
fn what_a_text_names_itself_is_open_to_nobody() {
    for (to, headers, want) in [
        ("https://$namespace/x", &[][..], "301 https://default/x"),
        (
            "https://$service_name:$service_port/",
            &[],
            "301 https://web:80/",
        ),
        ("https://$args/x", &[], "400 "),
        ("https://$http_x_to/x", &[("x-to", "evil.test")], "400 "),
        (
            "https://$cookie_to/x",
            &[("cookie", "to=evil.test")],
            "400 ",
        ),
        ("/x$is_args$args", &[], "301 https://a.test/x?evil.test"),
    ] {
        let said = [("permanent-redirect", to)];
        let one = ingress("a", &said, &[("a.test", "Prefix", "/", "web")]);
        let (policy, _) = compile_with(&[one], json!({}));
        assert_eq!(
            ask(&policy, "https://a.test/y?evil.test", headers),
            want,
            "{to}"
        );
    }
    let said = [("permanent-redirect", "/x$is_args$args")];
    let one = ingress("a", &said, &[("a.test", "Prefix", "/", "web")]);
    let (policy, _) = compile_with(&[one], json!({}));
    check(&policy, &[("https://a.test/y", "301 https://a.test/x")]);
}

#[test]
fn the_groups_of_a_path_are_those_of_its_redirect_and_its_prefix() {
    let regex = ("use-regex", "true");
    for (said, path, rows) in [
        (
            &[regex, ("permanent-redirect", "/to/$1")][..],
            "/a/(.*)",
            &[("https://a.test/a/b", "301 https://a.test/to/b")][..],
        ),
        // The rewrite looks for the path anywhere, the location at the start of its first alternative.
        (
            &[("rewrite-target", "/r$1")],
            "/a|/b(.*)",
            &[
                ("https://a.test/xx/b1", "default-web-80 /r1"),
                ("https://a.test/xx/a/b1", "default-web-80 /r"),
                ("https://a.test/xx/a", "404 "),
            ],
        ),
        // Escaped again in arguments only where the path held an escape.
        (
            &[("rewrite-target", "/x?k=$1")],
            "/a/(.*)",
            &[
                ("https://a.test/a/b&c", "default-web-80 /x?k=b&c"),
                ("https://a.test/a/b&%63", "default-web-80 /x?k=b%26c"),
            ],
        ),
        (
            &[regex, ("upstream-hash-by", "-$1")],
            "/a/(.*)",
            &[("https://a.test/a/b", "default-web-80 /a/b hash=-b")],
        ),
    ] {
        let one = ingress("a", said, &[("a.test", "Prefix", path, "web")]);
        let (policy, _) = compile_with(&[one], json!({}));
        check(&policy, rows);
    }
}

#[test]
fn no_redirect_to_a_host_of_the_request_leads_where_a_browser_reads_another() {
    let said = [("force-ssl-redirect", "true")];
    let one = ingress("a", &said, &[("", "Prefix", "/", "web")]);
    let trusting = json!({"config_map": {"use-forwarded-headers": "true"}});
    let (policy, _) = compile_with(&[one], trusting);
    for (host, want) in [
        ("f.example", "308 https://f.example/x"),
        ("f.example:81", "308 https://f.example/x"),
        ("[::1]:81", "308 https://[::1]/x"),
        ("evil@f.example", "400 "),
        ("f.example/", "400 "),
        ("f.example\\", "400 "),
        (":81", "400 "),
        ("", "400 "),
        (" , f.example", "400 "),
    ] {
        let headers = [("x-forwarded-host", host)];
        assert_eq!(
            ask(&policy, "http://h.example/x", &headers),
            want,
            "{host:?}"
        );
    }
}

#[test]
fn what_a_proxy_in_front_says_of_tls_counts_where_it_is_trusted() {
    let one = ingress("a", &[], &[("h.example", "Prefix", "/", "web")]);
    for (trusts, proto, is_https) in [
        (true, "https", true),
        (true, "http", false),
        (true, "HTTPS", false),
        (false, "https", false),
    ] {
        let keys = json!({ "trust_forwarded_proto": trusts });
        let (policy, _) = compile_with(std::slice::from_ref(&one), keys);
        let said = [("x-forwarded-proto", proto)];
        let forward = forward_with(&policy, "h.example", &said);
        assert_eq!(forward.https, is_https, "{trusts} {proto}");
    }
}

#[test]
fn of_several_forwarded_hosts_a_pod_is_told_the_first() {
    let one = ingress("a", &[], &[("h.example", "Prefix", "/", "web")]);
    let keys = json!({"config_map": {"use-forwarded-headers": "true"}, "forwarded_host": true});
    let (policy, _) = compile_with(&[one], keys);
    for (host, told, seen) in [
        ("f.example", None, Some("f.example")),
        ("f.example, g.example", Some("f.example"), Some("f.example")),
        ("h.example, g.example", Some("h.example"), None),
        ("h.example", None, None),
    ] {
        let said = [("x-forwarded-host", host)];
        let forward = forward_with(&policy, "h.example", &said);
        let set = |name: &str| {
            forward.edits.iter().find_map(|edit| match edit {
                crate::edit::Edit::Set(own, value) if own == name => {
                    Some(String::from_utf8_lossy(value).into_owned())
                }
                _ => None,
            })
        };
        assert_eq!(set("x-forwarded-host").as_deref(), told, "{host}");
        assert_eq!(set(":authority").as_deref(), seen, "{host}");
    }
}

#[test]
fn a_location_among_patterns_is_looked_for_once() {
    let paths = ["/a.*", "/b.*"].map(|path| ("x.example", "ImplementationSpecific", path, "web"));
    let (policy, _) = compile_with(&[ingress("a", &[("use-regex", "true")], &paths)], json!({}));
    let host = policy.virtual_hosts().find(|host| host.is_regex).unwrap();
    let known = OnceCell::new();
    let found = |uri, known| match host.find(uri, known) {
        Found::Location(location) => location.path.clone(),
        _ => "none".to_owned(),
    };
    assert_eq!(found(b"/ax", &known), "/a.*");
    // Whoever looked again would see it.
    assert_eq!(found(b"/bx", &known), "/a.*");
    assert_eq!(found(b"/bx", &OnceCell::new()), "/b.*");
}

#[test]
fn hosts_are_found_as_nginx_finds_them() {
    let one = ingress(
        "a",
        &[(
            "server-alias",
            "alias.example,*.deep.example,~^re[0-9]+\\.example$",
        )],
        &[("h.example", "Prefix", "/", "exact")],
    );
    let wild = ingress("b", &[], &[("*.example", "Prefix", "/", "wild")]);
    let (policy, _) = compile_with(&[one, wild], json!({}));
    check(
        &policy,
        &[
            ("http://h.example/", "default-exact-80 /"),
            ("http://H.EXAMPLE.:8080/", "default-exact-80 /"),
            ("http://alias.example/", "default-exact-80 /"),
            ("http://a.b.deep.example/", "default-exact-80 /"),
            ("http://x.example/", "default-wild-80 /"),
            ("http://x-_9.example/", "default-wild-80 /"),
            ("http://x~.example/", "404 "),
            ("http://.example/", "404 "),
            ("http://a.x.example/", "404 "),
            ("http://a..example/", "400 "),
            ("http://[::1]:80/", "404 "),
        ],
    );
}

// nginx.tmpl: the default server answers load balancers; a regex location hides it.
#[test]
fn the_default_server_answers_health_checks() {
    let (policy, _) = compile_with(&[], json!({}));
    check(
        &policy,
        &[("http://any/healthz", "200 "), ("http://any/x", "404 ")],
    );
    let (policy, _) = compile_with(&[], json!({"unmatched": "pass"}));
    check(
        &policy,
        &[("http://any/healthz", "pass"), ("http://any/x", "pass")],
    );
}

// lua_ingress.lua: use-forwarded-headers trusts X-Forwarded-Proto and -Host.
#[test]
fn forwarded_headers_count_where_they_are_trusted() {
    let one = ingress(
        "a",
        &[("force-ssl-redirect", "true")],
        &[("h.example", "Prefix", "/", "s")],
    );
    let trusting = json!({"config_map": {"use-forwarded-headers": "true"}});
    let (policy, _) = compile_with(std::slice::from_ref(&one), trusting);
    let from =
        |policy: &Policy, headers: &[(&str, &str)]| ask(policy, "http://h.example/x/", headers);
    let https = ("x-forwarded-proto", "https");
    assert_eq!(from(&policy, &[https]), "default-s-80 /x/");
    let host = ("x-forwarded-host", "f.example:81, g.example");
    assert_eq!(from(&policy, &[host]), "308 https://f.example/x");
    let (policy, _) = compile_with(&[one], json!({}));
    assert_eq!(from(&policy, &[https]), "308 https://h.example/x");
}

#[test]
fn config_map_settings_are_the_defaults() {
    let one = ingress("a", &[], &[("h.example", "Prefix", "/", "s")]);
    for (setting, want) in [
        (
            json!({"force-ssl-redirect": "true", "http-redirect-code": "301"}),
            "301 https://h.example/x",
        ),
        (
            json!({"force-ssl-redirect": "true", "http-redirect-code": "404"}),
            "308 https://h.example/x",
        ),
        (
            json!({"force-ssl-redirect": "true", "preserve-trailing-slash": "true"}),
            "308 https://h.example/x/",
        ),
        (
            json!({"force-ssl-redirect": "true", "use-port-in-redirects": "true"}),
            "308 https://h.example:443/x",
        ),
        (
            json!({"force-ssl-redirect": "true", "no-tls-redirect-locations": "/a, /"}),
            "default-s-80 /x/",
        ),
    ] {
        let (policy, _) = compile_with(std::slice::from_ref(&one), json!({"config_map": setting}));
        check(&policy, &[("http://h.example/x/", want)]);
    }
}

#[test]
fn hash_by_is_filled_in_for_each_request() {
    let one = ingress(
        "a",
        &[
            ("upstream-hash-by", "$request_uri-${host}$arg_k"),
            ("upstream-hash-by-subset", "true"),
        ],
        &[("h.example", "Prefix", "/", "s")],
    );
    let (policy, _) = compile_with(&[one], json!({}));
    check(
        &policy,
        &[(
            "http://h.example/x?k=v",
            "default-s-80 /x?k=v hash=/x?k=v-h.examplev",
        )],
    );
    let subset = policy.clusters[0].hash_by.unwrap().subset_size.unwrap();
    assert_eq!(subset.get(), 3);
}

// mergeAlternativeBackends.
#[test]
fn canaries_stand_beside_the_primary_of_the_same_host_and_path() {
    let primary = ingress(
        "a",
        &[("affinity", "cookie")],
        &[("h.example", "Prefix", "/", "one")],
    );
    let canary = ingress(
        "b",
        &[("canary", "true"), ("canary-weight", "10")],
        &[("h.example", "Prefix", "/", "two")],
    );
    let lost = ingress(
        "c",
        &[("canary", "true")],
        &[("x.example", "Prefix", "/", "three")],
    );
    let (policy, remarks) = compile_with(&[primary, canary, lost], json!({}));
    let named = |name: &str| {
        policy
            .clusters
            .iter()
            .find(|cluster| cluster.upstream_name == name)
    };
    let (one, two) = (
        named("default-one-80").unwrap(),
        named("default-two-80").unwrap(),
    );
    let alternative = policy.cluster(one.alternatives[0]).unwrap();
    assert_eq!(alternative.upstream_name, two.upstream_name);
    assert!(two.canary.is_some() && two.affinity.is_some());
    assert!(
        remarks
            .iter()
            .any(|remark| remark.problem == Problem::NoPrimary),
        "{remarks:?}"
    );
}

#[test]
fn unknown_names_are_told_with_the_nearest_known_one() {
    let one = ingress(
        "a",
        &[("rewrite-traget", "/")],
        &[("h.example", "Prefix", "/", "s")],
    );
    let (_, remarks) = compile_with(
        &[one],
        json!({"clustres": {}, "discovery": {"interval": 5}}),
    );
    let texts: Vec<String> = remarks.iter().map(ToString::to_string).collect();
    let has = |part: &str| texts.iter().any(|text| text.contains(part));
    assert!(has("did you mean rewrite-target?"), "{texts:?}");
    assert!(has("did you mean clusters?"), "{texts:?}");
    assert!(has("discovery.interval: is unknown"), "{texts:?}");
}

#[test]
fn ingresses_of_the_classes_given_are_taken_and_no_others() {
    let of_class = |class: &str| {
        let paths = [("a.example", "Prefix", "/", "web")];
        let mut ingress = ingress("shop", &[], &paths);
        ingress["spec"]["ingressClassName"] = json!(class);
        ingress
    };
    for (classes, class, taken) in [
        (json!(null), "nginx", true),
        (json!(null), "internal", false),
        (json!(["nginx", "internal"]), "internal", true),
        (json!(["internal"]), "nginx", false),
        (json!([]), "nginx", false),
        (json!("internal"), "nginx", true),
    ] {
        let extra = json!({"ingress_classes": classes});
        let (policy, _) = compile_with(&[of_class(class)], extra);
        let found = policy.virtual_hosts().any(|host| host.name == "a.example");
        assert_eq!(found, taken, "{class} of {classes}");
    }
}

// `GetIngressClass`: `--watch-ingress-without-class` is off by default.
#[test]
fn the_variables_of_a_redirect_say_what_nginx_says() {
    let property = |path: &[&str]| match path {
        ["request", "protocol"] => Some(b"HTTP/1.1".to_vec()),
        ["source", "address"] => Some(b"10.0.0.1:4000".to_vec()),
        ["destination", "address"] => Some(b"10.0.0.9:443".to_vec()),
        _ => None,
    };
    for (variable, want) in [
        ("host", "a.test"),
        ("http_host", "a.test:81"),
        ("best_http_host", "a.test:81"),
        ("uri", "/x y"),
        ("request_uri", "/x%20y?q=1"),
        ("escaped_request_uri", "%2Fx%2520y%3Fq%3D1"),
        ("args", "q=1"),
        ("query_string", "q=1"),
        ("is_args", "?"),
        ("arg_q", "1"),
        ("content_type", "text/a"),
        ("content_length", "5"),
        ("http_x_two", "1, 2"),
        ("http_cookie", "c=2; d=3"),
        ("server_protocol", "HTTP/1.1"),
        ("request", "GET /x%20y?q=1 HTTP/1.1"),
        ("server_addr", "10.0.0.9"),
        ("server_port", "443"),
        ("remote_addr", "10.0.0.1"),
        ("remote_port", "4000"),
        ("proxy_add_x_forwarded_for", "10.9.9.9, 10.0.0.1"),
        ("subdomain", ""),
        ("scheme", "https"),
        ("https", "on"),
        ("request_method", "GET"),
        ("server_name", "a.test"),
        ("literal_dollar", "$"),
        ("namespace", "default"),
        ("ingress_name", "a"),
        ("service_name", "web"),
        ("service_port", "80"),
        ("location_path", "/"),
        ("proxy_upstream_name", "default-web-80"),
        ("http_x_one", "1"),
        ("cookie_c", "2"),
        ("upstream_addr", ""),
    ] {
        let to = format!("https://t.test/-${{{variable}}}-");
        let one = ingress(
            "a",
            &[("permanent-redirect", &to)],
            &[("a.test", "Prefix", "/", "web")],
        );
        let (policy, _) = compile_with(&[one], json!({}));
        let headers = [
            ("x-one", "1"),
            ("x-two", "1"),
            ("x-two", "2"),
            ("cookie", "c=2"),
            ("cookie", "d=3"),
            ("content-type", "text/a"),
            ("content-length", "5"),
            ("x-original-forwarded-for", "10.9.9.9"),
        ];
        let said = ask_where(&policy, "https://a.test:81/x%20y?q=1", &headers, &property);
        assert_eq!(said, format!("301 https://t.test/-{want}-"), "${variable}");
    }
}

#[test]
fn what_looks_like_configuration_drops_an_ingress_under_strict_alone() {
    for (text, looks_so) in [
        ("/x{alias /etc;}", true),
        ("/alias/x", false),
        ("/;alias", false),
        ("/x{root /;}", true),
        ("/rooted", false),
        ("/etc/passwd", true),
        ("/etc/shadow", true),
        ("/etc/group", true),
        ("/etc/nginx/x", true),
        ("/etc/ingress-controller", true),
        ("/etc/hosts", false),
        ("/var/run/secrets/x", true),
        ("/var/run/x", false),
        ("/x_by_lua_block", true),
        ("/by_lua", false),
    ] {
        let one = ingress(
            "a",
            &[],
            &[("a.test", "ImplementationSpecific", text, "web")],
        );
        for strict in [false, true] {
            let (policy, remarks) =
                compile_with(std::slice::from_ref(&one), json!({ "strict": strict }));
            let told = remarks.iter();
            let told = told.filter(|one| one.problem == Problem::LooksLikeConfiguration);
            assert_eq!(told.count(), usize::from(looks_so), "{text}");
            let hosts = policy.virtual_hosts().filter(|host| host.name == "a.test");
            assert_eq!(
                hosts.count() > 0,
                !(looks_so && strict),
                "{text}, strict: {strict}"
            );
        }
    }
}

#[test]
fn strict_takes_an_ingress_without_a_class_only_where_the_default_class_is_ours() {
    let paths = [("a.example", "Prefix", "/", "web")];
    for (classes, strict, taken) in [
        (json!(null), false, true),
        (json!(null), true, false),
        (json!(["nginx"]), true, false),
        (json!(["nginx", ""]), true, true),
    ] {
        let mut one = ingress("shop", &[], &paths);
        one["spec"]
            .as_object_mut()
            .unwrap()
            .remove("ingressClassName");
        let extra = json!({"ingress_classes": classes, "strict": strict});
        let (policy, remarks) = compile_with(&[one], extra);
        let found = policy.virtual_hosts().any(|host| host.name == "a.example");
        assert_eq!(found, taken, "{classes}, strict: {strict}");
        assert_eq!(remarks.is_empty(), taken, "{remarks:?}");
    }
}

// A controller that was started with `--annotations-prefix=ingress.kubernetes.io`.
#[test]
fn annotations_are_read_under_the_prefix_given_and_told_under_the_other_one() {
    let paths = [("a.example", "ImplementationSpecific", "/ui(/|$)(.*)", "ui")];
    let mut one = ingress("ui", &[("rewrite-target", "/other/$2")], &paths);
    one["metadata"]["annotations"]["ingress.kubernetes.io/rewrite-target"] = json!("/$2");
    one["metadata"]["annotations"]["ingress.kubernetes.io/affinty"] = json!("cookie");
    let ask_about = |extra: Value| {
        let (policy, remarks) = compile_with(std::slice::from_ref(&one), extra);
        let texts: Vec<String> = remarks.iter().map(ToString::to_string).collect();
        (ask(&policy, "http://a.example/ui/x", &[]), texts)
    };
    let (other, told) = ask_about(json!({}));
    assert_eq!(other, "default-ui-80 /other/x");
    assert!(told.is_empty(), "{told:?}");
    for prefix in ["ingress.kubernetes.io", "ingress.kubernetes.io/"] {
        let (own, told) = ask_about(json!({ "annotations_prefix": prefix }));
        assert_eq!(own, "default-ui-80 /x");
        assert_eq!(
            told,
            [
                "ingress default/ui: nginx.ingress.kubernetes.io/rewrite-target: \"/other/$2\" is not \
                 read, annotations_prefix is ingress.kubernetes.io; ignored",
                "ingress default/ui: affinty: \"cookie\" is set, but ingress-nginx knows no annotation \
                 affinty; did you mean affinity? Ignored",
            ]
        );
    }
}

// `serviceEndpoints`: number, name or target, of the first port that has it.
#[test]
fn a_backend_port_is_a_port_a_name_or_a_target_of_its_service() {
    let with_port = |port: Value, service: &Value| {
        let mut one = ingress("a", &[], &[("h.example", "Prefix", "/", "s")]);
        one["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] = port;
        let (policy, remarks) = compile_with(&[one], json!({ "services": [service] }));
        let texts: Vec<String> = remarks.iter().map(ToString::to_string).collect();
        (ask(&policy, "http://h.example/", &[]), texts.join("\n"))
    };
    let ports =
        json!([{"name": "web", "port": 80, "targetPort": 3000}, {"port": 81, "targetPort": "adm"}]);
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": ports}});
    for (port, named) in [
        (json!({"number": 80}), "80"),
        (json!({"number": 3000}), "3000"),
        (json!({"name": "web"}), "web"),
        (json!({"name": "adm"}), "adm"),
    ] {
        let (answer, told) = with_port(port, &service);
        assert_eq!(
            (answer, told),
            (format!("default-s-{named} /"), String::new())
        );
    }
    let (answer, told) = with_port(json!({"number": 8080}), &service);
    assert_eq!(answer, "503 ");
    assert!(
        told.contains("does not have, it has 80 (web, targetPort 3000), 81 (targetPort adm); its"),
        "{told}"
    );
    let mut external = service;
    external["spec"]["type"] = json!("ExternalName");
    let (answer, told) = with_port(json!({"number": 8080}), &external);
    assert_eq!(
        (answer, told),
        ("default-s-8080 /".to_owned(), String::new())
    );
}

// `getBackendServers`: a location whose Service is not there gets `default-backend`.
#[test]
fn a_default_backend_takes_what_nobody_else_can() {
    let one = ingress(
        "a",
        &[("default-backend", "spare"), ("rewrite-target", "/x/$1")],
        &[
            ("h.example", "Prefix", "/a/(.*)", "gone"),
            ("h.example", "Prefix", "/b", "spare"),
        ],
    );
    let (policy, _) = compile_with(&[one], json!({"services": ["default/spare"]}));
    check(
        &policy,
        &[
            ("http://h.example/a/1", "default-spare-80 /x/1"),
            ("http://h.example/b", "default-spare-80 /x/"),
            ("http://h.example/c", "404 "),
        ],
    );
    let elsewhere = ingress(
        "a",
        &[("default-backend", "spare")],
        &[("h.example", "Prefix", "/a", "gone")],
    );
    let services = json!({"services": ["default/spare"]});
    let (policy, remarks) = compile_with(std::slice::from_ref(&elsewhere), services.clone());
    check(&policy, &[("http://h.example/a", "503 ")]);
    assert!(
        remarks
            .iter()
            .any(|remark| remark.problem == Problem::NoCluster),
        "{remarks:?}"
    );
    let mut named = services;
    named["clusters"] = json!({"default/spare:8080": "spare"});
    let (policy, _) = compile_with(&[elsewhere], named);
    check(&policy, &[("http://h.example/a", "default-spare-8080 /a")]);
}

// `buildServerName` names what the star stands for.
#[test]
fn a_wildcard_hosts_subdomain_is_a_variable() {
    let one = ingress(
        "a",
        &[("rewrite-target", "/$subdomain/$1")],
        &[("*.h.example", "ImplementationSpecific", "/(.*)", "s")],
    );
    let (policy, _) = compile_with(&[one], json!({}));
    check(
        &policy,
        &[("http://a-b.h.example/x", "default-s-80 /a-b/x")],
    );
}

// `should_set_cookie` (`balancer/sticky.lua`) looks `$host` up, or `_` where the server is called so.
#[test]
fn cookies_are_set_under_the_name_that_ingress_nginx_asks_by() {
    let sticky = |aliases| [("affinity", "cookie"), ("server-alias", aliases)];
    let named =
        "al.example,Al2.example,~^re[0-9]+\\.example$,*.many.example,.dot.example,www.end.*";
    let one = ingress("a", &sticky(named), &[("h.example", "Prefix", "/", "s")]);
    let any = ingress("b", &sticky("Any.example"), &[("", "Prefix", "/", "t")]);
    let (policy, remarks) = compile_with(&[one, any], json!({}));
    assert!(remarks.is_empty(), "{remarks:?}");
    for (host, sets) in [
        ("h.example", true),
        ("al.example", true),
        // A name with capitals is listed as it is, and never asked for.
        ("al2.example", false),
        // A pattern is listed as it is, too.
        ("re1.example", false),
        // Only the first label may be the star's.
        ("a.many.example", true),
        ("a.b.many.example", false),
        ("a.dot.example", false),
        ("www.end.example", false),
        ("other.example", true),
        ("any.example", true),
    ] {
        assert_eq!(sets_cookie(&policy, host), sets, "{host}");
    }
}

/// Where a request for `/` of a host goes.
fn forward<'p>(policy: &'p Policy, host: &str) -> route::Forward<'p> {
    forward_with(policy, host, &[])
}

fn forward_with<'p>(
    policy: &'p Policy,
    host: &str,
    headers: &[(&str, &str)],
) -> route::Forward<'p> {
    let mut head = vec![
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", host),
    ];
    head.extend(headers);
    let facts = Facts::NONE;
    match route::dispose(policy, &EndpointTable::default(), &fields(&head), &facts) {
        Disposition::Forward(forward) => forward,
        other => panic!("{host}: {other:?}"),
    }
}

/// Whether the answer to `/` of a host may begin a session.
fn sets_cookie(policy: &Policy, host: &str) -> bool {
    let forward = forward(policy, host);
    !forward.is_deep && forward.location.sets_cookie(false)
}

// Whoever wrote a wider alias for a host took its cookies.
#[test]
fn cookies_are_set_under_a_wildcard_whatever_alias_is_as_wide() {
    let sticky = ingress(
        "a",
        &[("affinity", "cookie")],
        &[("*.h.example", "Prefix", "/", "s")],
    );
    for alias in [
        "*.example",
        ".h.example",
        ".x.h.example",
        "X.h.example",
        "x.h.example",
        "x.h.*",
        "~^x",
        "*.other.example",
    ] {
        let stranger = ingress(
            "b",
            &[("server-alias", alias)],
            &[("*.h.example", "Prefix", "/b", "t")],
        );
        let (policy, _) = compile_with(&[sticky.clone(), stranger], json!({}));
        assert!(sets_cookie(&policy, "x.h.example"), "{alias}");
    }
}

#[test]
fn ingresses_that_contradict_each_other_about_a_session_are_told_at_configure() {
    let one = |name, annotations: &[(&str, &str)], path| {
        ingress(name, annotations, &[("h.example", "Prefix", path, "s")])
    };
    let a = one(
        "a",
        &[
            ("affinity", "cookie"),
            ("session-cookie-name", "one"),
            ("affinity-mode", "persistent"),
        ],
        "/a",
    );
    let b = one(
        "b",
        &[("affinity", "cookie"), ("affinity-mode", "balanced")],
        "/b",
    );
    let c = one("c", &[], "/c");
    let (policy, remarks) = compile_with(&[a, b, c], json!({}));
    let said: Vec<String> = remarks.iter().map(ToString::to_string).collect();
    let want = [
        r#"ingress default/a: session-cookie-name: "one" differs from "" of ingress default/b on the same service default/s:80: the last one sets the cookie's attributes, as under ingress-nginx"#,
        "ingress default/c: affinity: is absent, but ingress default/b has it on the same service default/s:80: cookies are honoured on these paths and never set there, as under ingress-nginx",
        r#"ingress default/b: affinity-mode: "balanced" differs from "persistent" of ingress default/a on the same service default/s:80: the first one decides"#,
    ];
    assert_eq!(said, want);
    let affinity = policy.clusters[0].affinity.as_ref().unwrap();
    assert_eq!(affinity.cookie_name(), "INGRESSCOOKIE");
}

// A tenant `prod` with a Service `web-admin`, another one `prod-web` with `admin`: ingress-nginx
// gives both the upstream `prod-web-admin-80`, and the first of them takes all requests.
#[test]
fn no_tenant_takes_the_requests_of_a_service_whose_upstream_has_the_same_name() {
    let mut own = ingress("a", &[], &[("own.example", "Prefix", "/", "web-admin")]);
    own["metadata"]["namespace"] = json!("prod");
    let mut other = ingress(
        "b",
        &[("affinity", "cookie")],
        &[("other.example", "Prefix", "/", "admin")],
    );
    other["metadata"]["namespace"] = json!("prod-web");
    let (policy, _) = compile_with(&[other, own], json!({}));
    let cluster = |service: &str| {
        let mut clusters = policy.clusters.iter();
        clusters.find(|cluster| cluster.service == service).unwrap()
    };
    let (own, other) = (cluster("prod/web-admin:80"), cluster("prod-web/admin:80"));
    assert_eq!(own.upstream_name, "prod-web-admin-80");
    assert_eq!(own.upstream_name, other.upstream_name);
    assert_eq!(own.envoy_name, "prod/web-admin:80");
    assert_eq!(other.envoy_name, "prod-web/admin:80");
    assert!(own.affinity.is_none() && other.affinity.is_some());
    let key = other.affinity.as_ref().unwrap().backend_key();
    assert_eq!(
        key,
        crate::endpoints::digest::backend_key("prod-web-admin-80")
    );
    let to = |host| {
        let cluster = forward(&policy, host).cluster;
        policy.cluster(cluster).unwrap().service.clone()
    };
    assert_eq!(to("own.example"), "prod/web-admin:80");
    assert_eq!(to("other.example"), "prod-web/admin:80");
}

#[test]
fn a_closed_ingress_answers_503_and_the_rest_moves() {
    let one = |name, annotations: &[(&str, &str)], path| {
        ingress(name, annotations, &[("h.example", "Prefix", path, "s")])
    };
    let all = [
        one("a", &[], "/a"),
        one("b", &[("permanent-redirect", "https://x.example")], "/b"),
        one("c", &[], "/c"),
        ingress(
            "d",
            &[("canary", "true"), ("canary-weight", "100")],
            &[("h.example", "Prefix", "/c", "canary")],
        ),
    ];
    let close = json!({"close": ["default/a", "default/b", "default/d", "default/e"]});
    let (policy, warnings) = compile_with(&all, close);
    check(
        &policy,
        &[
            ("http://h.example/a", "503 "),
            ("http://h.example/b", "503 "),
            ("http://h.example/c", "default-s-80 /c"),
        ],
    );
    assert!(
        policy
            .clusters
            .iter()
            .all(|cluster| cluster.alternatives.is_empty())
    );
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("default/e"), "{told:?}");
    let (policy, _) = compile_with(&all, json!({"close": ["*"]}));
    check(
        &policy,
        &[
            ("http://h.example/a", "503 "),
            ("http://h.example/b", "503 "),
            ("http://h.example/c", "503 "),
        ],
    );
}

// A path that no engine can run fell to whoever had a shorter one, and so it was these that were closed.
#[test]
fn a_closed_path_that_cannot_be_compiled_answers_503_and_falls_to_nobody() {
    let back_reference = r"/ad?(min)/\1";
    for (path, below, beside) in [
        ("/(", "/x", None),
        (back_reference, "/a/x", Some("/shop")),
        (back_reference, "/ADmin/min", Some("/shop")),
        ("/ab{2}(", "/a", Some("/b")),
        ("/a+(", "/aa", Some("/b")),
        (r"/x/y|/z(", "/anything", None),
        (r"/a\.b(", "/a", Some("/b")),
    ] {
        let regex = [("use-regex", "true")];
        let guard = [("h.example", "ImplementationSpecific", path, "s")];
        let open = [("h.example", "Prefix", "/", "open")];
        let all = [
            ingress("guard", &regex, &guard),
            ingress("open", &[], &open),
        ];
        let (policy, remarks) = compile_with(&all, json!({ "close": ["default/guard"] }));
        assert!(remarks.is_empty(), "{path}: {remarks:?}");
        let url = |path: &str| format!("http://h.example{path}");
        assert_eq!(ask(&policy, &url(below), &[]), "503 ", "{path}");
        if let Some(beside) = beside {
            let served = format!("default-open-80 {beside}");
            assert_eq!(ask(&policy, &url(beside), &[]), served, "{path}");
        }
    }
}

#[test]
fn a_closed_host_answers_503_under_each_of_its_names_and_no_other_host_does() {
    let alias = [("server-alias", "alias.example")];
    let all = [
        ingress(
            "a",
            &alias,
            &[
                ("h.example", "Prefix", "/", "s"),
                ("o.example", "Prefix", "/", "s"),
            ],
        ),
        ingress("b", &[], &[("h.example", "Prefix", "/b", "s")]),
        ingress("c", &[], &[("", "Prefix", "/", "s")]),
    ];
    let (policy, remarks) = compile_with(&all, json!({ "close": ["h.example", "x.example"] }));
    let told: Vec<String> = remarks.iter().map(ToString::to_string).collect();
    assert!(told.len() == 1 && told[0].contains("x.example"), "{told:?}");
    check(
        &policy,
        &[
            ("http://h.example/", "503 "),
            ("http://h.example/b", "503 "),
            ("http://alias.example/", "503 "),
            ("http://o.example/", "default-s-80 /"),
            ("http://x.example/", "default-s-80 /"),
        ],
    );
    let (policy, remarks) = compile_with(&all, json!({ "close": ["_"] }));
    assert!(remarks.is_empty(), "{remarks:?}");
    check(
        &policy,
        &[
            ("http://x.example/", "503 "),
            ("http://h.example/", "default-s-80 /"),
        ],
    );
}

#[test]
fn what_protects_is_never_passed_over_where_it_cannot_be_read() {
    for (key, value) in [
        ("close", json!("default/a")),
        ("close", json!([7])),
        ("strip_headers", json!("ssl-client-verify")),
        ("strip_headers", json!(["*"])),
        ("strip_headers", json!(["ssl client"])),
        ("strip_headers", json!([":path"])),
        ("strip_headers", json!(["default/a/*"])),
        ("strip_headers", json!(vec!["x"; 5_001])),
        ("protect", json!("/admin")),
        ("protect", json!(["admin"])),
        ("protect", json!([{}])),
    ] {
        let text = json!({key: value}).to_string();
        let error = crate::config::read(text.as_bytes()).unwrap_err();
        assert!(error.0.contains(key), "{error}");
    }
}

// A rule on /admin before limpet let /z/../admin, //admin, /%61dmin and /ADMIN through, and a
// rewrite led there behind it.
#[test]
fn what_a_rule_on_a_protected_path_has_not_seen_is_refused() {
    let pages = ingress("pages", &[], &[("h.example", "Prefix", "/", "s")]);
    let rewrite = [("rewrite-target", "/$1")];
    let apps = [("r.example", "ImplementationSpecific", "/x/(.*)", "t")];
    let all = [pages, ingress("apps", &rewrite, &apps)];
    let (policy, _) = compile_with(&all, json!({"protect": ["/admin"]}));
    check(
        &policy,
        &[
            ("http://h.example/admin", "default-s-80 /admin"),
            ("http://h.example/z/../admin", "400 "),
            ("http://h.example//admin", "400 "),
            ("http://h.example/%61dmin", "400 "),
            ("http://h.example/ADMIN", "400 "),
            ("http://h.example/a/../b", "default-s-80 /a/../b"),
            ("http://r.example/x/y", "default-t-80 /y"),
            ("http://r.example/x/admin", "400 "),
            ("http://r.example/x/%2561dmin", "400 "),
            ("http://r.example/x/%252e%252e/admin", "400 "),
            ("http://r.example/x/y/admin", "default-t-80 /y/admin"),
            ("http://unknown.example//admin", "400 "),
        ],
    );
    let pass = json!({"protect": ["h.example/admin"], "unmatched": "pass"});
    let (policy, _) = compile_with(&all, pass);
    check(
        &policy,
        &[
            ("http://H.example:80//admin", "400 "),
            ("http://r.example/x/admin", "default-t-80 /admin"),
            ("http://unknown.example//admin", "pass"),
        ],
    );
    let (policy, _) = compile_with(&all, json!({}));
    check(
        &policy,
        &[
            ("http://h.example//admin", "default-s-80 //admin"),
            ("http://r.example/x/admin", "default-t-80 /admin"),
        ],
    );
}

/// What a request's annotations make of it: every header that leaves.
fn leaves(annotations: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let mut annotations = annotations.to_vec();
    annotations.push(("affinity", "cookie"));
    let one = ingress("a", &annotations, &[("h.example", "Prefix", "/", "s")]);
    let (policy, warnings) = compile_with(&[one], json!({}));
    let endpoints = policy.clusters.iter().map(|cluster| {
        let pods = vec![crate::endpoints::Endpoint {
            address: "10.0.0.1:80".into(),
            health: crate::endpoints::Health::Healthy,
        }];
        let table = crate::endpoints::ClusterTable::build(cluster.index(), pods);
        (cluster.envoy_name.clone(), table)
    });
    let mut table = crate::endpoints::EndpointTable::default();
    endpoints.for_each(|(name, endpoints)| table.insert(name, endpoints));
    let facts = Facts {
        property: &|path| match path {
            ["response", "code_details"] => Some(b"via_upstream".to_vec()),
            ["upstream", "address"] => Some(b"10.0.0.1:80".to_vec()),
            _ => None,
        },
        ..Facts::NONE
    };
    let mut values = Vec::new();
    let mut take = |edit: &crate::edit::Edit| {
        if let crate::edit::Edit::Set(name, value) | crate::edit::Edit::Add(name, value) = edit {
            values.push(format!("{name}: {}", String::from_utf8_lossy(value)));
        }
    };
    let head = fields(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "h.example"),
    ]);
    let mut stream = crate::stream::Stream::default();
    match stream.on_request(&policy, &table, &head, &facts).step {
        crate::stream::Step::Forward(edits) => edits.iter().for_each(&mut take),
        crate::stream::Step::Reply(reply) => {
            for (name, value) in reply.headers {
                values.push(format!("{name}: {}", String::from_utf8_lossy(&value)));
            }
            return (values, warnings.iter().map(ToString::to_string).collect());
        }
        crate::stream::Step::Wait | crate::stream::Step::Ask(_) => {
            panic!("nothing here waits")
        }
    }
    let named = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "10.0.0.1:80");
    let answered = [
        ("x-limpet-endpoint", named.as_str()),
        ("set-cookie", "own=1; Path=/x"),
        ("location", "/x/y"),
    ];
    let answered = fields(&answered);
    let response = crate::stream::ResponseHead {
        header: &|name| crate::edit::first(&answered, name).map(<[u8]>::to_vec),
        headers: &|| &answered,
        elsewhere: None,
    };
    let edits = stream.on_response(&policy, &table, &response, &facts).edits;
    edits.iter().for_each(&mut take);
    (values, warnings.iter().map(ToString::to_string).collect())
}

// Response headers were split by a bare line feed in an annotation.
#[test]
fn no_annotation_splits_a_header() {
    for name in [
        "session-cookie-path",
        "session-cookie-domain",
        "session-cookie-samesite",
        "session-cookie-name",
        "session-cookie-expires",
        "session-cookie-max-age",
        "proxy-cookie-path",
        "proxy-cookie-domain",
        "proxy-redirect-to",
        "rewrite-target",
        "permanent-redirect",
        "temporal-redirect",
        "app-root",
        "x-forwarded-prefix",
        "upstream-vhost",
    ] {
        for bad in ["\n", "\r\n", "\r", "\0", "\t", "\u{b}", "\u{1b}", "\u{7f}"] {
            let before = match name {
                "proxy-cookie-path" => "/ \"/",
                "proxy-cookie-domain" => "h.example \"x",
                "permanent-redirect" | "temporal-redirect" => "https://x.example/",
                _ => "/a",
            };
            let quote = if before.contains('"') { "\"" } else { "" };
            let value = format!("{before}{bad}Set-Cookie: evil=1{quote}");
            let mut annotations = vec![(name, value.as_str()), ("proxy-redirect-from", "/")];
            if name == "x-forwarded-prefix" {
                annotations.push(("rewrite-target", "/y"));
            }
            let (values, told) = leaves(&annotations);
            assert!(
                !values
                    .iter()
                    .any(|value| value.bytes().any(crate::edit::is_control)),
                "{name} {bad:?}: {values:?}"
            );
            assert!(
                told.iter()
                    .any(|told| told.contains("ingress default/a") && told.contains(name)),
                "{name} {bad:?} is not told: {told:?}"
            );
        }
    }
    // A block of YAML ends with a line break: that is no part of the value.
    let (values, told) = leaves(&[("session-cookie-path", "/a\n")]);
    assert!(
        values.iter().any(|value| value.contains("Path=/a;")),
        "{values:?} {told:?}"
    );
}

/// The status of a request from `client`.
fn status_for(policy: &Policy, client: &str, path: &str) -> u16 {
    let all = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "a.example"),
    ];
    let facts = Facts {
        property: &|path| {
            let is_it = path == ["source", "address"] && !client.is_empty();
            is_it.then(|| format!("{client}:1").into_bytes())
        },
        count: &|_| Verdict::TooFast,
        ..Facts::NONE
    };
    match route::dispose(policy, &EndpointTable::default(), &fields(&all), &facts) {
        Disposition::Reply { reply, .. } => reply.status,
        Disposition::NotFound { .. } => 404,
        Disposition::Forward(_) => 200,
        Disposition::Pass { .. } | Disposition::Ask(_) => 0,
    }
}

#[test]
fn an_annotation_replaces_the_config_maps_list_of_its_kind_and_block_cidrs() {
    let paths = [("a.example", "Prefix", "/", "web")];
    let status = |annotations: &[(&str, &str)], settings: Value, client: &str| {
        let extra = json!({ "config_map": settings });
        let (policy, _) = compile_with(&[ingress("a", annotations, &paths)], extra);
        status_for(&policy, client, "/")
    };
    let allow = json!({ "whitelist-source-range": "10.0.0.0/8" });
    let deny = json!({ "denylist-source-range": "10.1.0.0/16" });
    let block = json!({ "block-cidrs": "10.1.0.0/16,192.0.2.1" });
    let own = [("allowlist-source-range", "10.0.0.0/8")];
    for (annotations, settings, client, want) in [
        (&[][..], &allow, "10.0.0.1", 200),
        (&[], &allow, "11.0.0.1", 403),
        (
            &[("whitelist-source-range", "11.0.0.0/8")],
            &allow,
            "10.0.0.1",
            403,
        ),
        (
            &[("whitelist-source-range", "11.0.0.0/8")],
            &allow,
            "11.0.0.1",
            200,
        ),
        (&own, &deny, "10.1.0.1", 403),
        (&own, &deny, "10.2.0.1", 200),
        (&own, &block, "10.1.0.1", 200),
        (&[], &block, "10.1.0.1", 403),
        (&[], &block, "10.2.0.1", 200),
        // Nothing stands between its commas.
        (
            &[],
            &json!({ "whitelist-source-range": ",", "block-cidrs": ",," }),
            "11.0.0.1",
            200,
        ),
        // Nobody knows who asks.
        (&own, &json!({}), "", 403),
        (&[], &block, "", 403),
        (&[], &json!({}), "", 200),
        // What a chart leaves empty.
        (
            &[("whitelist-source-range", "")],
            &json!({}),
            "10.0.0.1",
            200,
        ),
        (&[("whitelist-source-range", "")], &allow, "11.0.0.1", 403),
        // Of two names one counts.
        (
            &[
                ("allowlist-source-range", ""),
                own[0],
                ("whitelist-source-range", "x"),
            ],
            &json!({}),
            "10.0.0.1",
            200,
        ),
        (
            &[
                ("allowlist-source-range", ""),
                ("whitelist-source-range", "10.0.0.0/8"),
            ],
            &json!({}),
            "10.0.0.1",
            200,
        ),
    ] {
        let is = status(annotations, settings.clone(), client);
        assert_eq!(is, want, "{annotations:?} {settings} {client}");
    }
}

#[test]
fn with_satisfy_any_one_rule_that_lets_in_is_enough_and_without_it_none_is() {
    let paths = [("a.example", "Prefix", "/", "web")];
    let secrets = json!({ "secrets": { "default/ba": { "auth": "user:{PLAIN}pw" } } });
    let list = ("whitelist-source-range", "10.0.0.0/8");
    let basic = [("auth-type", "basic"), ("auth-secret", "ba")];
    for (satisfy, client, want) in [
        ("any", "10.0.0.1", 200),
        ("any", "11.0.0.1", 401),
        ("all", "10.0.0.1", 401),
        ("all", "11.0.0.1", 403),
    ] {
        let said = [&basic[..], &[list, ("satisfy", satisfy)]].concat();
        let (policy, _) = compile_with(&[ingress("a", &said, &paths)], secrets.clone());
        assert_eq!(status_for(&policy, client, "/"), want, "{satisfy} {client}");
    }
}

#[test]
fn a_list_that_cannot_be_read_lets_nobody_in() {
    let paths = [("a.example", "Prefix", "/", "web")];
    for value in ["", " ", "bogus", "10.0.0.0/33", "10.0.0.1,"] {
        for name in [
            "allowlist-source-range",
            "whitelist-source-range",
            "denylist-source-range",
        ] {
            // An empty alias is none.
            if value.is_empty() && name == "whitelist-source-range" {
                continue;
            }
            for strict in [false, true] {
                let (policy, remarks) = compile_with(
                    &[ingress("a", &[(name, value)], &paths)],
                    json!({ "strict": strict }),
                );
                assert_eq!(
                    status_for(&policy, "10.0.0.1", "/"),
                    503,
                    "{name} {value:?}"
                );
                assert_eq!(remarks.len(), 1, "{remarks:?}");
            }
        }
    }
    for key in [
        "whitelist-source-range",
        "denylist-source-range",
        "block-cidrs",
    ] {
        for value in [json!("bogus"), json!(["10.0.0.0/8"])] {
            let extra = json!({ "config_map": { key: value } });
            let (policy, remarks) = compile_with(&[ingress("a", &[], &paths)], extra);
            assert_eq!(status_for(&policy, "10.0.0.1", "/"), 403, "{key} {value}");
            assert!(!remarks.is_empty());
        }
    }
    // It is no string: Kubernetes refuses it, and what it protected stays closed.
    let mut list = ingress("a", &[("whitelist-source-range", "")], &paths);
    list["metadata"]["annotations"]["nginx.ingress.kubernetes.io/whitelist-source-range"] =
        json!(["10.0.0.0/8"]);
    let (policy, _) = compile_with(&[list], json!({}));
    assert_eq!(status_for(&policy, "10.0.0.1", "/"), 503);
}

// All hosts of an Ingress have all of its aliases: 500 of each once took half a minute to compile.
#[test]
fn an_alias_of_many_hosts_is_compiled_once() {
    let names: Vec<String> = (0..100).map(|n| format!("h{n:02}.example")).collect();
    let aliases: Vec<String> = (0..100).map(|n| format!("a{n:02}.example")).collect();
    let aliases = aliases.join(",");
    let paths: Vec<_> = names
        .iter()
        .map(|name| (&**name, "Prefix", "/", "s"))
        .collect();
    let annotations = [("affinity", "cookie"), ("server-alias", &*aliases)];
    let (policy, remarks) = compile_with(&[ingress("a", &annotations, &paths)], json!({}));
    assert!(remarks.is_empty(), "{remarks:?}");
    // The default server too.
    assert_eq!(policy.virtual_hosts().count(), 201);
}

// 100 paths and 500 aliases of one Ingress once kept Envoy from starting: each alias compiled every
// path again, up to a gigabyte.
#[test]
fn the_aliases_of_a_host_share_what_its_paths_are_compiled_to() {
    let names = (0..500).map(|n| match n % 3 {
        0 => format!("a{n}.example"),
        1 => format!("*.a{n}.example"),
        _ => format!("~^a{n}[.]example$"),
    });
    let aliases = names.collect::<Vec<_>>().join(",");
    let paths: Vec<String> = (0..100).map(|n| format!("/p{n}/(.*)")).collect();
    let paths: Vec<_> = paths
        .iter()
        .map(|path| ("h.example", "Prefix", &**path, "s"))
        .collect();
    let annotations = [
        ("use-regex", "true"),
        ("affinity", "cookie"),
        ("server-alias", &*aliases),
    ];
    let (policy, remarks) = compile_with(&[ingress("a", &annotations, &paths)], json!({}));
    assert!(remarks.is_empty(), "{remarks:?}");
    let hosts: Vec<_> = policy
        .virtual_hosts()
        .filter(|host| !host.is_default())
        .collect();
    assert_eq!(hosts.len(), 501);
    let mut lists: Vec<*const Arc<Location>> =
        hosts.iter().map(|host| host.locations.as_ptr()).collect();
    lists.sort_unstable();
    lists.dedup();
    // Who may set the cookie, and who may not: see the test before.
    assert!(lists.len() <= 2, "{}", lists.len());
    let patterns = |at: usize| {
        let mut all: Vec<_> = hosts
            .iter()
            .map(|host| host.locations[at].pattern.as_ref().map(Arc::as_ptr))
            .collect();
        all.dedup();
        all.len()
    };
    assert!((0..101).all(|at| patterns(at) == 1));
}

#[test]
fn what_limits_a_client_is_counted_unless_it_is_spared_or_nobody_can_read_it() {
    let paths = [("a.example", "Prefix", "/", "web")];
    // Whoever is counted has sent too many.
    let settings = json!({ "config_map": { "limit-req-status-code": "429" } });
    for (annotations, client, said) in [
        (&[("limit-rps", "1")][..], "10.0.0.1", 429),
        (&[("limit-rpm", "1")], "10.0.0.1", 429),
        (&[("limit-connections", "1")], "10.0.0.1", 429),
        (&[("limit-rps", "0")], "10.0.0.1", 200),
        (&[("limit-rps", "")], "10.0.0.1", 200),
        (&[("limit-rps", "-1")], "10.0.0.1", 200),
        (&[("limit-rps", "many")], "10.0.0.1", 503),
        (&[("limit-burst-multiplier", "2")], "10.0.0.1", 200),
        (
            &[("limit-rps", "1"), ("limit-whitelist", "10.0.0.0/8")],
            "10.0.0.1",
            200,
        ),
        (
            &[("limit-rps", "1"), ("limit-allowlist", "10.0.0.0/8")],
            "11.0.0.1",
            429,
        ),
        (
            &[("limit-rps", "1"), ("limit-allowlist", "x")],
            "10.0.0.1",
            503,
        ),
        (
            &[("limit-rps", "1"), ("denylist-source-range", "10.0.0.1")],
            "10.0.0.1",
            429,
        ),
        (
            &[
                ("limit-rps", "1"),
                ("temporal-redirect", "http://b.example/"),
            ],
            "10.0.0.1",
            302,
        ),
    ] {
        let (policy, _) = compile_with(&[ingress("a", annotations, &paths)], settings.clone());
        assert_eq!(
            status_for(&policy, client, "/"),
            said,
            "{annotations:?} {client}"
        );
    }
}

/// A megabyte of such paths is a tenant's to write, and once took two gigabytes to compile.
#[test]
fn patterns_beyond_what_all_may_take_cost_the_youngest() {
    let path = |n: usize, pattern: &str| {
        let backend = json!({ "service": { "name": "s", "port": { "number": 80 } } });
        json!({ "path": format!("/{n}{pattern}"), "pathType": "ImplementationSpecific", "backend": backend })
    };
    let ingress = |name: &str, born: &str, paths: Vec<serde_json::Value>| {
        json!({
            "metadata": {
                "name": name, "creationTimestamp": born,
                "annotations": { "nginx.ingress.kubernetes.io/use-regex": "true" },
            },
            "spec": { "rules": [{ "host": format!("{name}.test"), "http": { "paths": paths } }] },
        })
    };
    let dear = (0..900).map(|n| path(n, ".{2400}q")).collect();
    let ingresses = [
        ingress("young", "2024-01-03T00:00:00Z", vec![path(0, "(/|$)(.*)")]),
        ingress("dear", "2024-01-02T00:00:00Z", dear),
        ingress("old", "2024-01-01T00:00:00Z", vec![path(0, "(/|$)(.*)")]),
    ];
    let config = json!({ "ingresses": ingresses }).to_string();
    let (config, _) = crate::config::read(config.as_bytes()).unwrap();
    let (policy, remarks) = compile(&config);
    let refused = remarks
        .iter()
        .filter(|remark| remark.to_string().contains("does not fit"));
    let refused: Vec<_> = refused.map(ToString::to_string).collect();
    assert!((50..100).contains(&refused.len()), "{}", refused.len());
    assert!(
        refused
            .iter()
            .all(|line| line.contains("dear") || line.contains("young")),
        "{refused:?}"
    );
    let kept = |host: &str| {
        policy
            .hosts
            .find(Some(host.as_bytes()), &OnceCell::new())
            .is_some()
    };
    assert!(kept("old.test") && kept("dear.test"));
}

// An older stranger's patterns took the places of everybody after him.
#[test]
fn patterns_beyond_what_all_may_take_cost_their_own_namespace() {
    let regex = [("use-regex", "true")];
    let few = [("few.example", "ImplementationSpecific", "/x(/|$)(.*)", "s")];
    let mut few = ingress("few", &regex, &few);
    few["metadata"]["creationTimestamp"] = json!("2024-01-02T00:00:00Z");
    let many: Vec<String> = (0..900).map(|n| format!("/{n}.{{2400}}q")).collect();
    let kind = "ImplementationSpecific";
    let many: Vec<_> = many
        .iter()
        .map(|path| ("many.example", kind, path.as_str(), "s"))
        .collect();
    let mut many = ingress("many", &regex, &many);
    many["metadata"]["namespace"] = json!("odd");
    many["metadata"]["creationTimestamp"] = json!("2024-01-01T00:00:00Z");
    let (policy, remarks) = compile_with(&[many, few], json!({}));
    let refused = remarks
        .iter()
        .filter(|one| one.to_string().contains("does not fit"));
    let refused: Vec<_> = refused.map(|one| one.ingress.as_deref()).collect();
    assert!(refused.len() > 50, "{refused:?}");
    assert!(refused.iter().all(|one| *one == Some("odd/many")));
    check(&policy, &[("http://few.example/x/y", "default-s-80 /x/y")]);
}

// 750,000 aliases of one tenant took a proxy with one worker 905 MiB.
#[test]
fn aliases_beyond_what_all_may_take_cost_their_own_namespace() {
    let many = |number: usize| {
        let aliases: Vec<String> = (0..25_000).map(|n| format!("a{number}-{n}")).collect();
        let (name, host) = (format!("many-{number}"), format!("many-{number}.example"));
        let said = [("server-alias", &*aliases.join(","))];
        let mut many = ingress(&name, &said, &[(&host, "Prefix", "/", "s")]);
        many["metadata"]["namespace"] = json!("odd");
        many["metadata"]["creationTimestamp"] = json!(format!("2024-01-01T00:00:{number}Z"));
        many
    };
    let few = [("few.example", "Prefix", "/x", "s")];
    let mut few = ingress("few", &[("server-alias", "few.alias")], &few);
    few["metadata"]["creationTimestamp"] = json!("2024-01-02T00:00:00Z");
    let all: Vec<_> = (10..36).map(many).chain([few]).collect();
    let (policy, remarks) = compile_with(&all, json!({}));
    let refused = remarks
        .iter()
        .filter(|one| one.to_string().contains("does not fit"));
    let refused: BTreeSet<_> = refused.map(|one| one.ingress.as_deref()).collect();
    assert!((1..5).contains(&refused.len()), "{refused:?}");
    assert!(refused.contains(&Some("odd/many-35")) && !refused.contains(&Some("default/few")));
    check(
        &policy,
        &[
            ("http://few.alias/x", "default-s-80 /x"),
            ("http://a10-24999/", "odd-s-80 /"),
        ],
    );
    let kept = |host: &str| policy.hosts.find(Some(host.as_bytes()), &OnceCell::new());
    assert!(kept("a35-24999").is_none_or(|(host, _)| host.is_default()));
}

// A hundred thousand paths of one tenant took half a gigabyte, and each was compared with every request to
// their host.
#[test]
fn paths_beyond_what_all_may_take_cost_their_own_namespace() {
    let kind = "ImplementationSpecific";
    let many: Vec<String> = (0..60_000).map(|n| format!("/{n:x}")).collect();
    let many: Vec<_> = many
        .iter()
        .map(|path| ("many.example", kind, path.as_str(), "s"))
        .collect();
    let few = [("few.example", kind, "/x", "s")];
    for (said, kept) in [(&[][..], 60_000), (&[("use-regex", "true")][..], 57_000)] {
        let mut many = ingress("many", said, &many);
        many["metadata"]["namespace"] = json!("odd");
        many["metadata"]["creationTimestamp"] = json!("2024-01-01T00:00:00Z");
        let mut few = ingress("few", said, &few);
        few["metadata"]["creationTimestamp"] = json!("2024-01-02T00:00:00Z");
        let (policy, remarks) = compile_with(&[many, few], json!({}));
        let refused = remarks
            .iter()
            .filter(|one| one.to_string().contains("does not fit"));
        let refused: Vec<_> = refused.map(|one| one.ingress.as_deref()).collect();
        let served = 60_000 - refused.len();
        assert!((kept..kept + 500).contains(&served), "{served}");
        assert!(refused.iter().all(|one| *one == Some("odd/many")));
        check(
            &policy,
            &[
                ("http://few.example/x", "default-s-80 /x"),
                ("http://many.example/e000", "odd-s-80 /e000"),
            ],
        );
    }
}

// Each of 40,000 `$arg_x` looked for its argument in eight kilobytes of others: seconds of a worker.
#[test]
fn what_a_text_looks_for_in_a_request_counts_where_it_is_not_there() {
    let times = |text: &str| format!("/{}", text.repeat(1_000));
    let query = format!("http://h.example/?{}", "y&".repeat(2_000));
    let cookies = "y=1;".repeat(1_000);
    let cookies: &[(&str, &str)] = &[("cookie", &cookies)];
    let fields: Vec<String> = (0..200).map(|n| format!("x-{n}")).collect();
    let fields: Vec<_> = fields.iter().map(|name| (name.as_str(), "1")).collect();
    for (text, url, headers) in [
        ("$arg_x", query.as_str(), &[][..]),
        ("$cookie_x", "http://h.example/", cookies),
        ("$http_x", "http://h.example/", &fields),
        ("$remote_port", "http://h.example/", &fields),
    ] {
        let path = [("h.example", "Prefix", "/", "s")];
        for name in ["rewrite-target", "permanent-redirect", "upstream-vhost"] {
            let dear = ingress("dear", &[(name, &times(text))], &path);
            let (policy, _) = compile_with(&[dear], json!({}));
            assert_eq!(ask(&policy, url, headers), "500 ", "{name} {text}");
        }
        let usual = ingress("usual", &[("rewrite-target", &format!("/z{text}"))], &path);
        let (policy, _) = compile_with(&[usual], json!({}));
        assert!(ask(&policy, url, headers).contains(" /z"), "{text}");
    }
}

// `*.` and 29,000 labels: each end of a Host as long was looked up, a second of a worker.
#[test]
fn an_alias_that_no_host_can_have_is_none() {
    let long = "a.".repeat(200);
    let path = [("h.example", "Prefix", "/", "s")];
    for alias in [
        format!("*.{long}b"),
        format!("b.{long}*"),
        format!("{long}b"),
    ] {
        let said = format!("{alias},other.example");
        let one = ingress("one", &[("server-alias", &said)], &path);
        let (policy, remarks) = compile_with(&[one], json!({}));
        let told = remarks
            .iter()
            .filter(|one| one.to_string().contains("no name of DNS"));
        assert_eq!(told.count(), 1, "{remarks:?}");
        check(&policy, &[("http://other.example/", "default-s-80 /")]);
    }
}

// 40,000 names: each was compared with each field of an answer, and told to Envoy.
#[test]
fn an_authorizer_has_so_many_fields_and_no_more() {
    let path = [("h.example", "Prefix", "/", "s")];
    let fields = |count: usize| {
        let fields: serde_json::Map<_, _> =
            (0..count).map(|n| (format!("x{n}"), json!("1"))).collect();
        json!({
            "authorizers": { "http://auth.example:80": "asked" },
            "config_maps": { "default/sent": fields },
        })
    };
    let names = |count: usize| {
        (0..count)
            .map(|n| format!("x{n}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    for (name, value, count, want) in [
        ("auth-response-headers", names(256), 0, "ask"),
        ("auth-response-headers", names(257), 0, "503 "),
        (
            "auth-proxy-set-headers",
            "default/sent".to_owned(),
            256,
            "ask",
        ),
        (
            "auth-proxy-set-headers",
            "default/sent".to_owned(),
            257,
            "503 ",
        ),
    ] {
        let said = [("auth-url", "http://auth.example/"), (name, &value)];
        let one = ingress("one", &said, &path);
        let (policy, remarks) = compile_with(&[one], fields(count));
        let seen = ask(&policy, "http://h.example/", &[]);
        assert!(seen.starts_with(want), "{name}: {seen} {remarks:?}");
    }
}

// 1,500 paths beside 20,000 names filled the memory of a proxy: each path had its own.
#[test]
fn what_an_ingress_says_is_there_once_for_all_its_paths() {
    let said = [
        ("auth-url", "http://auth.example/$request_uri"),
        ("auth-response-headers", "X-One, X-Two"),
        ("auth-proxy-set-headers", "default/sent"),
        ("cors-allow-origin", "https://a.example, https://b.example"),
        ("custom-headers", "default/told"),
        ("enable-cors", "true"),
        ("proxy-cookie-path", "/a /b"),
        ("upstream-vhost", "pods.example"),
        ("whitelist-source-range", "10.0.0.0/8, 192.168.0.0/16"),
    ];
    let kind = "Prefix";
    let paths = [
        ("h.example", kind, "/a", "s"),
        ("h.example", kind, "/b", "s"),
    ];
    let extra = json!({
        "authorizers": { "http://auth.example:80": "asked" },
        "config_maps": { "default/sent": { "X-Sent": "$remote_addr" }, "default/told": { "X-Told": "1" } },
        "config_map": { "global-allowed-response-headers": "X-Told" },
    });
    let (policy, remarks) = compile_with(&[ingress("one", &said, &paths)], extra);
    assert!(remarks.is_empty(), "{remarks:?}");
    let host = policy.virtual_hosts().find(|host| host.name == "h.example");
    let of_it = host
        .unwrap()
        .locations
        .iter()
        .filter(|one| !one.is_implicit);
    let all: Vec<_> = of_it.collect();
    assert_eq!(all.len(), 4);
    let first = all[0];
    for other in &all[1..] {
        assert!(Arc::ptr_eq(&first.rules, &other.rules));
        let told = [first, other].map(|one| one.custom_headers.as_ref().unwrap());
        assert!(Arc::ptr_eq(told[0], told[1]));
        let asked = [first, other].map(|one| one.authorizer.as_ref().unwrap());
        assert!(Arc::ptr_eq(
            &asked[0].response_headers,
            &asked[1].response_headers
        ));
        assert!(asked[0].set.is_same(&asked[1].set) && asked[0].path.is_same(&asked[1].path));
        let hosts = [first, other].map(|one| one.upstream_host.as_ref().unwrap());
        assert!(hosts[0].is_same(hosts[1]));
        let lists = [first, other].map(|one| one.access.as_ref().unwrap().allow.as_ref().unwrap());
        assert!(lists[0].is_same(lists[1]));
        let cors = [first, other].map(|one| one.cors.as_ref().unwrap());
        assert!(cors[0].is_same(cors[1]));
    }
}

/// An Ingress of that namespace and day with these paths, as regular expressions.
fn of_tenant(namespace: &str, day: u32, more: &[(&str, &str)], paths: &[&str]) -> Value {
    let annotations = [&[("use-regex", "true")][..], more].concat();
    let kind = "ImplementationSpecific";
    let paths: Vec<_> = paths
        .iter()
        .map(|path| ("a.example", kind, *path, namespace))
        .collect();
    let mut one = ingress("i", &annotations, &paths);
    one["metadata"]["namespace"] = json!(namespace);
    one["metadata"]["creationTimestamp"] = json!(format!("2024-01-{day:02}T00:00:00Z"));
    one
}

// With `close` a pattern that no engine can run closed the whole host of others.
#[test]
fn a_closed_pattern_that_cannot_be_compiled_closes_nobody_older() {
    let lists = [("whitelist-source-range", "10.0.0.0/8")];
    let all = [
        of_tenant("alpha", 1, &[], &["/", "/foo"]),
        of_tenant("evil", 2, &lists, &[r"/(.)\1zzzz", "/own", "/"]),
        of_tenant("gamma", 3, &[], &["/gamma"]),
    ];
    let (policy, _) = compile_with(&all, json!({ "close": ["evil/i"] }));
    check(
        &policy,
        &[
            ("http://a.example/foo", "alpha-alpha-80 /foo"),
            ("http://a.example/aazzzz", "alpha-alpha-80 /aazzzz"),
            ("http://a.example/own", "503 "),
            // Who came later may have no more than evil's pattern leaves.
            ("http://a.example/gamma", "503 "),
        ],
    );
    // Of several the oldest one's counts.
    let mut open = of_tenant("beta", 2, &[], &["/x"]);
    open["metadata"]["name"] = json!("open");
    let all = [
        of_tenant("alpha", 1, &[], &["/"]),
        open,
        of_tenant("beta", 2, &lists, &[r"/x(.)\\1zzzz"]),
        of_tenant("gamma", 3, &lists, &[r"/x(.)\\1zzzzzz"]),
    ];
    let (policy, _) = compile_with(&all, json!({ "close": ["gamma/i", "beta/i"] }));
    let rows = [
        ("/xaazzzz", "503 "),
        ("/xy", "503 "),
        ("/y", "alpha-alpha-80 /y"),
    ];
    for (path, want) in rows {
        assert_eq!(
            ask(&policy, &format!("http://a.example{path}"), &[]),
            want,
            "{path}"
        );
    }
    // What the oldest protects falls to nobody.
    let all = [
        of_tenant("alpha", 1, &lists, &[r"/(.)\1zzzz"]),
        of_tenant("evil", 2, &[], &["/", "/aazzzz0000"]),
    ];
    let (policy, _) = compile_with(&all, json!({ "close": ["alpha/i"] }));
    check(
        &policy,
        &[
            ("http://a.example/aazzzz", "503 "),
            ("http://a.example/aazzzz0000", "evil-evil-80 /aazzzz0000"),
        ],
    );
}

// A younger stranger's patterns were so much work that others' long paths were answered 500.
#[test]
fn patterns_that_are_too_much_work_cost_who_wrote_them_and_who_came_later() {
    let dear: Vec<String> = (0..6).map(|at| format!("/.*z{{2000}}{at}")).collect();
    let dear: Vec<&str> = dear.iter().map(String::as_str).chain(["/evil"]).collect();
    let all = [
        of_tenant("alpha", 1, &[], &["/", "/foo/[a-z]*x"]),
        of_tenant("evil", 2, &[], &dear),
        of_tenant("gamma", 3, &[], &["/gamma", "/g/[a-z]*x"]),
    ];
    let (policy, remarks) = compile_with(&all, json!({}));
    let long = "y".repeat(500);
    let asked = |path: &str| ask(&policy, &format!("http://a.example{path}"), &[]);
    assert_eq!(
        asked(&format!("/{long}")),
        format!("alpha-alpha-80 /{long}")
    );
    // What may be gamma's falls to who was there before.
    for path in [format!("/foo/{long}x"), format!("/g/{long}x")] {
        assert_eq!(asked(&path), format!("alpha-alpha-80 {path}"));
    }
    for path in [format!("/evil{long}"), format!("/gamma{long}")] {
        assert_eq!(asked(&path), "500 ", "{path}");
    }
    assert_eq!(asked("/evil"), "evil-evil-80 /evil");
    assert_eq!(asked("/gamma"), "gamma-gamma-80 /gamma");
    let told: Vec<_> = remarks
        .iter()
        .filter(|remark| {
            remark
                .to_string()
                .contains("more work than one request may cost")
        })
        .map(|remark| remark.ingress.as_deref().unwrap())
        .collect();
    assert_eq!(
        told,
        [vec!["evil/i"; 6], vec!["gamma/i"]].concat(),
        "{remarks:?}"
    );
}

// Only patterns that are too much work by themselves were told.
#[test]
fn patterns_that_are_too_much_work_together_are_told_once_for_each_namespace() {
    let paths: Vec<String> = (0..20).map(|at| format!("/.*[a-z]+/{at}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let apart: Vec<String> = (0..400)
        .map(|at| format!("/apart{at:03}/.*[a-z]+/x"))
        .collect();
    let apart: Vec<&str> = apart.iter().map(String::as_str).collect();
    for (paths, want) in [(&paths, &["alpha/i"][..]), (&apart, &[])] {
        let (_, remarks) = compile_with(&[of_tenant("alpha", 1, &[], paths)], json!({}));
        let told: Vec<_> = remarks
            .iter()
            .filter_map(|one| one.ingress.as_deref())
            .collect();
        assert_eq!(told, want, "{remarks:?}");
    }
}

// Every request to a host that nobody names asks each alias that is a regular expression: 200 of a stranger were
// more work than one request may cost, and those of others answered 500.
#[test]
fn aliases_that_are_too_much_work_cost_who_wrote_them_and_who_came_later() {
    let tenant = |namespace: &str, day: u32, aliases: &str| {
        let mut one = of_tenant(namespace, day, &[("server-alias", aliases)], &["/"]);
        one["spec"]["rules"][0]["host"] = json!(format!("{namespace}.example"));
        one
    };
    let dear: Vec<String> = (0..200).map(|at| format!("~.*x{{100}}{at}")).collect();
    let all = [
        tenant("zeta", 1, "~^(.+)[.]zeta[.]test$"),
        tenant("evil", 2, &dear.join(",")),
        tenant("young", 3, "~^(.+)[.]young[.]test$"),
    ];
    let (policy, _) = compile_with(&all, json!({}));
    let asked = |host: &str| ask(&policy, &format!("http://{host}/"), &[]);
    assert_eq!(asked("shop.zeta.test"), "zeta-zeta-80 /");
    // No rule without a host: a name of nobody.
    assert_eq!(asked("shop.young.test"), "404 ");
    assert_eq!(asked("young.example"), "young-young-80 /");
    // Alone they are served.
    let (policy, _) = compile_with(&[all[2].clone()], json!({}));
    assert_eq!(
        ask(&policy, "http://shop.young.test/", &[]),
        "young-young-80 /"
    );
}

/// `here` alone, and beside a younger stranger's: what becomes of a request is the same.
fn is_the_same_beside(
    here: &[Value],
    stranger: Value,
    url: &str,
    headers: &[(&str, &str)],
) -> String {
    let authorizers = json!({ "authorizers": { "http://other.example:80": "other" } });
    let (alone, _) = compile_with(here, authorizers.clone());
    let (beside, _) = compile_with(&[here, &[stranger]].concat(), authorizers);
    let asked = ask(&alone, url, headers);
    assert_eq!(ask(&beside, url, headers), asked, "{url}");
    asked
}

// What a request took after its location was found, a second search of an authorizer, or the groups of
// locations that nobody found had no room any more beside a stranger's patterns.
#[test]
fn what_is_served_alone_is_served_beside_a_younger_strangers_patterns() {
    let long = "y".repeat(1_000);
    let rewritten = of_tenant(
        "alpha",
        1,
        &[("rewrite-target", "/$1")],
        &["/", "/foo/(.*)/[a-z]{20}x"],
    );
    let asking = [("auth-url", "http://$host/check$request_uri")];
    let asking = [of_tenant("alpha", 1, &asking, &["/foo/[a-z]*x"]), {
        let mut open = of_tenant("alpha", 1, &[], &["/check"]);
        open["metadata"]["name"] = json!("open");
        open
    }];
    let wide = of_tenant(
        "alpha",
        1,
        &[],
        &["/", &format!("/.*z{{100}}0/{}", "q".repeat(20))],
    );
    for width in (20..=600).step_by(20) {
        let path = format!("/.*z{{{width}}}0/{}", "p".repeat(30));
        let stranger = || of_tenant("evil", 2, &[], &[&path]);
        let url = format!("http://a.example/foo/{long}/{}x", "a".repeat(20));
        let served = is_the_same_beside(std::slice::from_ref(&rewritten), stranger(), &url, &[]);
        assert_eq!(served, format!("alpha-alpha-80 /{long}"));
        let url = format!("http://a.example/foo/{long}x");
        let served = is_the_same_beside(&asking, stranger(), &url, &[]);
        assert!(served.starts_with("ask "), "{served}");
        let served = is_the_same_beside(std::slice::from_ref(&wide), stranger(), &url, &[]);
        assert_eq!(served, format!("alpha-alpha-80 /foo/{long}x"));
    }
}

// Whoever wrote many aliases and a rule without a host had the requests for others' aliases.
#[test]
fn a_name_that_may_be_an_alias_is_served_by_nobody_who_came_later() {
    let tenant = |namespace: &str, day: u32, host: &str, aliases: &str| {
        let more = [
            ("server-alias", aliases),
            ("whitelist-source-range", "10.0.0.0/8"),
        ];
        let more = if aliases.is_empty() { &[][..] } else { &more };
        let mut one = of_tenant(namespace, day, more, &["/"]);
        let rule = &mut one["spec"]["rules"][0];
        match host {
            "" => drop(rule.as_object_mut().unwrap().remove("host")),
            host => rule["host"] = json!(host),
        }
        one["metadata"]["name"] = json!(format!("at{host}"));
        one
    };
    let dear: Vec<String> = (0..100)
        .map(|at| format!("~^[a-y.]*[a-y]{{40}}1{at}"))
        .collect();
    let dear = tenant("evil", 1, "1.example", &dear.join(","));
    let alias = "~^[a-y]+[.]alpha[.]test$";
    let url = format!("http://{}.alpha.test/", "y".repeat(60));
    for (all, want) in [
        // Evil was there first: 500, and not evil's.
        (
            vec![
                dear.clone(),
                tenant("evil", 1, "", ""),
                tenant("alpha", 2, "a.example", alias),
            ],
            "500 ",
        ),
        // The default server's owner came later than evil, and before.
        (vec![dear.clone(), tenant("beta", 2, "", "")], "500 "),
        (
            vec![dear.clone(), tenant("beta", 0, "", "")],
            "beta-beta-80 /",
        ),
        (vec![dear.clone()], "404 "),
    ] {
        let (policy, remarks) = compile_with(&all, json!({}));
        assert_eq!(ask(&policy, &url, &[]), want);
        let told = remarks
            .iter()
            .filter(|one| one.to_string().contains("may cost"));
        let told: Vec<_> = told.filter_map(|one| one.ingress.as_deref()).collect();
        let alpha = all
            .iter()
            .any(|one| one["metadata"]["namespace"] == "alpha");
        let want = if alpha {
            &["evil/at1.example", "alpha/ata.example"][..]
        } else {
            &["evil/at1.example"]
        };
        assert_eq!(told, want, "{remarks:?}");
    }
    // Of whoever was there before all is asked.
    let many: Vec<String> = (0..25)
        .map(|at| format!("~^[a-y.]*[a-y]{{40}}{at}"))
        .collect();
    let many = tenant("alpha", 1, "a.example", &[&many.join(","), alias].join(","));
    let mut stranger = dear;
    stranger["metadata"]["creationTimestamp"] = json!("2024-01-09T00:00:00Z");
    let served = is_the_same_beside(&[many], stranger, &url, &[]);
    assert_eq!(served, "403 ");
}

#[test]
fn no_tenant_takes_the_secret_or_the_headers_of_another_namespace() {
    let closed = |annotations: &[(&str, &str)], keys: &Value, allows: bool| {
        let mut keys = keys.clone();
        if allows {
            keys["config_map"] = json!({ "allow-cross-namespace-resources": "true" });
        }
        let one = ingress("a", annotations, &[("a.example", "Prefix", "/", "web")]);
        let (policy, _) = compile_with(&[one], keys);
        ask(&policy, "http://a.example/", &[]) == "503 "
    };
    let users = json!({ "secrets": {
        "default/ba": { "auth": "user:{PLAIN}pw" },
        "other/ba": { "auth": "user:{PLAIN}pw" },
    }});
    let authorizers = json!({
        "authorizers": { "http://sso.test:80": "sso" },
        "config_maps": { "default/h": { "a": "b" }, "other/h": { "a": "b" } },
    });
    let login = |secret| [("auth-type", "basic"), ("auth-secret", secret)];
    let sso = |map| {
        [
            ("auth-url", "http://sso.test/"),
            ("auth-proxy-set-headers", map),
        ]
    };
    for (own, others) in [("ba", "other/ba"), ("default/ba", "other/ba")] {
        assert!(!closed(&login(own), &users, false), "{own}");
        assert!(closed(&login(others), &users, false), "{others}");
        assert!(!closed(&login(others), &users, true), "{others}");
    }
    for none in ["", "/", "default/", "default/ba/", "default/ba/x"] {
        assert!(closed(&login(none), &users, true), "{none}");
    }
    assert!(!closed(&sso("default/h"), &authorizers, false));
    assert!(closed(&sso("other/h"), &authorizers, false));
    assert!(!closed(&sso("other/h"), &authorizers, true));
}

#[test]
fn an_ingress_with_a_word_that_the_config_map_forbids_is_dropped() {
    let said = [("upstream-vhost", "a.lua_b")];
    let one = ingress("a", &said, &[("a.example", "Prefix", "/", "web")]);
    for (words, want) in [
        ("load_module,lua_", "404 "),
        ("other", "default-web-80 /"),
        ("", "default-web-80 /"),
    ] {
        let map = json!({ "config_map": { "annotation-value-word-blocklist": words } });
        let (policy, _) = compile_with(std::slice::from_ref(&one), map);
        assert_eq!(ask(&policy, "http://a.example/", &[]), want, "{words}");
    }
}

#[test]
fn a_bucket_leaks_as_much_in_a_second_or_a_minute_as_its_annotation_says() {
    let said = [("limit-rps", "3"), ("limit-rpm", "90")];
    let one = ingress("a", &said, &[("a.example", "Prefix", "/", "web")]);
    let (policy, _) = compile_with(&[one], json!({}));
    let head = fields(&[
        (":method", "GET"),
        (":path", "/"),
        (":authority", "a.example"),
    ]);
    let rates = RefCell::new(Vec::new());
    let facts = Facts {
        count: &|demand| {
            let asked = demand.buckets().map(|(_, rate)| (rate.rate, rate.burst));
            rates.borrow_mut().extend(asked);
            Verdict::Within
        },
        ..Facts::NONE
    };
    let _ = route::dispose(&policy, &EndpointTable::default(), &head, &facts);
    assert_eq!(rates.into_inner(), [(3000, 15_000), (1500, 450_000)]);
}

// v1beta1, as older manifests and backups have it.
#[test]
fn a_backend_of_an_older_api_has_a_port_with_a_name_or_a_number() {
    for (port, named) in [(json!(80), "80"), (json!("web"), "web")] {
        let mut one = ingress("a", &[], &[("h.example", "Prefix", "/", "s")]);
        let backend = json!({ "serviceName": "s", "servicePort": port });
        one["spec"]["rules"][0]["http"]["paths"][0]["backend"] = backend;
        let (policy, _) = compile_with(&[one], json!({}));
        let want = format!("default-s-{named} /");
        assert_eq!(ask(&policy, "http://h.example/", &[]), want);
    }
}

#[test]
fn the_scheme_is_that_of_the_connection_where_a_proxy_in_front_is_believed() {
    for (trusts_proto, is_tls, want) in [
        (false, false, "http https"),
        (false, true, "https https"),
        (true, false, "https https"),
    ] {
        let said = [(
            "permanent-redirect",
            "https://t.test/$scheme-$pass_access_scheme",
        )];
        let one = ingress("a", &said, &[("a.test", "Prefix", "/", "web")]);
        let keys = json!({
            "config_map": { "use-forwarded-headers": "true" },
            "trust_forwarded_proto": trusts_proto,
        });
        let (policy, _) = compile_with(&[one], keys);
        let property = |path: &[&str]| {
            let is_it = is_tls && path == ["connection", "tls_version"];
            is_it.then(|| b"TLSv1.3".to_vec())
        };
        let headers = [("x-forwarded-proto", "https")];
        let said = ask_where(&policy, "https://a.test/", &headers, &property);
        let want = format!("301 https://t.test/{}", want.replace(' ', "-"));
        assert_eq!(said, want, "{trusts_proto} {is_tls}");
    }
}

#[test]
fn a_canary_shares_the_sessions_of_its_primary_unless_it_says_legacy() {
    for (behavior, shares) in [("sticky", true), ("legacy", false)] {
        let primary = ingress(
            "a",
            &[("affinity", "cookie")],
            &[("h.example", "Prefix", "/", "one")],
        );
        let canary = ingress(
            "b",
            &[
                ("canary", "true"),
                ("canary-weight", "10"),
                ("affinity-canary-behavior", behavior),
            ],
            &[("h.example", "Prefix", "/", "two")],
        );
        let (policy, _) = compile_with(&[primary, canary], json!({}));
        let of = |name: &str| {
            let mut all = policy.clusters.iter();
            all.find(|one| one.upstream_name == name).unwrap()
        };
        assert!(of("default-one-80").affinity.is_some());
        let has = of("default-two-80").affinity.is_some();
        assert_eq!(has, shares, "{behavior}");
    }
}

#[test]
fn the_default_backend_is_the_service_and_the_port_that_are_named() {
    let keys = json!({ "default_backend": "ops/errors:8080" });
    let (policy, _) = compile_with(&[], keys);
    let names = policy.clusters.iter().map(|one| &*one.envoy_name);
    assert_eq!(names.collect::<Vec<_>>(), ["ops/errors:8080"]);
    check(&policy, &[("http://any/x", "ops-errors-8080 /x")]);
}

#[test]
fn who_connects_is_added_where_the_proxy_has_not_written_the_list_anew() {
    for (peer, header, full) in [
        (
            Some("x-limpet-peer"),
            "X-Forwarded-For",
            "x-original-forwarded-for",
        ),
        (Some("x-limpet-peer"), "X-Client", "x-forwarded-for"),
        (None, "X-Forwarded-For", "x-forwarded-for"),
    ] {
        let mut keys = json!({ "config_map": {
            "use-forwarded-headers": "true",
            "compute-full-forwarded-for": "true",
            "forwarded-for-header": header,
        }});
        if let Some(peer) = peer {
            keys["headers"] = json!({ "peer": peer });
        }
        let (policy, _) = compile_with(&[], keys);
        let real_ip = policy.real_ip.unwrap();
        assert_eq!(real_ip.full.as_deref(), Some(full), "{peer:?} {header}");
    }
}

#[test]
fn a_redirect_to_a_path_is_as_relative_as_the_config_map_or_the_ingress_says() {
    let to = ("permanent-redirect", "/x");
    for (map, annotations, want) in [
        ("false", &[to][..], "301 https://a.test/x"),
        ("true", &[to], "301 /x"),
        ("false", &[to, ("relative-redirects", "true")], "301 /x"),
    ] {
        let one = ingress("a", annotations, &[("a.test", "Prefix", "/", "web")]);
        let map = json!({ "config_map": { "relative-redirects": map } });
        let (policy, _) = compile_with(&[one], map);
        check(&policy, &[("https://a.test/y", want)]);
    }
}
