//! Hosts that are one name to clients, and two to ingress-nginx.

use std::collections::HashSet;

use crate::check::finding::{AS_BEFORE, Finding, Level, Place};
use crate::compiled::Compiled;

/// Two servers of one name: nginx takes the first by its spelling, and warns of the other in its log.
///
/// Source: `ngx_hash_add_key` and "conflicting server name", `src/http/ngx_http.c`, nginx 1.27.
pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ingress in &compiled.ingresses {
        let mut told = HashSet::new();
        for path in ingress.paths() {
            let Some(served) = compiled.virtual_host(&path.host.to_ascii_lowercase()) else {
                continue;
            };
            let is_other = served.name != path.host && served.name.eq_ignore_ascii_case(path.host);
            if !is_other || !told.insert(path.host) {
                continue;
            }
            let rules = ingress.object.list("/spec/rules");
            let is_it = |rule: &serde_json::Value| {
                rule.get("host").and_then(serde_json::Value::as_str) == Some(path.host)
            };
            let at = rules.iter().position(is_it).unwrap_or_default();
            findings.push(Finding::new(
                Level::Note,
                AS_BEFORE,
                &Place::at(ingress.object, &format!("/spec/rules/{at}/host"), "host"),
                format!("is {} to clients, which other rules serve", served.name),
                "this one's rules are ignored, as under ingress-nginx",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::check::Report;
    use crate::manifests::Manifests;

    #[test]
    fn of_two_hosts_that_differ_in_capitals_the_ignored_one_is_told() {
        let ingress = |namespace: &str, host: &str| {
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i, namespace: {namespace}}}\n\
                 spec: {{ingressClassName: nginx, rules: [{{host: {host}, http: {{paths: [{{path: /, \
                 pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n---\n"
            )
        };
        let told = |hosts: [&str; 2]| -> Vec<String> {
            let text = [ingress("a", hosts[0]), ingress("b", hosts[1])].concat();
            let manifests = Manifests::parse("m.yaml", &text).unwrap();
            let report = Report::new(&manifests, false, None);
            let findings = report.findings.iter().filter(|one| one.field == "host");
            findings
                .map(|one| format!("{}: {}", one.owner(), one.message()))
                .collect()
        };
        assert_eq!(
            told(["OK.test", "ok.test"]),
            [
                "ingress b/i: host: \"ok.test\" is OK.test to clients, which other rules serve; this one's rules are \
                 ignored, as under ingress-nginx"
            ]
        );
        assert_eq!(told(["ok.test", "other.test"]), [""; 0]);
        assert_eq!(told(["OK.test", "OK.test"]), [""; 0]);
    }
}
