//! Pages of `custom-http-errors` for which nobody names a Service: the controller's flags may have named one.

use crate::check::finding::{Finding, Level, Place};
use crate::compiled::Compiled;
use crate::taken::TakenIngress;

const PAGES: &str = "custom-http-errors";

/// A note on each Ingress that has none.
pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    if !compiled.config.default_backend.is_empty() {
        return Vec::new();
    }
    let without = compiled.ingresses.iter().filter(|one| {
        let annotations = &one.annotations;
        !annotations.custom_http_errors.is_empty() && annotations.default_backend.is_empty()
    });
    without.map(note).collect()
}

fn note(ingress: &TakenIngress<'_>) -> Finding {
    Finding::new(
        Level::Note,
        "error-pages",
        &Place::annotation(ingress.object, PAGES),
        "stands without default-backend, and nobody names a Service that has the pages",
        "such answers become 404, or 500 where 404 is among them, as under a controller without \
         --default-backend-service",
    )
    .help("if the controller has --default-backend-service=NAMESPACE/NAME: default_backend: NAMESPACE/NAME in the file of --config")
}

#[cfg(test)]
mod tests {
    use crate::check::{Level, Report};
    use crate::manifests::Manifests;

    #[test]
    fn pages_that_the_flags_of_the_controller_may_name_are_told() {
        let told = |more: &str, default: &str| {
            let text = format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: shop, annotations: \
                 {{nginx.ingress.kubernetes.io/custom-http-errors: '404,503'{more}}}}}\nspec: {{ingressClassName: nginx, \
                 rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: \
                 {{number: 80}}}}}}}}]}}}}]}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: pages}}\n\
                 spec: {{ports: [{{port: 80}}]}}\n"
            );
            let mut manifests = Manifests::parse("m.yaml", &text).unwrap();
            if !default.is_empty() {
                let default = serde_json::json!(default);
                manifests
                    .given
                    .insert("default_backend".to_owned(), default);
            }
            let report = Report::new(&manifests, false, None);
            let mut findings = report.findings.into_iter();
            findings.find(|one| one.code == "error-pages")
        };
        let note = told("", "").unwrap();
        assert_eq!(note.level, Level::Note);
        assert!(
            note.help
                .iter()
                .any(|line| line.contains("default_backend: "))
        );
        let own = ", nginx.ingress.kubernetes.io/default-backend: pages";
        assert!(told(own, "").is_none());
        assert!(told("", "default/pages").is_none());
    }
}
