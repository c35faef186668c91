//! `limpet check` over manifests of all ages: it finds every planted problem and invents none.
//!
//! Each manifest of `tests/check/` opens with the public thread whose shape it has and the exit
//! status; `#~ LEVEL CODE` at the end of a line is one finding on that line. Nothing else may be
//! found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use limpet_envoy::check::{Level, Platform, Report, Verdict};
use limpet_envoy::manifests::{Manifests, Selection};
use limpet_envoy::render::istio::IstioArgs;
use serde_json::json;

/// `(line, level, code)`.
type Expected = BTreeSet<(u64, String, String)>;

struct Case {
    name: String,
    text: String,
    exit: u8,
    planted: Expected,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("check");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| Case::read(file)).collect()
}

impl Case {
    fn read(file: &Path) -> Self {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).unwrap();
        let header = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_else(|| panic!("{name}: no line `{key}...`"))
                .trim()
                .to_owned()
        };
        assert!(header("# thread: ").contains('#'), "{name}: no thread");
        assert!(!header("# shape: ").is_empty());
        Self {
            exit: header("# exit: ").parse().unwrap(),
            planted: planted(&name, &text),
            name,
            text,
        }
    }

    fn manifests(&self) -> Manifests {
        Manifests::parse(&self.name, &self.text).unwrap()
    }

    fn report(&self) -> Report {
        Report::new(&self.manifests(), false, None)
    }
}

fn planted(name: &str, text: &str) -> Expected {
    let mut all = Expected::new();
    for (line, text) in (1..).zip(text.lines()) {
        let Some((_, marks)) = text.split_once("#~ ") else {
            continue;
        };
        for mark in marks.split(", ") {
            let (level, code) = mark
                .split_once(' ')
                .unwrap_or_else(|| panic!("{name}: {mark:?}"));
            all.insert((line, level.to_owned(), code.trim().to_owned()));
        }
    }
    all
}

#[test]
fn every_planted_problem_is_found_and_none_is_invented() {
    let cases = cases();
    assert!(cases.len() >= 30, "{} manifests", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let report = case.report();
        let found: Expected = report
            .findings
            .iter()
            .map(|f| (f.line, f.level.word().to_owned(), f.code.to_owned()))
            .collect();
        for missed in case.planted.difference(&found) {
            wrong.push(format!("{}: missed {missed:?}", case.name));
        }
        for finding in &report.findings {
            let key = (
                finding.line,
                finding.level.word().to_owned(),
                finding.code.to_owned(),
            );
            if !case.planted.contains(&key) {
                wrong.push(format!(
                    "{}: invented {key:?} {}",
                    case.name,
                    finding.message()
                ));
            }
        }
        if report.exit_status() != case.exit {
            wrong.push(format!(
                "{}: exit status {}",
                case.name,
                report.exit_status()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_annotation_gets_a_verdict_and_what_is_not_honoured_is_said() {
    for case in cases() {
        let report = case.report();
        for judged in &report.annotations {
            let said = report
                .findings
                .iter()
                .any(|finding| finding.line == judged.line && finding.ingress.is_some());
            let silent = matches!(judged.verdict, Verdict::Honoured | Verdict::Differs);
            assert!(
                said || silent,
                "{}: {} is passed over",
                case.name,
                judged.annotation
            );
        }
    }
}

/// What the advice on a cookie path says, done.
fn follow(case: &Case) -> (Vec<String>, Report) {
    let manifests = case.manifests();
    let mut ingresses: Vec<serde_json::Value> = manifests
        .ingresses
        .iter()
        .map(|object| object.value.clone())
        .collect();
    let mut followed = Vec::new();
    for finding in case.report().findings {
        let advice = finding.help.iter();
        let advice = advice.filter_map(|line| line.strip_prefix("add session-cookie-path: "));
        for advice in advice {
            let (path, to) = match advice.split_once(" to ingress ") {
                Some((path, to)) => (path, to.split_once(',').unwrap().0.to_owned()),
                None => (advice, finding.ingress.clone().unwrap()),
            };
            let ids = manifests.ingresses.iter().map(|object| object.id());
            let at = ids.into_iter().position(|id| id == to).unwrap();
            let name = "nginx.ingress.kubernetes.io/session-cookie-path";
            ingresses[at]["metadata"]["annotations"][name] = path.into();
            followed.push(format!("{}: {to}", case.name));
        }
    }
    let others = [
        &manifests.services[..],
        &manifests.ingress_classes,
        &manifests.config_maps,
    ];
    let others = others
        .into_iter()
        .flatten()
        .map(|object| object.value.clone());
    let items: Vec<serde_json::Value> = ingresses.into_iter().chain(others).collect();
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let manifests = Manifests::parse(&case.name, &list.to_string()).unwrap();
    (followed, Report::new(&manifests, false, None))
}

#[test]
fn advice_on_cookie_paths_silences_what_it_is_for_when_it_is_followed() {
    let mut followed = BTreeSet::new();
    for case in cases() {
        let (advised, after) = follow(&case);
        let still: Vec<String> = after
            .findings
            .iter()
            .filter(|finding| {
                finding.code == "regex-cookie-path"
                    || !advised.is_empty() && finding.code == "cookie-path"
            })
            .map(limpet_envoy::check::Finding::message)
            .collect();
        assert!(still.is_empty(), "{}: {still:?}", case.name);
        followed.extend(advised);
    }
    assert!(followed.len() > 1, "{followed:?}");
}

#[test]
fn a_message_names_ingress_file_line_field_value_expectation_and_consequence() {
    for case in cases() {
        let manifests = case.manifests();
        let is_of_a_config_map = |line: u64| {
            let mut maps = manifests.config_maps.iter();
            maps.any(|map| map.origin.line <= line)
        };
        for finding in case.report().findings {
            let message = finding.message();
            assert_eq!(finding.file, case.name, "{message}");
            assert!(finding.line > 0, "{message}");
            let has_owner = finding.ingress.is_some() || is_of_a_config_map(finding.line);
            assert!(has_owner, "{message}");
            assert!(
                !finding.field.is_empty() && !finding.expected.is_empty(),
                "{message}"
            );
            assert!(!finding.consequence.is_empty(), "{message}");
            assert!(!message.ends_with('.'), "{message}");
        }
    }
}

#[test]
fn paths_that_a_platform_resolves_in_front_are_listed_and_rewritten_ones_are_not() {
    for platform in [Platform::Istio, Platform::EnvoyGateway] {
        let listed = paths_in_front(platform);
        assert!(listed > 30, "{platform:?}: {listed}");
    }
}

fn paths_in_front(platform: Platform) -> usize {
    let mut listed = 0;
    for case in cases() {
        let manifests = case.manifests();
        let on = |platform| Report::new(&manifests, false, platform).findings;
        let (nowhere, there) = (on(None), on(Some(platform)));
        let more: Vec<_> = there.iter().filter(|f| !nowhere.contains(f)).collect();
        for finding in more.iter().filter(|f| f.code == "path-in-front") {
            assert_eq!(finding.level, Level::Note);
            assert_eq!(finding.field, "path");
            assert!(finding.line > 0, "{}", finding.message());
            listed += 1;
        }
        if case.name.starts_with("01-") {
            assert!(more.is_empty(), "its one Ingress rewrites: {more:?}");
        }
    }
    listed
}

#[test]
fn what_no_resource_can_hold_is_a_warning_on_a_platform() {
    let text = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations: {nginx.ingress.kubernetes.io/server-alias: '~^shop[0-9]+$'}
spec:
  rules:
  - host: shop.example.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]
";
    let manifests = Manifests::parse("shop.yaml", text).unwrap();
    let report = Report::new(&manifests, false, Some(Platform::Istio));
    let said: Vec<String> = report
        .findings
        .iter()
        .filter(|f| f.code == "not-rendered")
        .map(limpet_envoy::check::Finding::message)
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().any(|line| line.contains("is a regex")));
    assert!(said.iter().any(|line| line.contains("is a name")));
    let mut findings = report.findings.iter();
    assert!(
        findings
            .all(|one| one.code != "not-rendered"
                || (&*one.file, one.line > 0) == ("shop.yaml", true)),
        "{:#?}",
        report.findings
    );
    assert_eq!(report.exit_status(), 1);
    assert_eq!(Report::new(&manifests, false, None).exit_status(), 0);
}

#[test]
fn the_hosts_that_a_platforms_resources_leave_out_are_warnings_there() {
    // One listener for 64 certificates, 62 for one host each.
    let hosts = (0..=126).map(|n| format!("h{n}.test"));
    let documents: Vec<String> = std::iter::once("intranet".to_owned())
        .chain(hosts)
        .enumerate()
        .map(|(n, host)| {
            json!({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": { "name": format!("i{n}") },
                "spec": {
                    "ingressClassName": "nginx",
                    "tls": [{ "hosts": [host], "secretName": format!("s{n}") }],
                    "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                        "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } }],
                },
            })
            .to_string()
        })
        .collect();
    let manifests = Manifests::parse("in.json", &documents.join("\n---\n")).unwrap();
    let said = |platform: Option<Platform>| {
        let report = Report::new(&manifests, false, platform);
        let left_out = report
            .findings
            .iter()
            .filter(|one| one.code == "not-rendered");
        let said: Vec<String> = left_out.map(|one| one.expected.clone()).collect();
        (report.exit_status(), said.join("\n"))
    };
    let (status, text) = said(Some(Platform::Istio));
    assert_eq!(status, 1);
    assert!(
        text.contains("host intranet: Istio takes a name without a dot"),
        "{text}"
    );
    let report = Report::new(&manifests, false, Some(Platform::Istio));
    let mut found = report.findings.iter();
    let found = found.find(|one| one.code == "not-rendered").unwrap();
    assert_eq!((&*found.file, found.line), ("in.json", 1));
    assert_eq!(found.ingress.as_deref(), Some("default/i0"));
    let rendered = limpet_envoy::render::istio::text(&manifests, &IstioArgs::default()).unwrap();
    assert!(rendered.contains(&text), "{text}");
    let (status, text) = said(Some(Platform::EnvoyGateway));
    assert_eq!(status, 1);
    assert!(
        text.contains("2 hosts are served") && text.contains(": h1") && text.contains(", h1"),
        "{text}"
    );
    assert_eq!(said(None), (0, String::new()));
}

#[test]
fn a_secret_that_serves_nobody_is_a_warning() {
    const TAKEN: &str = include_str!("../envoy/src/key_pair/pairs/taken/P-256.pem");
    const OTHER: &str = include_str!("../envoy/src/key_pair/pairs/taken/P-384.pem");
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": "shop" },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{ "hosts": ["shop.example.com"], "secretName": "shop-tls" }],
            "rules": [{ "host": "shop.example.com", "http": { "paths": [{
                "path": "/",
                "pathType": "Prefix",
                "backend": { "service": { "name": "shop", "port": { "number": 80 } } },
            }] } }],
        },
    });
    let warnings = |kind: &str, key: &str, on: Option<Platform>| -> Vec<&'static str> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": kind,
            "metadata": { "name": "shop-tls" },
            "stringData": { "tls.crt": TAKEN, "tls.key": key },
        });
        let text = format!("{ingress}\n---\n{secret}\n");
        let manifests = Manifests::parse("shop.yaml", &text).unwrap();
        let findings = Report::new(&manifests, false, on).findings.into_iter();
        let warnings = findings.filter(|finding| finding.level == Level::Warning);
        warnings.map(|finding| finding.code).collect()
    };
    let gateway = Some(Platform::EnvoyGateway);
    for on in [None, Some(Platform::Istio), gateway] {
        assert!(warnings("kubernetes.io/tls", TAKEN, on).is_empty());
        let foreign = warnings("kubernetes.io/tls", OTHER, on);
        assert_eq!(foreign, ["https-listener"]);
    }
    // ingress-nginx goes by the keys of a Secret, Envoy Gateway asks for the type.
    assert!(warnings("Opaque", TAKEN, None).is_empty());
    assert_eq!(warnings("Opaque", TAKEN, gateway), ["not-rendered"]);
}

#[test]
fn a_second_controller_is_checked_when_it_is_asked_for() {
    let named = |classes: &[&str], controllers: &[&str]| Selection {
        classes: classes.iter().map(|&name| name.to_owned()).collect(),
        controllers: controllers.iter().map(|&name| name.to_owned()).collect(),
        annotations_prefix: None,
        config_map: None,
    };
    let azure = "webapprouting.kubernetes.azure.com/nginx";
    for (name, selection) in [
        ("48-", named(&["internal-nginx"], &[])),
        ("49-", named(&[], &["k8s.io/internal-ingress-nginx", azure])),
    ] {
        let case = cases().into_iter().find(|case| case.name.starts_with(name));
        let case = case.unwrap();
        let manifests = case.manifests().with_selection(&selection);
        let report = Report::new(&manifests, false, None);
        let found: Vec<String> = report.findings.iter().map(|f| f.message()).collect();
        assert_eq!((report.exit_status(), found), (0, Vec::new()), "{name}");
        // What the advice says is enough.
        let advice = case.report().findings;
        let advice: Vec<&String> = advice.iter().flat_map(|finding| &finding.help).collect();
        let asked = selection.classes.iter().chain(&selection.controllers);
        for asked in asked {
            assert!(
                advice
                    .iter()
                    .any(|line| line.ends_with(&format!(" {asked}"))
                        || line.contains(&format!("--ingress-class {asked} "))),
                "{advice:?}"
            );
        }
    }
}

// The same Ingresses are told about once, under the prefix that they have.
#[test]
fn annotations_under_the_old_prefix_are_checked_when_it_is_asked_for() {
    let mut cases = cases().into_iter();
    let case = cases.find(|case| case.name.starts_with("16-")).unwrap();
    let selection = Selection {
        annotations_prefix: Some("ingress.kubernetes.io".to_owned()),
        config_map: None,
        ..Selection::default()
    };
    let manifests = case.manifests().with_selection(&selection);
    let report = Report::new(&manifests, false, None);
    let wrong: Vec<_> = report
        .findings
        .iter()
        .filter(|f| f.code == "wrong-prefix")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(!report.annotations.is_empty());
    for judged in &report.annotations {
        let line = case.text.lines().nth(judged.line as usize - 1).unwrap();
        let name = format!("    ingress.kubernetes.io/{}:", judged.annotation);
        assert!(line.starts_with(&name), "{line}");
    }
}

/// What ingress-nginx was recorded to do stays; these alone are told as differences.
#[test]
fn of_the_recorded_ingresses_only_what_really_changes_is_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let read = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (paths, affinity) = (read("paths.json"), read("affinity.json"));
    let recorded = [&paths["vectors"], &affinity["E2E_affinity"]];
    let mut told = BTreeSet::new();
    let mut asked = 0;
    for vector in recorded.iter().flat_map(|list| list.as_array().unwrap()) {
        let mut items = vector["ingresses"].as_array().unwrap().clone();
        items.push(serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "ingress-nginx-controller" },
            "data": vector["controller_config"],
        }));
        // Whose class it is has to be known, or it is asked for.
        items.push(serde_json::json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": { "name": "other" }, "spec": { "controller": "example.com/other" },
        }));
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": items });
        let id = vector["id"].as_str().unwrap();
        let manifests = Manifests::parse(id, &list.to_string()).unwrap();
        let report = Report::new(&manifests, false, None);
        let worse = report.findings.iter().filter(|f| f.level > Level::Note);
        told.extend(worse.map(|finding| format!("{id}: {}", finding.code)));
        asked += 1;
    }
    assert!(asked > 90, "{asked}");
    let wanted = [
        // A line of nginx's configuration, and what another filter does.
        "aff-fail-503-next: elsewhere",
        // Neither does ingress-nginx read it, under those settings, but it leaves the Ingress out.
        "snippet-denied: elsewhere",
        // ingress-nginx answers 500.
        "aff-expires-0abc: refused",
        // Redirects to https where the certificate was ingress-nginx's own.
        "app-root-ssl: https-listener",
        "ssl-force-global: https-listener",
        "ssl-force-partial: https-listener",
        "ssl-force-port: https-listener",
        "ssl-tls-otherhost: https-listener",
    ];
    assert_eq!(told, wanted.map(str::to_owned).into());
}
