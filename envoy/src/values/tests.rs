use limpet::annotations::catalogue::{ANNOTATIONS, Annotation};
use limpet::annotations::validator::Patterns;

use super::*;
use crate::check::{Finding, Platform, Report, keys};

const PLATFORMS: [Option<Platform>; 4] = [
    None,
    Some(Platform::Envoy),
    Some(Platform::Istio),
    Some(Platform::EnvoyGateway),
];

/// An Ingress of that name and these annotations.
fn ingress(name: &str, annotations: &[(&str, &str)]) -> String {
    let annotations = annotations.iter();
    let annotations = annotations
        .map(|(name, value)| format!("    nginx.ingress.kubernetes.io/{name}: {value:?}\n"));
    let annotations = annotations.collect::<String>();
    format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: default
  annotations:
{annotations}
spec:
  ingressClassName: nginx
  rules:
  - host: {name}.test
    http:
      paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]
---"
    )
}

fn config_map(data: &[(&str, &str)]) -> String {
    let data = data
        .iter()
        .map(|(key, value)| format!("  {key}: {value:?}\n"));
    let data = data.collect::<String>();
    format!(
        "
apiVersion: v1
kind: ConfigMap
metadata: {{name: ingress-nginx-controller, namespace: ingress-nginx}}
data:
{data}"
    )
}

/// What is said of a field, with whatever tells it how grave that is.
fn said(report: &Report, field: &str) -> Vec<String> {
    let is_of_ingress = !field.starts_with("config_map.");
    let about = report.findings.iter().filter(|one| one.field == field);
    about
        .filter(|one| one.ingress.is_some() == is_of_ingress)
        .map(|one| format!("{} {}", one.level.word(), one.message()))
        .collect()
}

fn report(text: &str, strict: bool, on: Option<Platform>) -> Report {
    Report::new(&Manifests::parse("m.yaml", text).unwrap(), strict, on)
}

/// A value that its validator does not accept; `None`: it accepts everything.
fn bad(row: &Annotation) -> Option<&'static str> {
    let mut values = ["many", "a b;{", "\u{fc}"].into_iter();
    values.find(|value| !row.validator.accepts(value, &mut Patterns::default()))
}

#[test]
fn every_annotation_with_a_value_that_ingress_nginx_refuses_is_told() {
    let rows = || ANNOTATIONS.iter().filter_map(|row| Some((row, bad(row)?)));
    assert!(rows().count() > 110);
    let text: String = rows()
        .map(|(row, value)| ingress(row.name, &[(row.name, value)]))
        .collect();
    for strict in [false, true] {
        for on in PLATFORMS {
            let report = report(&text, strict, on);
            for (row, value) in rows() {
                let is_told =
                    |one: &&Finding| one.field == row.name && one.value.as_deref() == Some(value);
                let is_told = report.findings.iter().any(|one| is_told(&one));
                assert!(is_told, "{} {value} {strict} {on:?}", row.name);
            }
        }
    }
}

/// A value that is nothing of the kind that a key's default is; `None`: any text will do.
fn bad_setting(key: &str) -> Option<&'static str> {
    match (key, default_of(key)?) {
        ("custom-http-errors" | "annotations-risk-level" | "proxy-next-upstream", _) => {
            Some("many")
        }
        ("denylist-source-range" | "whitelist-source-range" | "block-cidrs", _) => Some("many"),
        ("large-client-header-buffers" | "proxy-real-ip-cidr", _) => Some("many"),
        ("global-auth-url" | "global-auth-method" | "global-auth-signin", _) => Some("a b"),
        ("global-auth-response-headers" | "hsts-max-age" | "proxy-body-size", _) => Some("1 y"),
        ("proxy-cookie-path" | "proxy-cookie-domain", _) => Some("one"),
        (_, "true" | "false") => Some("maybe"),
        (_, default) => default.parse::<i64>().ok().map(|_| "many"),
    }
}

#[test]
fn every_key_of_the_config_map_with_a_value_that_nobody_reads_is_told() {
    let rows: Vec<_> = keys()
        .filter_map(|key| Some((key, bad_setting(key)?)))
        .collect();
    assert!(rows.len() > 90, "{}", rows.len());
    let text = [ingress("a", &[]), config_map(&rows)].concat();
    for on in PLATFORMS {
        let report = report(&text, false, on);
        for (key, value) in &rows {
            let own = format!("config_map.{key}");
            let is_told = |one: &Finding| {
                let is_own = one.field == own || one.field == *key;
                is_own && one.ingress.is_none() && one.message().contains(value)
            };
            assert!(report.findings.iter().any(is_told), "{key} {on:?}");
        }
    }
}

#[test]
fn what_holds_in_place_of_a_value_that_nobody_reads_is_said() {
    let settings = config_map(&[("proxy-read-timeout", "20"), ("proxy-body-size", "2k")]);
    for (name, value, message) in [
        (
            "proxy-read-timeout",
            "20m",
            "is not a whole number; ignored, as under ingress-nginx: 20 holds",
        ),
        (
            "proxy-connect-timeout",
            "60s",
            "is not a whole number; ignored, as under ingress-nginx: 5 holds",
        ),
        (
            "proxy-send-timeout",
            "1h",
            "is not a whole number; ignored, as under ingress-nginx: 60 holds",
        ),
        (
            "proxy-next-upstream-tries",
            "many",
            "is not a whole number; ignored, as under ingress-nginx: 3 holds",
        ),
        (
            "proxy-next-upstream-timeout",
            "10s",
            "is not a whole number; ignored, as under ingress-nginx: 0 holds",
        ),
        (
            "proxy-body-size",
            "10MB",
            r"is not a match of (?i)^\d+[bkmg]?$; ignored, as under ingress-nginx: 2k holds",
        ),
        (
            "proxy-body-size",
            "1.5m",
            r"is not a match of (?i)^\d+[bkmg]?$; ignored, as under ingress-nginx: 2k holds",
        ),
        (
            "cors-max-age",
            "1h",
            "is not a whole number; ignored, as under ingress-nginx",
        ),
        (
            "proxy-ssl-verify-depth",
            "x",
            "is not a whole number; ignored, as under ingress-nginx",
        ),
    ] {
        for on in PLATFORMS {
            let text = [ingress("a", &[(name, value)]), settings.clone()].concat();
            let report = report(&text, false, on);
            let want = format!("note {name}: {value:?} {message}");
            assert_eq!(said(&report, name), [want], "{on:?}");
        }
    }
    let strict = report(&ingress("a", &[("proxy-read-timeout", "20m")]), true, None);
    let want = r#"warning proxy-read-timeout: "20m" is refused, expected a whole number; the annotation is ignored: 60 holds"#;
    assert_eq!(said(&strict, "proxy-read-timeout"), [want]);
}

#[test]
fn a_number_below_zero_is_told_to_stop_nginx_from_reading_its_configuration() {
    for (name, holds) in [
        ("proxy-read-timeout", "60"),
        ("proxy-next-upstream-tries", "3"),
    ] {
        let want = format!("warning {name}: \"-1\" is not a whole number; {holds} is used");
        let annotated = report(&ingress("a", &[(name, "-1")]), true, Some(Platform::Envoy));
        assert_eq!(said(&annotated, name), [want]);
        let text = [ingress("a", &[]), config_map(&[(name, "-1")])].concat();
        let set = report(&text, false, Some(Platform::Envoy));
        let key = format!("config_map.{name}");
        let want = format!("warning {key}: \"-1\" is not a whole number; {holds} is used");
        assert_eq!(said(&set, &key), [want]);
    }
}

#[test]
fn what_ingress_nginx_1_15_serves_nothing_of_is_no_note() {
    for (name, value, consequence) in [
        ("upstream-vhost", "a b", "accepted here, strict would not"),
        (
            "custom-http-errors",
            "404,abc",
            "ignored, as under older ones",
        ),
        ("from-to-www-redirect", "x", "ignored, as under older ones"),
        ("load-balance", "x", "ignored, as under older ones"),
        (
            "client-body-buffer-size",
            "1mb",
            "ignored, as under older ones",
        ),
    ] {
        for on in PLATFORMS {
            let report = report(&ingress("a", &[(name, value)]), false, on);
            let said = said(&report, name);
            let is_it = |said: &String| {
                said.starts_with("warning ")
                    && said.contains("is refused with the whole Ingress by ingress-nginx 1.15")
                    && said.contains(consequence)
            };
            assert!(said.iter().any(is_it), "{on:?} {said:?}");
            assert_eq!(report.exit_status(), 1);
        }
    }
}

#[test]
fn what_no_ingress_nginx_ever_served_is_told() {
    for (name, value, is_one) in [
        ("permanent-redirect", "ht!tp://{x}", true),
        ("permanent-redirect", "https://a.test/a b", true),
        ("permanent-redirect", "https://a.test$request_uri", false),
        ("permanent-redirect", "https://a.test${request_uri}", false),
        ("rewrite-target", "/$2?a=b", false),
        ("rewrite-target", "/a;b", true),
        ("proxy-cookie-path", "/a/ \"/; Secure\"", false),
        ("upstream-vhost", "a b;", false),
    ] {
        let report = report(&ingress("a", &[(name, value)]), false, None);
        let about = report.findings.iter().filter(|one| one.field == name);
        let mut help = about.flat_map(|one| &one.help);
        let is_told = help.any(|line| line.starts_with("no ingress-nginx served it"));
        assert_eq!(is_told, is_one, "{name} {value} {:?}", report.findings);
    }
}

#[test]
fn settings_that_nobody_reads_leave_the_default_which_is_said() {
    for (key, value, message) in [
        (
            "proxy-read-timeout",
            "20m",
            r#"note config_map.proxy-read-timeout: "20m" is not a whole number; 60 is used, as under ingress-nginx"#,
        ),
        (
            "proxy-connect-timeout",
            "abc",
            r#"note config_map.proxy-connect-timeout: "abc" is not a whole number; 5 is used, as under ingress-nginx"#,
        ),
        (
            "proxy-body-size",
            "10MB",
            r#"note config_map.proxy-body-size: "10MB" is not a number of bytes, such as 8m; the default is used, as under ingress-nginx"#,
        ),
        (
            "hsts-max-age",
            "1y",
            r#"note config_map.hsts-max-age: "1y" is not a number of seconds; max-age=1y, which no browser takes, is used, as under ingress-nginx"#,
        ),
        (
            "retry-non-idempotent",
            "yes",
            r#"note config_map.retry-non-idempotent: "yes" is not true or false; false is used, as under ingress-nginx"#,
        ),
        (
            "annotations-risk-level",
            "bogus",
            r#"note config_map.annotations-risk-level: "bogus" is not Low, Medium, High or Critical; Low is used, as under ingress-nginx"#,
        ),
        (
            "custom-http-errors",
            "404,abc",
            r#"note config_map.custom-http-errors: "404,abc" is not a list of statuses from 300 to 599; what else it lists is used, as under ingress-nginx"#,
        ),
        (
            "proxy-real-ip-cidr",
            "10.0.0.0/8,bogus",
            r#"warning config_map.proxy-real-ip-cidr: "10.0.0.0/8,bogus" is not a list of IP addresses and networks separated by commas; a list that names nobody is used"#,
        ),
    ] {
        let text = [ingress("a", &[]), config_map(&[(key, value)])].concat();
        for on in PLATFORMS {
            let report = report(&text, false, on);
            assert_eq!(
                said(&report, &format!("config_map.{key}")),
                [message],
                "{on:?}"
            );
            let mut others = report.findings.iter().filter(|one| one.field == key);
            assert!(others.next().is_none(), "{on:?} {:?}", report.findings);
        }
    }
    let text = [
        ingress("a", &[]),
        config_map(&[("proxy-next-upstream", "error http_599")]),
    ]
    .concat();
    let said = self::said(
        &report(&text, false, None),
        "config_map.proxy-next-upstream",
    );
    assert!(said.concat().starts_with(
        r#"warning config_map.proxy-next-upstream: "http_599" is unknown, expected error or timeout or "#
    ), "{said:?}");
    let text = [
        ingress("a", &[]),
        config_map(&[("ssl-protocols", "TLSv1.3 modern")]),
    ]
    .concat();
    let said = self::said(&report(&text, false, None), "config_map.ssl-protocols");
    assert!(
        said.concat().starts_with(
            r#"warning config_map.ssl-protocols: "modern" is unknown, expected SSLv2 or SSLv3 or "#
        ),
        "{said:?}"
    );
}

#[test]
fn values_that_ingress_nginx_takes_raise_no_alarm() {
    let settings = config_map(&[
        ("proxy-read-timeout", "20"),
        ("proxy-body-size", "0"),
        ("hsts-max-age", ""),
        ("retry-non-idempotent", "T"),
        (
            "proxy-next-upstream",
            "error timeout http_503 non_idempotent",
        ),
        ("custom-http-errors", "404, 503,"),
        ("annotations-risk-level", "critical"),
        ("ssl-redirect", ""),
        ("ssl-protocols", "TLSv1 TLSv1.2  TLSv1.3"),
        ("global-auth-always-set-cookie", "1"),
    ]);
    let annotations = [
        ("proxy-read-timeout", "0"),
        ("proxy-next-upstream", "http_503 error"),
        ("proxy-body-size", " 1m"),
        ("custom-http-errors", " 404 , 503"),
        ("satisfy", " any "),
        ("mirror-target", "http://copies.test$request_uri"),
    ];
    let text = [ingress("a", &annotations), settings].concat();
    let report = report(&text, false, Some(Platform::Envoy));
    let codes = ["refused", "validation", "as-before"];
    let mut alarms = report
        .findings
        .iter()
        .filter(|one| codes.contains(&one.code));
    assert!(alarms.next().is_none(), "{:#?}", report.findings);
}
