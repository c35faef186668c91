//! Objects that cannot serve, or serve otherwise than they look.

use crate::check::finding::{Finding, Level};
use crate::check::view::{Ingress, Path};
use crate::manifests::{CONTROLLER, Manifests, Object};

pub(super) fn run(manifests: &Manifests, ingresses: &[Ingress<'_>]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = manifests.old_ingresses.iter().map(beta_api).collect();
    for ingress in ingresses {
        findings.extend(other_class(manifests, ingress));
        findings.extend(canary_alone(ingresses, ingress));
        for path in &ingress.paths {
            findings.extend(one_address(manifests, ingress, path));
        }
    }
    findings
}

fn beta_api(object: &Object) -> Finding {
    Finding {
        level: Level::Error,
        code: "api-version",
        file: object.origin.file.clone(),
        line: object.line_of("/apiVersion"),
        ingress: Some(object.id()),
        field: "apiVersion".to_owned(),
        value: Some(object.api_version().to_owned()),
        expected: "is not networking.k8s.io/v1".to_owned(),
        consequence: "the Ingress is not read; Kubernetes 1.22 removed the older versions"
            .to_owned(),
        help: vec!["kubectl convert -f FILE --output-version networking.k8s.io/v1".to_owned()],
    }
}

fn other_class(manifests: &Manifests, ingress: &Ingress<'_>) -> Option<Finding> {
    let pointers = [
        "/spec/ingressClassName",
        "/metadata/annotations/kubernetes.io~1ingress.class",
    ];
    let (pointer, class) = pointers
        .into_iter()
        .find_map(|pointer| Some((pointer, ingress.object.text(pointer)?)))?;
    let declared = manifests
        .ingress_classes
        .iter()
        .find(|object| object.name() == class);
    let is_ours = match declared {
        Some(object) => object.text("/spec/controller") == Some(CONTROLLER),
        None => class.is_empty() || class == "nginx",
    };
    (!is_ours).then(|| {
        Finding::at(
            (Level::Note, "other-class"),
            ingress,
            (pointer, "ingressClassName"),
            "is not a class of ingress-nginx",
            "the Ingress is ignored, as under ingress-nginx",
        )
    })
}

/// Source: `mergeAlternativeBackends`, `internal/ingress/controller/controller.go`,
/// ingress-nginx dbb11b92d.
fn canary_alone(ingresses: &[Ingress<'_>], ingress: &Ingress<'_>) -> Option<Finding> {
    if !ingress.is_canary() {
        return None;
    }
    let has_primary = |canary: &Path| {
        let primaries = ingresses.iter().filter(|other| !other.is_canary());
        primaries
            .flat_map(|primary| &primary.paths)
            .any(|primary| primary.host == canary.host && primary.path == canary.path)
    };
    let alone = ingress.paths.iter().find(|path| !has_primary(path))?;
    Some(Finding::annotation(
        (Level::Note, "canary-alone"),
        ingress,
        "canary",
        format!(
            "no other Ingress has path {:?} of host {:?}",
            alone.path, alone.host
        ),
        "the canary gets no requests there, as under ingress-nginx",
    ))
}

fn one_address(manifests: &Manifests, ingress: &Ingress<'_>, path: &Path) -> Option<Finding> {
    let id = path.service.as_ref()?.service_id();
    let service = manifests
        .services
        .iter()
        .find(|service| service.id() == id)?;
    let is_a_name = service.text("/spec/type") == Some("ExternalName");
    (is_a_name && ingress.has_affinity()).then(|| {
        Finding::at(
            (Level::Note, "one-address"),
            ingress,
            (&path.pointer, "path"),
            format!("goes to Service {id}, which is a name (ExternalName) and no set of pods"),
            "sessions are kept to whatever the name resolves to, not to a pod",
        )
    })
}
