//! What an operator is told about a bad configuration, word for word: the place, the value,
//! what was expected, what happens now.

use limpet::{config, policy};
use serde_json::{Map, Value, json};

/// One Ingress with a `path` and these annotations, and further keys of the configuration.
fn shop(path: &str, annotations: &[(&str, &str)], further: &Value) -> Value {
    let named = |(name, value): &(&str, &str)| {
        (format!("nginx.ingress.kubernetes.io/{name}"), json!(value))
    };
    let annotations: Map<String, Value> = annotations.iter().map(named).collect();
    let service = json!({"service": {"name": "web", "port": {"number": 80}}});
    let path = json!({"path": path, "pathType": "Prefix", "backend": service});
    let mut configuration = json!({"ingresses": [{
        "metadata": {"name": "shop", "annotations": annotations},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "a.example", "http": {"paths": [path]}}]},
    }]});
    for (key, value) in further.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    configuration
}

/// Every remark on `configuration`, in order.
fn told(configuration: &Value) -> Vec<String> {
    let (_, remarks) = policy::read(configuration.to_string().as_bytes()).unwrap();
    remarks.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bad_annotation_is_told_with_its_ingress_its_value_and_what_happens_now() {
    let strict = json!({"strict": true});
    let lenient = json!({});
    for (name, value, further, message) in [
        (
            "rewrite-target",
            "/$0",
            &lenient,
            r#""/$0" has $0, which is no nginx variable that limpet knows; the path is ignored"#,
        ),
        (
            "rewrite-target",
            "/x?y",
            &strict,
            r#""/x?y" is refused, expected a match of ^/?[\-._~a-zA-Z0-9/:$]*$; the annotation is ignored"#,
        ),
        (
            "permanent-redirect",
            "https://a b",
            &strict,
            r#""https://a b" is refused, expected a match of ^[\-._~a-zA-Z0-9/:,?&=]*$; the whole Ingress is ignored"#,
        ),
        (
            "temporal-redirect",
            "ftp://x",
            &lenient,
            r#""ftp://x" is not a URL of http or https; no redirect, as under ingress-nginx"#,
        ),
        (
            "app-root",
            "x",
            &lenient,
            r#""x" is not a path that begins with a slash; ignored, as under ingress-nginx"#,
        ),
        (
            "use-regex",
            "yes",
            &lenient,
            r#""yes" is not true or false; ignored, as under ingress-nginx"#,
        ),
        (
            "use-regex",
            "yes",
            &strict,
            r#""yes" is refused, expected true or false; the annotation is ignored"#,
        ),
        (
            "proxy-body-size",
            "8b",
            &lenient,
            r#""8b" is not a number of bytes, such as 8m; 1m is used, as under ingress-nginx"#,
        ),
        (
            "custom-http-errors",
            "404,abc",
            &lenient,
            r#""404,abc" is refused with the whole Ingress by ingress-nginx 1.15, which expects a match of ^(?:[4,5]\d{2},?)*$; ignored, as under older ones"#,
        ),
        (
            "upstream-vhost",
            "a b",
            &lenient,
            r#""a b" is refused with the whole Ingress by ingress-nginx 1.15, which expects a match of ^[\-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\]*$; accepted here, strict would not"#,
        ),
        (
            "satisfy",
            "none",
            &lenient,
            r#""none" is not any or all; ignored, as under ingress-nginx"#,
        ),
        (
            "canary-weight",
            "ten",
            &lenient,
            r#""ten" is not a whole number; ignored, as under ingress-nginx"#,
        ),
        (
            "afinity",
            "cookie",
            &lenient,
            r#""cookie" is set, but ingress-nginx knows no annotation afinity; did you mean affinity? Ignored"#,
        ),
        (
            "default-backend",
            "spare",
            &lenient,
            r#""spare" is a Service without a cluster, expected one that an Ingress path names or that stands in clusters; ignored"#,
        ),
        (
            "server-alias",
            "a*b.example",
            &lenient,
            r#""a*b.example" has a * that is not a whole label at one end; ignored"#,
        ),
    ] {
        let want = format!("ingress default/shop: {name}: {message}");
        assert_eq!(told(&shop("/", &[(name, value)], further)), [want]);
    }
}

/// The redirects of an Ingress are read together: one value that is none takes the others with it.
#[test]
fn a_redirect_that_a_value_beside_it_ends_is_told() {
    let annotations = [
        ("permanent-redirect", "https://x.example"),
        ("permanent-redirect-code", "abc"),
    ];
    let told = told(&shop("/", &annotations, &json!({})));
    let want = "permanent-redirect: \"https://x.example\" is superseded by a value beside it that cannot be \
                read: it changes nothing, as under ingress-nginx";
    assert!(told.iter().any(|said| said.ends_with(want)), "{told:?}");
}

#[test]
fn a_bad_session_cookie_attribute_is_told_and_left_out() {
    for (name, value, message) in [
        (
            "session-cookie-expires",
            "0abc",
            r#""0abc" is not a number of seconds; the cookie goes without this attribute"#,
        ),
        (
            "session-cookie-samesite",
            "lax",
            r#""lax" is not Strict, Lax or None in this spelling; the cookie gets no SameSite, as under ingress-nginx"#,
        ),
    ] {
        let want = format!("ingress default/shop: {name}: {message}");
        let configuration = shop("/", &[("affinity", "cookie"), (name, value)], &json!({}));
        assert_eq!(told(&configuration), [want]);
    }
}

#[test]
fn a_path_that_cannot_be_run_is_told_with_the_reason() {
    for (path, message) in [
        ("/(a", r#""/(a" has a ( without its ); the path is ignored"#),
        (
            r"/(a)\1",
            r#""/(a)\\1" has a back reference, which a linear-time engine cannot run; the path is ignored"#,
        ),
        (
            "/(?<!b)a",
            r#""/(?<!b)a" has look-behind, which a linear-time engine cannot run; the path is ignored"#,
        ),
    ] {
        let want = format!("ingress default/shop: path: {message}");
        assert_eq!(
            told(&shop(path, &[("use-regex", "true")], &json!({}))),
            [want]
        );
    }
}

#[test]
fn a_bad_key_of_the_configuration_is_told_with_its_place() {
    for (further, want) in [
        (
            json!({"unmatchd": "pass"}),
            r#"configuration: unmatchd: is unknown; did you mean unmatched? Ignored"#,
        ),
        (
            json!({"config_map": {"http-redirect-code": "200"}}),
            r#"configuration: config_map.http-redirect-code: "200" is not 301, 302, 307 or 308; the default is used, as under ingress-nginx"#,
        ),
        (
            json!({"cookie_keys": ["a secret of the refusals"], "cookie_format": "key"}),
            "configuration: cookie_keys: is superseded by cookie_format: key: it changes nothing",
        ),
        (
            json!({"config_map": {"ssl-redirect": []}}),
            r#"configuration: config_map.ssl-redirect: "[]" is not a string; ignored"#,
        ),
        (
            json!({"unmatched": "drop"}),
            r#"configuration: unmatched: "drop" is unknown, expected pass or not_found; the default is used"#,
        ),
        (
            json!({"discovery": {"interval_ms": 0}}),
            r#"configuration: discovery.interval_ms: "0" is not a whole number above 0; 1000 is used"#,
        ),
        (
            json!({"services": []}),
            r#"ingress default/shop: backend: "default/web:80" is a Service that does not exist; its paths answer 503, as under ingress-nginx"#,
        ),
        (
            json!({"ingresses": [{"kind": "Service"}]}),
            r#"configuration: ingresses: "Service" is not an Ingress; ignored"#,
        ),
        (
            json!({"ingresses": [{"kind": "Ingress"}]}),
            "configuration: ingresses: an object without metadata.name; ignored",
        ),
    ] {
        assert_eq!(told(&shop("/", &[], &further)), [want], "{further}");
    }
}

/// YAML makes a number of `3600` and a boolean of `true`: the API server takes neither.
#[test]
fn an_annotation_without_quotes_is_honoured_and_told() {
    let name = |name: &str| format!("nginx.ingress.kubernetes.io/{name}");
    for (annotation, value, message) in [
        (
            "use-regex",
            json!(true),
            r#""true" is not a string; honoured here, but Kubernetes refuses the whole Ingress"#,
        ),
        (
            "session-cookie-expires",
            json!(3600),
            r#""3600" is not a string; honoured here, but Kubernetes refuses the whole Ingress"#,
        ),
        (
            "use-regex",
            json!([true]),
            r#""[true]" is not a string; ignored, and Kubernetes refuses the whole Ingress"#,
        ),
    ] {
        let mut configuration = shop("/", &[("affinity", "cookie")], &json!({}));
        configuration["ingresses"][0]["metadata"]["annotations"][name(annotation)] = value.clone();
        let want = format!("ingress default/shop: {annotation}: {message}");
        assert_eq!(told(&configuration), [want]);
        let (policy, _) = policy::read(configuration.to_string().as_bytes()).unwrap();
        let mut hosts = policy.virtual_hosts();
        let shop = hosts.find(|host| host.name == "a.example").unwrap();
        assert_eq!(shop.is_regex, value == json!(true));
    }
}

#[test]
fn a_redirect_to_www_that_meets_an_ingress_is_told_with_the_one_that_asks_for_it() {
    let mut configuration = shop("/", &[("from-to-www-redirect", "true")], &json!({}));
    let mut other = configuration["ingresses"][0].clone();
    other["metadata"] = json!({"name": "other"});
    other["spec"]["rules"][0]["host"] = json!("www.a.example");
    configuration["ingresses"]
        .as_array_mut()
        .unwrap()
        .push(other);
    let want = "ingress default/shop: from-to-www-redirect: \"true\" meets host www.a.example, \
                which has an Ingress of its own; it is not redirected, as under ingress-nginx";
    assert_eq!(told(&configuration), [want]);
}

/// Two Services of one Ingress, or two Ingresses on one Service: whose annotation it is counts.
#[test]
fn a_remark_on_a_cookie_names_the_ingress_that_says_it() {
    let mut configuration = shop("/", &[], &json!({}));
    let mut other = configuration["ingresses"][0].clone();
    other["metadata"] = json!({"name": "sticky", "annotations": {
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/session-cookie-samesite": "lax",
    }});
    other["spec"]["rules"][0]["host"] = json!("b.example");
    configuration["ingresses"]
        .as_array_mut()
        .unwrap()
        .push(other);
    let said = told(&configuration);
    let of_it = |line: &&String| line.contains("session-cookie-samesite");
    let line = said.iter().find(of_it).unwrap();
    assert!(line.starts_with("ingress default/sticky: "), "{said:?}");
}

#[test]
fn bytes_that_are_no_object_are_an_error() {
    for (bytes, want) in [
        (
            "[]",
            "the configuration is a list, expected one JSON object",
        ),
        (
            "{",
            "the configuration is not JSON: EOF while parsing an object at line 1 column 1",
        ),
    ] {
        let error = config::read(bytes.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
}
