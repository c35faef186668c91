//! What the head of a rendering tells `check --on` tells too: they are asked of all manifests that tests have.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::ManifestArgs;
use crate::check::{Finding, Level, Platform, Report};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::make_room;

/// Notes for which `check` has other words: a part of the note, and the code of the finding.
const IN_OTHER_WORDS: [(&str, &[&str]); 5] = [
    ("is spoken to in plain HTTP/1 until", &["backend-protocol"]),
    ("the whole Ingress is left out", &["name"]),
    ("the Ingress is ignored", &["other-class", "unknown-class"]),
    ("as under ingress-nginx the hosts of ingress", &["refused"]),
    // Of gateways: the host is served nowhere, or the name is none.
    ("sidecars do nothing for it", &["not-rendered"]),
];

/// The notes at the head of what is rendered.
fn heads(text: &str) -> impl Iterator<Item = &str> {
    let comments = text.lines().take_while(|line| line.starts_with('#'));
    comments.filter_map(|line| line.strip_prefix("# note: "))
}

fn rendered(manifests: &ManifestArgs, sidecar: bool) -> String {
    let mut args = IstioArgs {
        sidecar,
        ..IstioArgs::default()
    };
    args.render.manifests = manifests.clone();
    args.render.losses.close = sidecar;
    let mut manifests = args.render.manifests.load().unwrap();
    istio::make_room(&mut manifests, &args.flags(), &args).unwrap();
    istio::text(&manifests, &args).unwrap_or_default()
}

fn on_envoy_gateway(manifests: &ManifestArgs) -> String {
    let mut args = EnvoyGatewayArgs::default();
    args.render.manifests = manifests.clone();
    let flags = args.render.flags(Platform::EnvoyGateway);
    let mut manifests = args.render.manifests.load().unwrap();
    envoy_gateway::make_room(&mut manifests, &flags, &args).unwrap();
    envoy_gateway::text(&manifests, &args).unwrap()
}

/// As `limpet check --on` does.
fn checked(manifests: &ManifestArgs, on: Platform) -> Report {
    let mut read: Manifests = manifests.load().unwrap();
    let flags = manifests.flags(&crate::args::EndpointArgs::default());
    make_room(&mut read, &flags, on).unwrap();
    Report::new(&read, false, Some(on))
}

/// Whether a note of a rendering is among what was found.
fn is_told(report: &Report, note: &str) -> bool {
    let says = |one: &Finding| {
        let has = |text: &str| text.len() > 20 && note.contains(text);
        has(&one.expected) || has(&one.message())
    };
    let otherwise = |one: &Finding| {
        let mut all = IN_OTHER_WORDS.iter();
        all.any(|(part, codes)| note.contains(part) && codes.contains(&one.code))
    };
    let of_sidecars = |one: &Finding| {
        one.code == "client-address" && note.ends_with("sidecars know no addresses of clients")
            || one.code == "rule-without-host"
                && note.contains("a rule without host cannot be served by sidecars")
    };
    let mut findings = report.findings.iter();
    let is_found = findings.any(|one| says(one) || otherwise(one) || of_sidecars(one));
    is_found || report.notes.iter().any(|one| one == note)
}

/// Every manifest, and beside it what it needs of `--config`.
fn all() -> Vec<ManifestArgs> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        let mut all: Vec<PathBuf> = entries.map(|one| one.unwrap().path()).collect();
        all.sort();
        all
    };
    let folders = [
        "check",
        "cases/ingresses",
        "control-planes/ingresses",
        "charts",
        "reports",
    ];
    let all = folders
        .iter()
        .flat_map(|folder| entries(&tests.join(folder)));
    let all = all.filter(|one| one.is_dir() || one.extension().is_some_and(|name| name == "yaml"));
    let args = |path: PathBuf| {
        let config = path.with_extension("config");
        ManifestArgs {
            file: vec![path.to_string_lossy().into_owned()],
            config: config.is_file().then_some(config),
            ..ManifestArgs::default()
        }
    };
    all.map(args).collect()
}

#[test]
fn each_note_of_a_rendering_stands_in_check_on_that_platform() {
    let (mut asked, mut untold) = (0, Vec::new());
    for manifests in all() {
        if manifests.load().unwrap().with_ingresses().is_err() {
            continue;
        }
        let file = &manifests.file[0];
        let on_istio = checked(&manifests, Platform::Istio);
        let on_gateway = checked(&manifests, Platform::EnvoyGateway);
        for (report, text, name) in [
            (&on_istio, rendered(&manifests, false), "a gateway of Istio"),
            (&on_istio, rendered(&manifests, true), "sidecars"),
            (&on_gateway, on_envoy_gateway(&manifests), "Envoy Gateway"),
        ] {
            for note in heads(&text) {
                asked += 1;
                if !is_told(report, note) {
                    untold.push(format!("{name}: {file}: {note}"));
                }
            }
        }
    }
    assert!(asked > 250, "{asked}");
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

fn on_istio(text: &str) -> Report {
    let manifests = Manifests::parse("in.yaml", text).unwrap();
    Report::new(&manifests, false, Some(Platform::Istio))
}

const NAMES: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: dots, namespace: a}
spec:
  ingressClassName: nginx
  tls: [{hosts: [dots.test], secretName: b.c}]
  rules:
  - host: dots.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: own, namespace: istio-system}
spec:
  ingressClassName: nginx
  tls: [{hosts: [own.test], secretName: a.b.c}]
  rules:
  - host: own.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain, namespace: b}
spec:
  ingressClassName: nginx
  tls: [{hosts: [plain.test], secretName: tls}]
  rules:
  - host: plain.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: a}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: b}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: istio-system}, spec: {ports: [{port: 80}]}}
";

#[test]
fn a_secret_of_which_no_copy_can_be_read_is_told_and_each_copy_that_can() {
    let report = on_istio(NAMES);
    let of = |code: &str| -> Vec<(Option<String>, Level, String)> {
        let all = report.findings.iter().filter(|one| one.code == code);
        all.map(|one| (one.ingress.clone(), one.level, one.message()))
            .collect()
    };
    let left_out = of("not-rendered");
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert_eq!(left_out[0].1, Level::Warning);
    assert!(
        left_out[0]
            .2
            .contains("Secret a/b.c: a.b.c is another Secret there"),
        "{left_out:?}"
    );
    let copies = of("copy-secret");
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert_eq!(copies[0].0.as_deref(), Some("b/plain"));
    assert_eq!(copies[0].1, Level::Note);
}

#[test]
fn what_sidecars_do_not_serve_is_a_note_each() {
    let report = on_istio(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: all
  namespace: a
  annotations: {nginx.ingress.kubernetes.io/limit-rps: '5'}
spec:
  ingressClassName: nginx
  rules:
  - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: a}, spec: {ports: [{port: 80}]}}
",
    );
    assert_eq!(report.exit_status(), 0);
    for (code, said) in [
        (
            "rule-without-host",
            "host: is missing, and sidecars route by host",
        ),
        (
            "client-address",
            "limit-rps: \"5\" goes by addresses of clients",
        ),
    ] {
        let mut found = report.findings.iter().filter(|one| one.code == code);
        assert!(found.next().unwrap().message().starts_with(said));
        assert!(found.next().is_none());
    }
}
