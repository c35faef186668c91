//! Every loss of the table is refused, and let through by each way out.

use serde_json::{Value, json};

use super::*;
use limpet::annotations::catalogue;
use limpet::annotations::validator::Validator;

use crate::check::{Report, default_of, lost_annotations, lost_keys};
use crate::render::yaml::to_yaml;

/// The same Ingresses with these ConfigMaps alone.
fn with_maps(manifests: &Manifests, maps: &[&Value]) -> Manifests {
    let ingresses = manifests.ingresses.iter().map(|one| &one.value);
    let items: Vec<&Value> = ingresses.chain(maps.iter().copied()).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("list.json", &list.to_string()).unwrap()
}

/// One Ingress with these annotations, and a ConfigMap with these settings.
fn manifests(annotations: &Value, settings: &Value) -> Manifests {
    let web = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let named: serde_json::Map<String, Value> = annotations
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), value.clone()))
        .collect();
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": "shop", "namespace": "prod", "annotations": named },
        "spec": { "ingressClassName": "nginx", "rules": [{
            "host": "shop.example.com",
            "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": web }] },
        }] },
    });
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "ingress-nginx-controller", "namespace": "ingress-nginx" },
        "data": settings,
    });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [ingress, map] });
    Manifests::parse("shop.yaml", &to_yaml(&list).unwrap()).unwrap()
}

/// A value that no table takes for off.
const VALUE: &str = "on.example/x";

/// What does nothing by itself, and what it goes with.
const SATELLITES: [(&str, &str); 12] = [
    ("auth-tls-verify-client", "auth-tls-secret"),
    ("auth-tls-verify-depth", "auth-tls-secret"),
    ("auth-tls-pass-certificate-to-upstream", "auth-tls-secret"),
    ("auth-tls-match-cn", "auth-tls-secret"),
    ("auth-tls-error-page", "auth-tls-secret"),
    ("proxy-ssl-verify", "proxy-ssl-secret"),
    ("proxy-ssl-verify-depth", "proxy-ssl-secret"),
    ("limit-rate-after", "limit-rate"),
    ("enable-owasp-core-rules", "enable-modsecurity"),
    ("modsecurity-snippet", "enable-modsecurity"),
    ("modsecurity-transaction-id", "enable-modsecurity"),
    ("fastcgi-index", "backend-protocol"),
];

/// The same, of keys of the ConfigMap.
const KEY_SATELLITES: [(&str, &str); 3] = [
    ("enable-owasp-modsecurity-crs", "enable-modsecurity"),
    ("modsecurity-snippet", "enable-modsecurity"),
    ("limit-rate-after", "limit-rate"),
];

/// A value that asks for something.
fn asking(name: &str) -> &'static str {
    match catalogue::find(name).map(|row| row.validator) {
        _ if name == "auth-type" => "digest",
        _ if name == "backend-protocol" => "FCGI",
        _ if ["auth-tls-verify-client", "proxy-ssl-verify"].contains(&name) => "on",
        Some(Validator::Bool) => "true",
        Some(Validator::Int) => "5",
        _ => VALUE,
    }
}

/// The same of a key.
fn asking_key(key: &str) -> &'static str {
    match default_of(key) {
        Some("true" | "false") => "true",
        Some(default) if default.parse::<i64>().is_ok() => "5",
        _ => VALUE,
    }
}

/// Settings under which an annotation does something.
fn settings_for(name: &str) -> Value {
    match name {
        _ if name.ends_with("-snippet") => json!({ "allow-snippet-annotations": "true" }),
        _ => json!({}),
    }
}

/// Every loss alone: its name, and manifests with nothing else but what lets it do something.
fn each() -> Vec<(String, Manifests)> {
    let is_satellite = |list: &[(&str, &str)], name: &str| list.iter().any(|one| one.0 == name);
    let annotations = lost_annotations().filter(|(name, _)| !is_satellite(&SATELLITES, name));
    let annotations = annotations.map(|(name, value)| {
        let value = value.unwrap_or(asking(name));
        (
            name.to_owned(),
            manifests(&json!({ name: value }), &settings_for(name)),
        )
    });
    let keys = lost_keys().filter(|name| !is_satellite(&KEY_SATELLITES, name));
    let keys = keys.map(|name| {
        (
            name.to_owned(),
            manifests(&json!({}), &json!({ name: asking_key(name) })),
        )
    });
    annotations.chain(keys).collect()
}

fn settled(manifests: &mut Manifests, arguments: &[&str]) -> Result<Vec<String>, LossError> {
    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        losses: LossArgs,
    }
    let command = ["render"].iter().chain(arguments);
    let args = <Command as clap::Parser>::try_parse_from(command).unwrap();
    settle(manifests, &Flags::default(), &args.losses, Platform::Envoy)
}

#[test]
fn every_loss_is_refused_with_its_place_and_what_follows() {
    let all = each();
    assert!(all.len() > 10, "{}", all.len());
    for (name, mut manifests) in all {
        let Err(LossError::Refused(losses)) = settled(&mut manifests, &[]) else {
            panic!("{name} is not refused");
        };
        let refused = LossError::Refused(losses).to_string();
        assert!(refused.contains(&format!(": {name}: ")), "{refused}");
        assert!(refused.contains("shop.yaml:"), "{refused}");
        assert!(!refused.contains("shop.yaml:0"), "{refused}");
        assert!(
            refused.contains("ingress prod/shop") || refused.contains("the ConfigMap"),
            "{refused}"
        );
        assert!(
            refused.contains("; ") && refused.contains("Envoy: "),
            "{refused}"
        );
    }
}

#[test]
fn check_never_says_that_all_is_as_before_beside_a_loss() {
    for (name, manifests) in each() {
        let report = Report::new(&manifests, false, None);
        let mut text = anstream::StripStream::new(Vec::new());
        crate::check::print_text(&mut text, &report).unwrap();
        let text = String::from_utf8(text.into_inner()).unwrap();
        assert!(
            !text.contains("as under ingress-nginx, but"),
            "{name}: {text}"
        );
        assert!(!text.contains("everything will behave"), "{name}: {text}");
        assert!(report.exit_status() > 0, "{name}");
        assert_eq!(report.losses().count(), 1, "{name}: {text}");
    }
}

#[test]
fn an_accepted_loss_is_let_through_and_echoed() {
    for (name, mut manifests) in each() {
        let lines = settled(&mut manifests, &["--accept-loss", &name]).unwrap();
        let echo = format!("accepted loss: {name} of ");
        assert!(
            lines.iter().any(|line| line.starts_with(&echo)),
            "{lines:?}"
        );
        assert!(lines.iter().all(|line| manifests.notes.contains(line)));
        assert!(!manifests.given.contains_key("close"), "{name}");
    }
}

#[test]
fn what_is_closed_answers_503_and_is_echoed() {
    for (name, mut manifests) in each() {
        let lines = settled(&mut manifests, &["--close"]).unwrap();
        let echo = format!("closed, answers 503: {name} of ");
        assert!(
            lines.iter().any(|line| line.starts_with(&echo)),
            "{lines:?}"
        );
        let is_of_one = lines.iter().any(|line| line.contains("ingress prod/shop"));
        let closed = if is_of_one { "prod/shop" } else { "*" };
        assert_eq!(
            manifests.given.get("close"),
            Some(&json!([closed])),
            "{name}"
        );
    }
}

/// What `check` prints, and what it found.
fn checked(manifests: &Manifests) -> (String, Report) {
    let report = Report::new(manifests, false, None);
    let mut text = anstream::StripStream::new(Vec::new());
    crate::check::print_text(&mut text, &report).unwrap();
    (String::from_utf8(text.into_inner()).unwrap(), report)
}

fn assert_nothing_is_lost(name: &str, mut manifests: Manifests, told: &str) {
    let (text, report) = checked(&manifests);
    assert!(text.contains(told), "{name}: {text}");
    assert!(!text.contains("everything will behave"), "{name}: {text}");
    assert_eq!(
        (report.losses().count(), report.exit_status()),
        (0, 0),
        "{name}: {text}"
    );
    let settled = settled(&mut manifests, &[]);
    assert!(
        settled.as_ref().is_ok_and(Vec::is_empty),
        "{name}: {settled:?}"
    );
    assert_eq!(manifests.given.get("strip_headers"), None, "{name}");
}

#[test]
fn what_does_nothing_without_its_head_is_no_loss_alone_and_one_beside_it() {
    let lost: Vec<&str> = lost_annotations().map(|(name, _)| name).collect();
    for (name, head) in SATELLITES {
        let told = format!("{name}: ");
        let alone = manifests(&json!({ name: asking(name) }), &settings_for(name));
        let (text, _) = checked(&alone);
        assert!(text.contains("does nothing by itself, without"), "{text}");
        assert_nothing_is_lost(name, alone, &told);
        let mut both = manifests(
            &json!({ name: asking(name), head: asking(head) }),
            &settings_for(name),
        );
        let (text, report) = checked(&both);
        let lost_here: Vec<&str> = report.losses().map(|loss| loss.field.as_str()).collect();
        assert!(
            lost.contains(&name) && lost_here.contains(&name),
            "{name}: {text}"
        );
        assert!(lost_here.contains(&head), "{name}: {text}");
        assert!(settled(&mut both, &[]).is_err(), "{name}");
    }
    for (name, head) in KEY_SATELLITES {
        let alone = manifests(&json!({}), &json!({ name: asking_key(name) }));
        assert_nothing_is_lost(name, alone, "without");
        let mut both = manifests(
            &json!({}),
            &json!({ name: asking_key(name), head: asking_key(head) }),
        );
        let (text, report) = checked(&both);
        assert!(
            report.losses().any(|loss| loss.field == name),
            "{name}: {text}"
        );
        assert!(settled(&mut both, &[]).is_err(), "{name}");
    }
}

#[test]
fn what_a_canary_says_is_no_loss_but_for_what_holds_for_the_whole_host() {
    for (name, _) in lost_annotations() {
        let said = json!({ name: asking(name), "canary": "true" });
        let mut canary = manifests(&said, &settings_for(name));
        let is_of_server = name == "auth-tls-secret" || name == "proxy-ssl-secret";
        if is_of_server {
            assert!(settled(&mut canary, &[]).is_err(), "{name}");
        } else if name != "backend-protocol" && !SATELLITES.iter().any(|one| one.0 == name) {
            let (text, report) = checked(&canary);
            assert!(text.contains("stands on a canary"), "{text}");
            assert_eq!(report.losses().count(), 0, "{text}");
            assert!(settled(&mut canary, &[]).is_ok(), "{name}");
        }
        let said = json!({ name: asking(name), "canary": "yes" });
        let no_canary = manifests(&said, &settings_for(name));
        let (text, _) = checked(&no_canary);
        assert!(!text.contains("stands on a canary"), "{text}");
    }
}

#[test]
fn a_boolean_that_ingress_nginx_does_not_read_is_no_loss() {
    let odd = manifests(&json!({ "enable-modsecurity": "yes" }), &json!({}));
    assert_nothing_is_lost(
        "enable-modsecurity",
        odd,
        "is not true or false; ignored, as under ingress-nginx",
    );
    let odd = manifests(
        &json!({ "enable-modsecurity": "yes", "modsecurity-transaction-id": "$request_id" }),
        &json!({}),
    );
    assert_eq!(checked(&odd).1.losses().count(), 0);
    // This costs ingress-nginx the whole Ingress, which here would be open.
    let mut odd = manifests(&json!({ "ssl-passthrough": "many" }), &json!({}));
    assert!(settled(&mut odd, &[]).is_err());
}

#[test]
fn a_snippet_is_a_loss_where_it_may_have_been_read() {
    let snippet = json!({ "configuration-snippet": "deny all;" });
    let outcome = |settings: Value| {
        let mut manifests = manifests(&snippet, &settings);
        if settings.is_null() {
            manifests = with_maps(&manifests, &[]);
        }
        let (text, report) = checked(&manifests);
        let status = report.exit_status();
        (
            report.losses().count(),
            status,
            settled(&mut manifests, &[]).is_ok(),
            text,
        )
    };
    let (losses, _, is_through, _) = outcome(json!({ "allow-snippet-annotations": "true" }));
    assert_eq!((losses, is_through), (1, false));
    let (losses, _, is_through, text) = outcome(Value::Null);
    assert_eq!((losses, is_through), (1, false));
    assert!(text.contains("give the ConfigMap with -f"), "{text}");
    // The whole Ingress is not served by ingress-nginx 1.15.
    for settings in [json!({}), json!({ "allow-snippet-annotations": "false" })] {
        let (losses, status, is_through, text) = outcome(settings);
        assert_eq!((losses, status, is_through), (0, 1, true), "{text}");
        assert!(
            text.contains("serves nothing of an Ingress with a snippet"),
            "{text}"
        );
    }
    let (losses, status, is_through, text) =
        outcome(json!({ "annotations-risk-level": "Critical" }));
    assert_eq!((losses, status, is_through), (0, 0, true), "{text}");
    // Two that may be its settings.
    let one = manifests(&snippet, &json!({}));
    let first = &one.config_maps[0].value;
    let mut second = first.clone();
    second["metadata"]["namespace"] = json!("second");
    second["data"] = json!({ "allow-snippet-annotations": "true" });
    let mut two = with_maps(&one, &[first, &second]);
    assert!(settled(&mut two, &[]).is_err());
}

#[test]
fn values_that_mean_off_are_no_loss() {
    for (name, value) in [
        ("enable-modsecurity", "false"),
        ("auth-type", ""),
        ("limit-rate", "0"),
        ("ssl-passthrough", "false"),
        ("proxy-ssl-verify", "off"),
        ("auth-tls-verify-client", "off"),
        ("enable-global-auth", "false"),
        ("custom-http-errors", ""),
    ] {
        let mut manifests = manifests(&json!({ name: value }), &json!({}));
        assert_eq!(settled(&mut manifests, &[]).unwrap(), [""; 0], "{name}");
        let report = Report::new(&manifests, false, None);
        assert_eq!(report.exit_status(), 0, "{name}: {:?}", report.findings);
    }
    for (name, value) in [
        ("use-proxy-protocol", "false"),
        ("custom-http-errors", ""),
        ("whitelist-source-range", ""),
        ("proxy-real-ip-cidr", "0.0.0.0/0"),
        ("enable-modsecurity", "False"),
        ("limit-rate", "0"),
    ] {
        let mut manifests = manifests(&json!({}), &json!({ name: value }));
        assert_eq!(settled(&mut manifests, &[]).unwrap(), [""; 0], "{name}");
        let report = Report::new(&manifests, false, None);
        assert_eq!(report.exit_status(), 0, "{name}: {:?}", report.findings);
    }
}

#[test]
fn what_goes_with_a_loss_is_accepted_with_it() {
    let annotations = json!({
        "enable-modsecurity": "true",
        "enable-owasp-core-rules": "true",
        "modsecurity-transaction-id": "$request_id",
        "fastcgi-params-configmap": "default/php",
    });
    let with_it = ["--accept-loss", "enable-modsecurity@prod/shop"];
    let mut refused = manifests(&annotations, &json!({}));
    let Err(LossError::Refused(losses)) = settled(&mut refused, &with_it) else {
        panic!("fastcgi-params-configmap was not accepted");
    };
    let fields: Vec<&str> = losses.iter().map(|loss| loss.field.as_str()).collect();
    assert_eq!(fields, ["fastcgi-params-configmap"]);

    let mut through = manifests(&annotations, &json!({}));
    let lines = settled(&mut through, &[&with_it[..], &["--close"]].concat()).unwrap();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(through.given.get("close"), Some(&json!(["prod/shop"])));

    let mut alone = manifests(&annotations, &json!({}));
    let of_one = settled(&mut alone, &["--accept-loss", "enable-owasp-core-rules"]);
    assert!(matches!(of_one, Err(LossError::Refused(_))), "{of_one:?}");
}

// `host: 5` was a rule for every host, and `path: 5` one for every path.
#[test]
fn a_field_of_another_kind_is_told_with_its_line_and_refused() {
    let path = "/spec/rules/0/http/paths/0";
    for (pointer, value, told) in [
        (
            "/spec/rules/0/host".to_owned(),
            json!(5),
            "host: \"5\" is no string",
        ),
        (format!("{path}/path"), json!(5), "path: \"5\" is no string"),
        ("/spec/rules".to_owned(), json!({}), "rules: is no list"),
        (
            format!("{path}/backend/service/name"),
            json!(true),
            "name: \"true\" is no string",
        ),
        (
            format!("{path}/backend/service/port/number"),
            json!("80"),
            "number: \"80\" is no number",
        ),
        (
            "/spec/rules/0/http/paths".to_owned(),
            json!("x"),
            "paths: \"x\" is no list",
        ),
        (
            format!("{path}/backend"),
            json!("web"),
            "backend: \"web\" is no map",
        ),
        // What YAML makes of `name: on`, for some.
        (
            "/metadata/name".to_owned(),
            json!(true),
            "name: \"true\" is no string",
        ),
        (
            "/metadata/name".to_owned(),
            json!(null),
            "metadata.name: is missing",
        ),
    ] {
        let mut value_of = manifests(&json!({}), &json!({})).ingresses[0].value.clone();
        *value_of.pointer_mut(&pointer).unwrap() = value;
        let read = || Manifests::parse("m.yaml", &to_yaml(&value_of).unwrap()).unwrap();
        let (text, report) = checked(&read());
        assert_eq!(
            (report.exit_status(), report.losses().count()),
            (2, 1),
            "{text}"
        );
        assert!(text.contains(told), "{text}");
        let refused = settled(&mut read(), &[]).unwrap_err().to_string();
        assert!(
            refused.contains("m.yaml:") && !refused.contains("m.yaml:0"),
            "{refused}"
        );
        assert!(
            refused.contains("Kubernetes refuses the whole Ingress"),
            "{refused}"
        );
        // `run` and `explain` ask nobody about losses.
        let manifests = read();
        let notes = Compiled::new(&manifests, &Flags::default()).unwrap().notes;
        let is_told = notes
            .iter()
            .any(|note| note.contains("without metadata.name"));
        assert_eq!(
            is_told,
            manifests.ingresses[0].name().is_empty(),
            "{notes:?}"
        );
    }
}

// One name, two losses: both are accepted, and each is said.
#[test]
fn a_name_of_an_annotation_and_a_key_accepts_both_and_echoes_each() {
    let mut both = manifests(
        &json!({ "enable-modsecurity": "true" }),
        &json!({ "enable-modsecurity": "true" }),
    );
    let lines = settled(&mut both, &["--accept-loss", "enable-modsecurity"]).unwrap();
    let echoed = |of: &str| {
        let start = format!("accepted loss: enable-modsecurity of {of} (shop.yaml:");
        lines.iter().filter(|line| line.starts_with(&start)).count()
    };
    assert_eq!(
        (echoed("ingress prod/shop"), echoed("the ConfigMap")),
        (1, 1),
        "{lines:?}"
    );
    let mut one = manifests(
        &json!({ "enable-modsecurity": "true" }),
        &json!({ "enable-modsecurity": "true" }),
    );
    let of_one = settled(&mut one, &["--accept-loss", "enable-modsecurity@prod/shop"]);
    let Err(LossError::Refused(open)) = of_one else {
        panic!("the key was not accepted");
    };
    assert_eq!(
        open.iter().map(Finding::owner).collect::<Vec<_>>(),
        ["the ConfigMap"]
    );
}

#[test]
fn identity_headers_of_clients_are_stripped_under_an_accepted_loss() {
    let mut certificate = manifests(&json!({ "auth-tls-secret": "prod/ca" }), &json!({}));
    settled(&mut certificate, &["--accept-loss", "auth-tls-secret"]).unwrap();
    let stripped = certificate.given.get("strip_headers");
    assert_eq!(stripped, Some(&json!(["ssl-client-*"])));

    // Who asks before limpet writes them: then limpet may not take them off.
    let mut given = manifests(&json!({ "auth-tls-secret": "prod/ca" }), &json!({}));
    let own = json!(["x-own"]);
    given.given.insert(STRIP_HEADERS.to_owned(), own.clone());
    let lines = settled(&mut given, &["--accept-loss", "auth-tls-secret"]).unwrap();
    assert_eq!(given.given.get(STRIP_HEADERS), Some(&own));
    let is_told =
        |line: &String| line.starts_with("NOT taken off") && line.ends_with(": ssl-client-*");
    assert!(lines.iter().any(is_told), "{lines:?}");
}

#[test]
fn an_acceptance_that_matches_nothing_is_an_error_that_says_what_was_meant() {
    for (acceptance, meant) in [
        ("limit-raet", "limit-rate"),
        ("limit-rate@prod/shpo", "limit-rate@prod/shop"),
    ] {
        let mut manifests = manifests(&json!({ "limit-rate": "5" }), &json!({}));
        let error = settled(&mut manifests, &["--accept-loss", acceptance]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(acceptance) && text.contains(&format!("did you mean {meant}?")),
            "{text}"
        );
    }
    let mut nothing = manifests(&json!({}), &json!({}));
    assert!(settled(&mut nothing, &["--accept-loss", "limit-rate"]).is_err());
    for text in [
        "",
        "@prod/shop",
        "limit-rate@shop",
        "limit-rate@prod/",
        "limit-rate@a/b/c",
    ] {
        assert!(text.parse::<Acceptance>().is_err(), "{text:?}");
    }
}

#[test]
fn the_file_of_config_accepts_and_closes_too() {
    let lost = json!({ "limit-rate": "5" });
    let mut accepted = manifests(&lost, &json!({}));
    accepted.accept_loss = Some(json!(["limit-rate"]));
    assert_eq!(settled(&mut accepted, &[]).unwrap().len(), 1);

    let mut malformed = manifests(&lost, &json!({}));
    malformed.accept_loss = Some(json!("limit-rate"));
    let error = settled(&mut malformed, &[]).unwrap_err();
    assert!(matches!(error, LossError::Malformed(_)), "{error}");

    let mut closed = manifests(&lost, &json!({}));
    closed
        .given
        .insert("close".to_owned(), json!(["prod/shop"]));
    let lines = settled(&mut closed, &[]).unwrap();
    assert!(
        lines.iter().all(|line| line.starts_with("closed")),
        "{lines:?}"
    );
}

#[test]
fn an_ingress_of_another_class_loses_nothing() {
    let text = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: other
  annotations: {nginx.ingress.kubernetes.io/auth-type: digest}
spec:
  ingressClassName: alb
  rules:
  - http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
";
    let mut manifests = Manifests::parse("other.yaml", text).unwrap();
    assert_eq!(settled(&mut manifests, &[]).unwrap(), [""; 0]);
    assert_eq!(Report::new(&manifests, false, None).losses().count(), 0);
}

// What it protects, nobody knows.
#[test]
fn a_document_that_cannot_be_read_is_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.yaml");
    let good = to_yaml(&manifests(&json!({}), &json!({})).ingresses[0].value).unwrap();
    std::fs::write(&file, format!("{good}---\nkind: [\n")).unwrap();
    let read = || Manifests::load(&[file.to_string_lossy().into_owned()]).unwrap();
    let line = good.lines().count() + 2;
    let place = format!("m.yaml:{line}: the manifests: unreadable-document: column 7: ");

    let refused = settled(&mut read(), &[]).unwrap_err().to_string();
    assert!(refused.contains(&place), "{refused}");
    let mut accepted = read();
    settled(&mut accepted, &["--accept-loss", "unreadable-document"]).unwrap();
    assert_eq!(accepted.given.get(CLOSE), None);
    let mut closed = read();
    settled(&mut closed, &["--close"]).unwrap();
    assert_eq!(closed.given[CLOSE], json!([hosts::EVERY]));

    let report = Report::new(&read(), false, None);
    assert_eq!((report.exit_status(), report.ingresses), (2, 1));
    let found: Vec<_> = report.findings.iter().map(|f| (f.code, f.line)).collect();
    assert_eq!(found, [("unreadable", line as u64)]);
}

#[test]
fn a_duplicate_key_is_a_warning_with_its_ingress_and_place() {
    let mut text = to_yaml(&manifests(&json!({}), &json!({})).ingresses[0].value).unwrap();
    text.push_str("spec: {}\n");
    let manifests = Manifests::parse("m.yaml", &text).unwrap();
    let report = Report::new(&manifests, false, None);
    let line = text.lines().count() as u64;
    let found = report.findings.iter().find(|f| f.code == "duplicate-key");
    let found = found.unwrap();
    assert_eq!((found.line, found.field.as_str()), (line, "spec"));
    assert_eq!(found.ingress.as_deref(), Some("prod/shop"));
    assert_eq!(report.exit_status(), 1);
    let note = manifests.all_notes().next().unwrap();
    assert!(
        note.starts_with(&format!("m.yaml:{line}: \"spec\" is written twice")),
        "{note}"
    );
}

/// An Ingress with passwords and these paths of a host, with further annotations.
fn guarded(paths: &[&str], annotations: &[(&str, &str)]) -> Manifests {
    let mut manifests = manifests(&json!({ "auth-type": "digest" }), &json!({}));
    let web = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let paths = paths
        .iter()
        .map(|path| json!({ "path": path, "pathType": "Prefix", "backend": web }));
    let ingress = &mut manifests.ingresses[0].value;
    ingress["spec"]["rules"][0]["http"]["paths"] = paths.collect();
    for (name, value) in annotations {
        ingress["metadata"]["annotations"][format!("nginx.ingress.kubernetes.io/{name}")] =
            json!(value);
    }
    manifests
}

// Whoever followed the advice had a rule on /admin, and //admin got past it.
#[test]
fn the_paths_of_an_accepted_password_are_protected() {
    let accept = ["--accept-loss", "auth-type"];
    let mut shop = guarded(
        &["/", "/admin", "/api/v1/"],
        &[("server-alias", "old.example.com")],
    );
    let lines = settled(&mut shop, &accept).unwrap();
    let protected = [
        "old.example.com/admin",
        "old.example.com/api/v1/",
        "shop.example.com/admin",
        "shop.example.com/api/v1/",
    ];
    assert_eq!(shop.given["protect"], json!(protected));
    assert!(
        lines
            .iter()
            .any(|line| line.contains("shop.example.com/admin")),
        "{lines:?}"
    );
    let mut two = guarded(&["/admin"], &[]);
    let mut second = two.ingresses[0].clone();
    second.value["metadata"]["name"] = json!("second");
    second.value["spec"]["rules"][0]["host"] = json!("second.example.com");
    two.ingresses.push(second);
    settled(&mut two, &accept).unwrap();
    let protected = ["second.example.com/admin", "shop.example.com/admin"];
    assert_eq!(two.given["protect"], json!(protected));
    // A rule on / that leaves /open out is one on /open.
    let mut open = guarded(&["/open"], &[]);
    let mut neighbour = open.ingresses[0].clone();
    neighbour.value["metadata"]["name"] = json!("open");
    neighbour.value["metadata"]["annotations"] = json!({});
    open.ingresses[0] = guarded(&["/"], &[]).ingresses.remove(0);
    open.ingresses.push(neighbour);
    settled(&mut open, &accept).unwrap();
    assert_eq!(open.given["protect"], json!(["shop.example.com/open"]));
    let mut told = guarded(&["/admin"], &[]);
    told.given.insert("protect".to_owned(), json!(["/own"]));
    settled(&mut told, &accept).unwrap();
    assert_eq!(told.given["protect"], json!(["/own"]));
    let mut closed = guarded(&["/admin"], &[]);
    settled(&mut closed, &["--close"]).unwrap();
    assert_eq!(closed.given.get("protect"), None);
}

#[test]
fn paths_that_no_prefix_stands_for_are_told() {
    let accept = ["--accept-loss", "auth-type"];
    for (paths, annotations, unnamed) in [
        (
            &["/admin(/|$)(.*)"][..],
            &[("use-regex", "true")][..],
            "/admin(/|$)(.*)",
        ),
        (&["/api", "/API"], &[], "/API"),
    ] {
        let mut shop = guarded(paths, annotations);
        let lines = settled(&mut shop, &accept).unwrap();
        let said = format!("shop.example.com{unnamed}");
        let is_told = |line: &String| line.starts_with("NOT refused") && line.contains(&said);
        assert!(lines.iter().any(is_told), "{lines:?}");
        assert_eq!(shop.given.get("protect"), None, "{paths:?}");
    }
}

#[test]
fn a_rule_for_all_hosts_is_left_to_the_operator() {
    let mut all = manifests(&json!({}), &json!({ "global-auth-snippet": "deny all;" }));
    let lines = settled(&mut all, &["--accept-loss", "global-auth-snippet"]).unwrap();
    let is_told = |line: &String| line.starts_with("NOT refused") && line.contains("all hosts");
    assert!(lines.iter().any(is_told), "{lines:?}");
}

// A client certificate was asked for on the whole host, and --close left the other Ingress of it open.
#[test]
fn what_was_the_whole_hosts_closes_the_host_and_no_other_host_of_who_is_on_it() {
    for (name, closed) in [
        ("auth-tls-secret", json!(["prod/shop", "shop.example.com"])),
        ("server-snippet", json!(["prod/shop", "shop.example.com"])),
        ("proxy-ssl-secret", json!(["prod/shop", "shop.example.com"])),
        ("auth-snippet", json!(["prod/shop"])),
        // It let nobody in by http, and nobody else's rules saw what came in TLS.
        ("ssl-passthrough", json!(["prod/shop"])),
    ] {
        let mut all = manifests(&json!({ name: asking(name) }), &settings_for(name));
        for (ingress, host) in [("beside", "shop.example.com"), ("other", "x.example.com")] {
            let mut another = all.ingresses[0].clone();
            another.value["metadata"]["name"] = json!(ingress);
            another.value["metadata"]["annotations"] = json!({});
            another.value["spec"]["rules"][0]["host"] = json!(host);
            another.value["spec"]["rules"][0]["http"]["paths"][0]["path"] = json!("/beside");
            all.ingresses.push(another);
        }
        let lines = settled(&mut all, &["--close"]).unwrap();
        assert_eq!(all.given["close"], closed, "{name}");
        let is_told =
            |line: &String| line.starts_with("closed, answers 503: host shop.example.com: ");
        let is_closed = closed.to_string().contains("shop.example.com");
        assert_eq!(lines.iter().any(is_told), is_closed, "{lines:?}");
    }
}

// The second one was ignored, with its access list, and rendering went on.
#[test]
fn an_ingress_that_is_given_twice_protects_in_either_text() {
    let open = || manifests(&json!({}), &json!({}));
    let guarded = || {
        manifests(
            &json!({ "fastcgi-params-configmap": "default/php" }),
            &json!({}),
        )
    };
    for (mut first, second) in [(open(), guarded()), (guarded(), open())] {
        first.ingresses.extend(second.ingresses);
        assert_eq!(Report::new(&first, false, None).losses().count(), 1);
        assert!(matches!(
            settled(&mut first, &[]),
            Err(LossError::Refused(_))
        ));
    }
}

// The list of the second text was dropped by a warning alone, and everybody came in.
#[test]
fn a_list_of_an_ingress_that_is_given_twice_is_lost_where_the_other_text_says_otherwise() {
    let open = || manifests(&json!({}), &json!({}));
    let list = |of: &str| manifests(&json!({ "whitelist-source-range": of }), &json!({}));
    let (ten, eleven) = (|| list("10.0.0.0/8"), || list("11.0.0.0/8"));
    for (mut first, second, losses) in [
        (open(), ten(), 1),
        (ten(), eleven(), 1),
        (ten(), ten(), 0),
        (ten(), open(), 0),
    ] {
        first.ingresses.extend(second.ingresses);
        assert_eq!(Report::new(&first, false, None).losses().count(), losses);
        assert_eq!(settled(&mut first, &[]).is_err(), losses > 0);
        let accepted = ["--accept-loss", "whitelist-source-range@prod/shop"];
        assert_eq!(settled(&mut first, &accepted).is_ok(), losses > 0);
    }
}

// kubectl takes the kind of an IngressList for that of its items; limpet skipped them with a note.
#[test]
fn what_the_api_server_lists_is_read() {
    let list = |name: &str, items: &[Value]| {
        let version = if name == "IngressList" {
            "networking.k8s.io/v1"
        } else {
            "v1"
        };
        let items: Vec<Value> = items
            .iter()
            .cloned()
            .map(|mut item| {
                let fields = item.as_object_mut().unwrap();
                fields.remove("kind");
                fields.remove("apiVersion");
                item
            })
            .collect();
        json!({ "apiVersion": version, "kind": name, "items": items }).to_string()
    };
    let all = manifests(&json!({}), &json!({ "global-auth-snippet": "deny all;" }));
    let ingresses = list("IngressList", &[all.ingresses[0].value.clone()]);
    let maps = list("ConfigMapList", &[all.config_maps[0].value.clone()]);
    let mut read = Manifests::parse("list.json", &format!("{ingresses}\n{maps}")).unwrap();
    assert_eq!(read.ingresses[0].value, all.ingresses[0].value);
    assert!(read.notes.is_empty(), "{:?}", read.notes);
    assert!(matches!(
        settled(&mut read, &[]),
        Err(LossError::Refused(_))
    ));
}

// With those of two ingress-nginx at hand one was used, and what the other one said was lost.
#[test]
fn what_a_second_config_map_protects_is_lost_too() {
    let one = manifests(&json!({}), &json!({ "use-gzip": "false" }));
    let first = &one.config_maps[0].value;
    let mut second = first.clone();
    second["metadata"]["namespace"] = json!("internal");
    second["data"] = json!({ "whitelist-source-range": "10.0.0.0/8" });
    let mut two = with_maps(&one, &[first, &second]);
    let report = Report::new(&two, false, None);
    let codes: Vec<&str> = report.findings.iter().map(|one| one.code).collect();
    assert!(
        codes.contains(&"second-config-map") && codes.contains(&"loss"),
        "{codes:?}"
    );
    assert!(matches!(settled(&mut two, &[]), Err(LossError::Refused(_))));
    settled(&mut two, &["--accept-loss", "whitelist-source-range"]).unwrap();
}

// It was told that the value was ignored, and rendered without the access list.
#[test]
fn what_protects_and_is_no_string_is_lost() {
    let list = json!({ "auth-tls-secret": ["ca"] });
    let map = json!({ "auth-snippet": { "url": "http://auth/" } });
    for annotations in [list, map] {
        let mut lost = manifests(&annotations, &json!({}));
        let report = Report::new(&lost, false, None);
        assert_eq!(report.losses().count(), 1, "{:?}", report.findings);
        let help: String = report
            .findings
            .iter()
            .flat_map(|one| one.help.clone())
            .collect();
        assert!(!help.contains("with quotes"), "{help}");
        assert!(matches!(
            settled(&mut lost, &[]),
            Err(LossError::Refused(_))
        ));
    }
    let mut harmless = manifests(&json!({ "enable-access-log": [] }), &json!({}));
    settled(&mut harmless, &[]).unwrap();
}

#[test]
fn annotations_that_are_no_map_may_have_protected_something() {
    for annotations in [
        json!("nginx.ingress.kubernetes.io/auth-url: http://auth/"),
        json!([]),
    ] {
        let mut lost = manifests(&json!({}), &json!({}));
        lost.ingresses[0].value["metadata"]["annotations"] = annotations;
        assert_eq!(Report::new(&lost, false, None).exit_status(), 2);
        assert!(matches!(
            settled(&mut lost, &[]),
            Err(LossError::Refused(_))
        ));
    }
    let mut none = manifests(&json!({}), &json!({}));
    none.ingresses[0].value["metadata"]["annotations"] = Value::Null;
    settled(&mut none, &[]).unwrap();
}

// A name that is no header made the whole configuration unusable, of a tenant for everybody.
#[test]
fn headers_of_a_config_map_that_is_not_at_hand_are_told() {
    let settings = json!({ "proxy-set-headers": "ingress-nginx/custom" });
    let accept = ["--accept-loss", "proxy-set-headers"];
    let is_told = |line: &String| line.starts_with("NOT taken off") && line.contains("/custom");
    let mut missing = manifests(&json!({}), &settings);
    let lines = settled(&mut missing, &accept).unwrap();
    assert!(lines.iter().any(is_told), "{lines:?}");
    let known = manifests(&json!({}), &settings);
    let map = &known.config_maps[0].value;
    let mut custom = map.clone();
    custom["metadata"]["name"] = json!("custom");
    custom["data"] = json!({ "X-User": "$remote_user" });
    let mut known = with_maps(&known, &[map, &custom]);
    assert_eq!(settled(&mut known, &[]).unwrap(), [""; 0]);
    assert!(!known.given.contains_key("strip_headers"));
}

// Of the Ingress with the password nothing was rendered, and its path fell to its neighbour's /.
#[test]
fn an_ingress_that_is_left_out_protects_until_its_loss_is_settled() {
    let guarded = |version: &str, hosts: &[&str], path: &str| {
        let annotations = json!({ "fastcgi-params-configmap": "default/php", "use-regex": "true" });
        let mut all = manifests(&annotations, &json!({}));
        let mut guard = all.ingresses.remove(0).value;
        guard["apiVersion"] = json!(version);
        let rule = guard["spec"]["rules"][0].clone();
        let rules = hosts.iter().map(|host| {
            let mut rule = rule.clone();
            rule["host"] = json!(host);
            rule["http"]["paths"][0]["path"] = json!(path);
            rule
        });
        guard["spec"]["rules"] = rules.collect();
        let mut open = manifests(&json!({}), &json!({})).ingresses.remove(0).value;
        open["metadata"]["name"] = json!("open");
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": [guard, open] });
        Manifests::parse("m.json", &list.to_string()).unwrap()
    };
    let host = "shop.example.com";
    for (manifests, closed) in [
        (
            guarded("networking.k8s.io/v1", &["bad_name", host], "/admin"),
            json!(["prod/open"]),
        ),
        (
            guarded("networking.k8s.io/v1beta1", &[host], "/admin"),
            json!(["prod/open"]),
        ),
        (
            guarded("networking.k8s.io/v1", &[host], "/(a)\\1"),
            json!(["prod/shop"]),
        ),
        (
            guarded("networking.k8s.io/v1", &[host], "/admin"),
            json!(["prod/shop"]),
        ),
    ] {
        let report = Report::new(&manifests, false, None);
        assert_eq!(report.losses().count(), 1, "{:?}", report.findings);
        let mut manifests = manifests;
        assert!(matches!(
            settled(&mut manifests, &[]),
            Err(LossError::Refused(_))
        ));
        settled(&mut manifests, &["--close"]).unwrap();
        assert_eq!(manifests.given["close"], closed);
    }
    let mut foreign = guarded("networking.k8s.io/v1beta1", &[host], "/admin");
    foreign.old_ingresses[0].value["spec"]["ingressClassName"] = json!("alb");
    settled(&mut foreign, &[]).unwrap();
}

// A label of 64 characters, which Kubernetes takes, closed every Ingress of whoever had the host beside it.
#[test]
fn what_a_tenant_writes_closes_no_ingress_of_another_namespace() {
    let ingress = |namespace: &str, host: &str, annotations: Value| {
        let web = json!({ "service": { "name": "web", "port": { "number": 80 } } });
        let path = json!({ "path": format!("/{namespace}"), "pathType": "Prefix", "backend": web });
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": "web", "namespace": namespace, "annotations": annotations },
            "spec": { "ingressClassName": "nginx", "rules": [{ "host": host, "http": { "paths": [path] } }] },
        })
    };
    let guarded = || {
        json!({
            "nginx.ingress.kubernetes.io/server-alias": "shop.test",
            "nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8",
        })
    };
    let label = "a".repeat(64);
    let version = "networking.k8s.io/v1";
    for (host, version) in [
        (format!("{label}.odd.test"), version),
        ("bad_name".to_owned(), version),
        (format!("{}.test", [label.as_str(); 4].join(".")), version),
        ("shop.test".to_owned(), "extensions/v1beta1"),
        ("shop.test".to_owned(), "networking.odd.test/v1"),
    ] {
        let mut odd = ingress("odd", &host, guarded());
        odd["apiVersion"] = json!(version);
        let items = [
            ingress("shop", "shop.test", json!({})),
            ingress("other", "", json!({})),
            odd,
        ];
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        let mut all = Manifests::parse("in.json", &list.to_string()).unwrap();
        settled(&mut all, &["--close"]).unwrap();
        assert_eq!(all.given.get(CLOSE), None, "{host} {version}");
    }
}

// Lists of addresses are the module's; where an Ingress, or a path of it, is not, they are lost.
#[test]
fn a_list_of_addresses_is_lost_with_its_path() {
    let list = || {
        manifests(
            &json!({ "whitelist-source-range": "10.0.0.0/8" }),
            &json!({}),
        )
    };
    assert_eq!(settled(&mut list(), &[]).unwrap(), [""; 0]);
    let mut lost = list();
    let ingress = &mut lost.ingresses[0].value;
    ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/use-regex"] = json!("true");
    ingress["spec"]["rules"][0]["http"]["paths"][0]["path"] = json!("/(a)\\1");
    ingress["spec"]["rules"][0]["http"]["paths"][0]["pathType"] = json!("ImplementationSpecific");
    let report = Report::new(&lost, false, None);
    assert_eq!(report.losses().count(), 1, "{:?}", report.findings);
    assert!(matches!(
        settled(&mut lost, &[]),
        Err(LossError::Refused(_))
    ));
    let mut old = list();
    let ingress = old.ingresses.remove(0);
    old.old_ingresses.push(ingress);
    assert!(matches!(settled(&mut old, &[]), Err(LossError::Refused(_))));
}

// A stranger put a whole host on 503 that way.
#[test]
fn an_alias_that_is_the_host_of_others_closes_none_of_them() {
    let ingress = |namespace: &str, host: &str, annotations: Value| {
        let web = json!({ "service": { "name": "web", "port": { "number": 80 } } });
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": "web", "namespace": namespace, "annotations": annotations },
            "spec": { "ingressClassName": "nginx", "rules": [{
                "host": host,
                "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": web }] },
            }] },
        })
    };
    let alias = |host: &str| {
        json!({
            "nginx.ingress.kubernetes.io/server-alias": host,
            "nginx.ingress.kubernetes.io/server-snippet": "deny all;",
        })
    };
    let items = [
        ingress("shop", "shop.test", json!({})),
        ingress("odd", "odd.test", alias("shop.test")),
    ];
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let mut all = Manifests::parse("in.json", &list.to_string()).unwrap();
    let args = LossArgs {
        close: true,
        ..LossArgs::default()
    };
    settle(&mut all, &Flags::default(), &args, Platform::Istio).unwrap();
    assert_eq!(all.given.get(CLOSE), Some(&json!(["odd/web"])));
}
