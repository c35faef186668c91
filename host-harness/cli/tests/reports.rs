//! Small manifests after public reports that failed, each with what is right: what an operator who
//! runs the command gets to read, and what never.
//!
//! The manifests are in `tests/reports/`, a folder for each report.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};

struct Case {
    /// The report's folder.
    report: &'static str,
    /// Its files, with spaces between.
    files: &'static str,
    /// The command, without its files.
    command: &'static str,
    exit: i32,
    /// What is printed, to whichever side.
    says: &'static [&'static str],
    /// What is not.
    never: &'static [&'static str],
}

/// The end of `check` where nothing differs.
const AS_BEFORE: &str = "everything will behave as under ingress-nginx";

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { report: "a01-second-controller", files: "m.yaml", command: "check", exit: 1,
        says: &["internal-nginx", "--controller k8s.io/internal-ingress-nginx"], never: &[AS_BEFORE] },
    Case { report: "a01-second-controller", files: "m.yaml", command: "check --controller k8s.io/internal-ingress-nginx", exit: 0,
        says: &[AS_BEFORE], never: &[] },
    Case { report: "a01-second-controller", files: "m.yaml", command: "render istio --controller k8s.io/internal-ingress-nginx", exit: 0,
        says: &["- ledger.corp.example"], never: &[] },
    Case { report: "a01-second-controller", files: "without-class.yaml", command: "check", exit: 1,
        says: &["--ingress-class internal-nginx"], never: &[AS_BEFORE] },
    Case { report: "a01-second-controller", files: "without-class.yaml", command: "check --ingress-class internal-nginx", exit: 0,
        says: &[AS_BEFORE], never: &[] },
    Case { report: "a03-prefix-flag", files: "m.yaml", command: "check", exit: 1,
        says: &["--annotations-prefix ingress.kubernetes.io"], never: &[AS_BEFORE] },
    Case { report: "a03-prefix-flag", files: "m.yaml", command: "check --annotations-prefix ingress.kubernetes.io", exit: 0,
        says: &["4 honoured"], never: &["is not read"] },
    Case { report: "a03-prefix-flag", files: "m.yaml", command: "render envoy-gateway --annotations-prefix ingress.kubernetes.io", exit: 0,
        says: &["annotations_prefix: ingress.kubernetes.io"], never: &[] },
    Case { report: "a04-duplicate-keys", files: "m.yaml", command: "check", exit: 1,
        says: &["m.yaml:10", "is written twice, in line 7 too; the last one is taken"], never: &["DuplicateKey", "is no YAML"] },
    Case { report: "a04-duplicate-keys", files: "two-maps.yaml", command: "check", exit: 1,
        says: &["is written twice"], never: &["DuplicateKey"] },
    Case { report: "a06-target-port", files: "m.yaml", command: "render istio", exit: 0,
        says: &["\"default/grafana:3000\": outbound|80||grafana.default.svc.cluster.local"], never: &["number: 3000\n    headers"] },
    Case { report: "a06-target-port", files: "m.yaml", command: "render envoy-gateway", exit: 0,
        says: &["name: grafana\n      namespace: default\n      port: 80"], never: &[] },
    Case { report: "a09-www", files: "both.yaml", command: "check", exit: 0,
        says: &["both.yaml:6", "it is not redirected, as under ingress-nginx", AS_BEFORE], never: &["warning["] },
    Case { report: "a11-regex-dialects", files: "m.yaml", command: "check", exit: 0,
        says: &["add session-cookie-path: /\n"], never: &["warning["] },
    Case { report: "a13-wildcard-alias", files: "m.yaml", command: "check", exit: 0,
        says: &[AS_BEFORE], never: &["warning["] },
    Case { report: "a17-unquoted", files: "m.yaml", command: "check", exit: 0,
        says: &["honoured here, but Kubernetes refuses the whole Ingress"], never: &["ignored"] },
    Case { report: "a24-foreign-class-rendered", files: "m.yaml", command: "check", exit: 1,
        says: &["--ingress-class alb"], never: &["as under ingress-nginx, but"] },
    Case { report: "a24-foreign-class-rendered", files: "m.yaml", command: "render envoy", exit: 0,
        says: &["public"], never: &["internal."] },
    Case { report: "a27-proxy-protocol", files: "global-settings.yaml", command: "render envoy", exit: 2,
        says: &["server-snippet", "limit-rate"], never: &["apiVersion"] },
    Case { report: "a27-proxy-protocol", files: "m.yaml", command: "render envoy", exit: 0,
        says: &["listener.proxy_protocol"], never: &["is lost"] },
    Case { report: "b08-proxy-protocol", files: "settings.yaml in.yaml", command: "render envoy", exit: 2,
        says: &["http-snippet"], never: &["apiVersion"] },
    Case { report: "a24-foreign-class-rendered", files: "m.yaml", command: "render istio", exit: 0,
        says: &["public"], never: &["internal."] },
    Case { report: "a27-proxy-protocol", files: "global-settings.yaml", command: "render istio", exit: 2,
        says: &["server-snippet", "limit-rate"], never: &["apiVersion"] },
    Case { report: "a27-proxy-protocol", files: "m.yaml", command: "render istio", exit: 0,
        says: &["listener.proxy_protocol"], never: &["is lost"] },
    Case { report: "b08-proxy-protocol", files: "settings.yaml in.yaml", command: "render istio", exit: 2,
        says: &["http-snippet"], never: &["apiVersion"] },
    Case { report: "a24-foreign-class-rendered", files: "m.yaml", command: "render istio --sidecar", exit: 0,
        says: &["public"], never: &["internal."] },
    Case { report: "a27-proxy-protocol", files: "global-settings.yaml", command: "render istio --sidecar", exit: 2,
        says: &["server-snippet", "limit-rate"], never: &["apiVersion"] },
    Case { report: "a27-proxy-protocol", files: "m.yaml", command: "render istio --sidecar", exit: 0,
        says: &["apiVersion"], never: &["is lost"] },
    Case { report: "b08-proxy-protocol", files: "settings.yaml in.yaml", command: "render istio --sidecar", exit: 2,
        says: &["http-snippet"], never: &["apiVersion"] },
    Case { report: "a24-foreign-class-rendered", files: "m.yaml", command: "render envoy-gateway", exit: 0,
        says: &["public"], never: &["internal."] },
    Case { report: "a27-proxy-protocol", files: "global-settings.yaml", command: "render envoy-gateway", exit: 2,
        says: &["server-snippet", "limit-rate"], never: &["apiVersion"] },
    Case { report: "a27-proxy-protocol", files: "m.yaml", command: "render envoy-gateway", exit: 0,
        says: &["enableProxyProtocol"], never: &["is lost"] },
    Case { report: "b08-proxy-protocol", files: "settings.yaml in.yaml", command: "render envoy-gateway", exit: 2,
        says: &["http-snippet"], never: &["apiVersion"] },
    Case { report: "a25-external-name-ports", files: "m.yaml", command: "render envoy", exit: 0,
        says: &["port_value: 443"], never: &[] },
    Case { report: "a27-proxy-protocol", files: "global-settings.yaml", command: "check", exit: 1,
        says: &["ssl-redirct", "did you mean"], never: &[AS_BEFORE] },
    Case { report: "b01-istio-normalize-path", files: "in.yaml", command: "check --on istio", exit: 0,
        says: &["meshConfig.pathNormalization.normalization: NONE"], never: &[] },
    Case { report: "b01-istio-normalize-path", files: "in.yaml", command: "render istio", exit: 0,
        says: &["meshConfig.pathNormalization.normalization"], never: &["normalize_path: false"] },
    Case { report: "b02-externalname", files: "in.yaml", command: "render istio", exit: 0,
        says: &["ServiceEntry"], never: &[] },
    Case { report: "b02-externalname", files: "in.yaml", command: "check --on envoy-gateway", exit: 1,
        says: &["Backend with fqdn hostname"], never: &[AS_BEFORE] },
    Case { report: "b03-destinationrule-root", files: "in.yaml", command: "render istio", exit: 0,
        says: &["kind: DestinationRule", "exportTo:\n  - '.'"], never: &[] },
    Case { report: "b04-referencegrant", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant"], never: &["gateway.networking.k8s.io/v1\nkind: ReferenceGrant"] },
    Case { report: "b05-listeners-64", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["name: https-5\n"], never: &["name: https-63"] },
    Case { report: "b07-coalescing", files: "in.yaml", command: "render istio", exit: 0,
        says: &["limpet.other_names"], never: &[] },
    Case { report: "b10-cert-manager", files: "in.yaml", command: "check", exit: 1,
        says: &["certificate-renewal", "a DNS-01 solver"], never: &[AS_BEFORE] },
    Case { report: "b14-headless-sidecar", files: "in.yaml", command: "render istio --sidecar", exit: 0,
        says: &["is headless"], never: &[] },
    Case { report: "b16-grpc-two-hosts", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &[], never: &["name: https-0", "spoken to in plain HTTP/1"] },
    Case { report: "b17-wildcard-and-named", files: "in.yaml", command: "render istio", exit: 0,
        says: &["name: limpet-wildcard.", "name: limpet-host-"], never: &[] },
    Case { report: "b18-upstream-vhost-port", files: "in.yaml", command: "render istio", exit: 0,
        says: &["host_rewrite_header: x-limpet-host"], never: &["- legacy.internal:8080\n"] },
    Case { report: "c-istio-default-backend-and-host", files: "in.yaml", command: "render istio", exit: 0,
        says: &["name: limpet-default", "name: limpet-host-a.example.test"], never: &["- a.example.test\n  - \"*\""] },
    Case { report: "c-istio-grpc-port-name", files: "in.yaml", command: "check --on istio", exit: 1,
        says: &["makes Istio speak HTTP/2 to its pods"], never: &[AS_BEFORE] },
    Case { report: "c-istio-many-hosts-one-certificate", files: "in.yaml", command: "render istio", exit: 0,
        says: &["name: https-0"], never: &["name: https-1"] },
    Case { report: "c-istio-no-rules", files: "in.yaml", command: "render istio", exit: 0,
        says: &[], never: &["kind: Gateway", "kind: VirtualService"] },
    Case { report: "c-istio-sidecar-host-is-service", files: "in.yaml", command: "render istio --sidecar", exit: 0,
        says: &["kind: VirtualService"], never: &["kind: ServiceEntry"] },
    Case { report: "c-istio-tls-without-secret", files: "in.yaml", command: "check", exit: 1,
        says: &["names no secretName"], never: &[AS_BEFORE] },
    Case { report: "c-istio-upstream-vhost-lost", files: "in.yaml", command: "render istio", exit: 0,
        says: &["host_rewrite_header: x-limpet-host"], never: &[] },
    Case { report: "c-istio-upstream-vhost-underscore", files: "in.yaml", command: "render istio", exit: 0,
        says: &["host_rewrite_header: x-limpet-host"], never: &["- my_app.internal"] },
    Case { report: "d-eg-client-picks-cluster", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["kind: EnvoyExtensionPolicy\nmetadata:\n  name: limpet\n  namespace: envoy-gateway-system\nspec:\n  targetRefs:\n  - group: gateway.networking.k8s.io\n    kind: Gateway"], never: &[] },
    Case { report: "d-eg-gateway-policy-overridden", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["mergeType: StrategicMerge"], never: &[] },
    Case { report: "d-eg-h2c-note", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &[], never: &["spoken to in plain HTTP/1"] },
    Case { report: "d-eg-http10-426", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["http10: {}"], never: &[] },
    Case { report: "d-eg-refused-hostname-alias-suffix", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &[], never: &["hostnames:"] },
    Case { report: "d-eg-refused-hostname-vhost-port", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["kind: HTTPRouteFilter"], never: &["hostnames:"] },
    Case { report: "d-eg-security-policy-on-one-route", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["Attach SecurityPolicies to the Gateway"], never: &[] },
    Case { report: "d-eg-tls-other-sni", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["name: https\n"], never: &["name: https-0"] },
    Case { report: "d-eg-tls-two-hosts-one-secret", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["name: https\n"], never: &["name: https-0"] },
    Case { report: "d-eg-websocket-403", files: "in.yaml", command: "render envoy-gateway", exit: 0,
        says: &["value: (?i)websocket"], never: &[] },
    Case { report: "e01-seventy-certificates", files: "m.yaml", command: "check --on envoy-gateway", exit: 0,
        says: &["everything will behave as under ingress-nginx"], never: &["served with the certificate of another host"] },
    Case { report: "e01-seventy-certificates", files: "m.yaml", command: "render envoy-gateway", exit: 0,
        says: &["name: s63\n", "name: https-5\n", "hostname: h69.example.com\n"], never: &["name: https-6\n"] },
    Case { report: "e01-seventy-certificates", files: "m.yaml", command: "render istio", exit: 0,
        says: &["name: https-69\n"], never: &[] },
];

#[test]
fn what_was_reported_is_answered_as_is_right() {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reports");
    let mut wrong = Vec::new();
    for case in CASES {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
        command.args(case.command.split(' ')).stdin(Stdio::null());
        for file in case.files.split(' ') {
            command.arg("-f").arg(reports.join(case.report).join(file));
        }
        let out = command.output().unwrap();
        let [printed, said] = [&out.stdout, &out.stderr].map(|text| String::from_utf8_lossy(text));
        let both = format!("{printed}{said}");
        let mut fail = |what: String| {
            wrong.push(format!("{} {}: {what}", case.report, case.command));
        };
        if out.status.code() != Some(case.exit) {
            fail(format!("{} instead of {}", out.status, case.exit));
        }
        // Output is piped into kubectl, where no status is looked at.
        if case.command.starts_with("render") && case.exit == 2 && !printed.is_empty() {
            fail(format!("printed {printed:?}"));
        }
        let missing = case.says.iter().filter(|text| !both.contains(**text));
        missing.for_each(|text| fail(format!("does not say {text:?}")));
        let found = case.never.iter().filter(|text| both.contains(**text));
        found.for_each(|text| fail(format!("says {text:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_report_has_a_case() {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reports");
    for report in std::fs::read_dir(reports).unwrap() {
        let name = report.unwrap().file_name();
        let mut cases = CASES.iter();
        assert!(cases.any(|case| *case.report == *name), "{name:?}");
    }
}
