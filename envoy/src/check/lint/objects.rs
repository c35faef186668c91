//! Objects that cannot serve, or serve otherwise than they look.

use std::net::SocketAddr;
use std::sync::Arc;

use limpet::ingress::Ingress;
use limpet::nearest::nearest;
use limpet::remark::{Problem, Remark};
use limpet::route::location::Location;

use super::neighbours::{self, service_port};
use crate::check::finding::{Finding, Level, Place};
use crate::clusters::{Cluster, ServicePort, off_limits};
use crate::compiled::{Compiled, no_room};
use crate::inert;
use crate::manifests::{Manifests, Object};
use crate::names;
use crate::taken::{TakenBackend, TakenIngress, TakenPath, under_the_prefix};

pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let manifests = compiled.manifests;
    let mut findings: Vec<Finding> = manifests.old_ingresses.iter().map(beta_api).collect();
    findings.extend(manifests.ingresses.iter().filter_map(unfit));
    findings.extend(manifests.ingresses.iter().filter_map(without_room));
    let remarks = compiled.remarks.iter();
    findings.extend(remarks.filter_map(|remark| other_class(manifests, remark)));
    findings.extend(asked_in_vain(manifests));
    for ingress in &compiled.ingresses {
        findings.extend(canary_alone(compiled, ingress));
        findings.extend(without_class(manifests, ingress));
        let paths = ingress.paths();
        findings.extend(paths.filter_map(|path| one_address(manifests, ingress, &path)));
        let backends = ingress.backends();
        findings.extend(backends.filter_map(|one| no_number(compiled, ingress, &one)));
        findings.extend(
            ingress
                .paths()
                .flat_map(|path| off_limits_of(compiled, ingress, &path)),
        );
        findings.extend(asks_nobody(compiled, ingress));
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

fn without_room(object: &Object) -> Option<Finding> {
    let place = Place::at(object, "/metadata/name", "size");
    let expected = no_room(object)?;
    Some(Finding::new(
        Level::Error,
        "size",
        &place,
        expected,
        NOT_TAKEN,
    ))
}

fn unfit(object: &Object) -> Option<Finding> {
    let unfit = names::unfit(object)?;
    Some(Finding::new(
        Level::Error,
        "name",
        &Place::at(object, &unfit.pointer, unfit.what),
        format!("is no name of a {} in Kubernetes", unfit.what),
        names::LEFT_OUT,
    ))
}

/// The module's own word: whose class it is, it decides. Whether that is somebody else's is judged
/// where the IngressClass is known: a second ingress-nginx may be meant.
fn other_class(manifests: &Manifests, remark: &Remark) -> Option<Finding> {
    if !matches!(
        remark.problem,
        Problem::OtherClass { .. } | Problem::NoClassServed
    ) {
        return None;
    }
    let mut objects = manifests.ingresses.iter();
    let object = objects.find(|object| Some(object.id()) == remark.ingress)?;
    let pointers = [
        "/spec/ingressClassName",
        "/metadata/annotations/kubernetes.io~1ingress.class",
    ];
    let mut pointers = pointers.into_iter();
    let pointer = pointers.find(|pointer| object.text(pointer).is_some())?;
    let class = object.text(pointer).unwrap_or_default();
    let about = |level, code, expected: String, consequence: &str| {
        let place = Place::at(object, pointer, "ingressClassName");
        Finding::new(level, code, &place, expected, consequence)
    };
    let selection = &manifests.selection;
    if !selection.classes.is_empty() && selection.controllers.is_empty() {
        let expected = "is none of the classes that were asked for".to_owned();
        return Some(about(Level::Note, "other-class", expected, NOT_TAKEN));
    }
    let Some(declared) = manifests.ingress_class(class) else {
        let expected = "is a class whose IngressClass is not among the manifests".to_owned();
        let consequence = "nobody here knows whose it is, and the Ingress is not taken";
        return Some(
            about(Level::Warning, "unknown-class", expected, consequence).help(format!(
                "give the IngressClass with -f, or say --ingress-class {}",
                inert::word(class)
            )),
        );
    };
    let controller = declared.text("/spec/controller").unwrap_or_default();
    let is_marked = |ingress: Ingress| under_the_prefix(&ingress).next().is_some();
    if controller.contains("ingress-nginx") || object.ingress().is_some_and(is_marked) {
        let expected = format!("is a class of controller {controller:?}");
        return Some(
            about(Level::Warning, "other-class", expected, NOT_TAKEN).help(format!(
                "if that is an ingress-nginx of yours: --controller {}",
                inert::word(controller)
            )),
        );
    }
    Some(about(
        Level::Note,
        "other-class",
        "is not a class of ingress-nginx".to_owned(),
        "the Ingress is ignored, as under ingress-nginx",
    ))
}

/// The API server gives the default class to an Ingress without one.
///
/// Source: `GetIngressClass`, `internal/ingress/controller/store/store.go`, ingress-nginx dbb11b92d.
fn without_class(manifests: &Manifests, ingress: &TakenIngress<'_>) -> Option<Finding> {
    let is_ours = || manifests.classes().is_some_and(|all| all.contains(&""));
    if ingress.ingress.class.is_some() || is_ours() {
        return None;
    }
    let place = Place::at(ingress.object, "", "ingressClassName");
    let about = |level, code, expected: String| {
        let taken = "the Ingress is taken here";
        Finding::new(level, code, &place, expected, taken).help("write its class")
    };
    Some(match manifests.foreign_default_class() {
        Some(class) => {
            let class = class.name();
            let whose = "is another controller's";
            let expected = format!("is missing, and the default IngressClass {class} {whose}");
            about(Level::Warning, "default-class", expected)
        }
        None => {
            let expected = "is missing, and ingress-nginx takes such an Ingress only under \
                            --watch-ingress-without-class";
            about(Level::Note, "no-class", expected.to_owned())
        }
    })
}

/// Classes and controllers that were asked for and that nothing here names: probably misspelt.
fn asked_in_vain(manifests: &Manifests) -> Vec<Finding> {
    let declared = &manifests.ingress_classes;
    let written: Vec<String> = manifests
        .ingresses
        .iter()
        .filter_map(|object| object.ingress()?.class)
        .collect();
    let classes: Vec<&str> = written
        .iter()
        .map(String::as_str)
        .chain(declared.iter().map(Object::name))
        .collect();
    let controllers: Vec<&str> = declared
        .iter()
        .filter_map(|class| class.text("/spec/controller"))
        .collect();
    let selection = &manifests.selection;
    let config_maps: Vec<String> = manifests.config_maps.iter().map(Object::id).collect();
    let config_maps: Vec<&str> = config_maps.iter().map(String::as_str).collect();
    let vain = |flag: &str, name: &String, known: &[&str], consequence: &str| {
        if name.is_empty() || known.contains(&name.as_str()) {
            return None;
        }
        let finding = Finding {
            level: Level::Warning,
            code: "asked-in-vain",
            file: String::new(),
            line: 0,
            ingress: None,
            field: flag.to_owned(),
            value: Some(name.clone()),
            expected: "is named by nothing among the manifests".to_owned(),
            consequence: consequence.to_owned(),
            help: Vec::new(),
        };
        Some(match nearest(name, known.iter().copied()) {
            Some(meant) => finding.help(format!("did you mean {meant}?")),
            None => finding,
        })
    };
    let of_classes = selection.classes.iter();
    let none = "no Ingress is taken for it";
    let of_classes = of_classes.filter_map(|name| vain("ingress_classes", name, &classes, none));
    let of_controllers = selection.controllers.iter();
    let of_controllers =
        of_controllers.filter_map(|name| vain("controllers", name, &controllers, none));
    let settings = selection.config_map.iter();
    let defaults = "ingress-nginx's defaults are assumed";
    let settings = settings.filter_map(|id| vain("configmap", id, &config_maps, defaults));
    of_classes.chain(of_controllers).chain(settings).collect()
}

const NOT_TAKEN: &str = "the Ingress is not taken";

/// Source: `mergeAlternativeBackends`, `internal/ingress/controller/controller.go`,
/// ingress-nginx dbb11b92d.
fn canary_alone(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> Option<Finding> {
    ingress.annotations.canary.as_ref()?;
    let own = neighbours::services(ingress);
    let is_primary = |other: &&TakenIngress<'_>| other.annotations.canary.is_none();
    let has_primary = |canary: &TakenPath<'_>| {
        let mut primaries = compiled.ingresses.iter().filter(is_primary);
        let is_same =
            |path: TakenPath<'_>| path.host == canary.host && path.path.path == canary.path.path;
        // The root of a host may be a default backend's.
        let takes_from = |location: &Arc<Location>| {
            location.name == canary.path.path
                && neighbours::taken_from(compiled, location, &own).is_some()
        };
        let host = compiled.virtual_host(canary.host);
        primaries.any(|primary| primary.paths().any(is_same))
            || host.is_some_and(|host| host.locations.iter().any(takes_from))
    };
    let alone = ingress.paths().find(|path| !has_primary(path))?;
    // Its Service is another Ingress's too, whose upstream it shares.
    let mut hosts = compiled.policy.virtual_hosts();
    let is_of_it = |one: &Arc<Location>| *one.ingress == *ingress.id();
    let has_default = hosts.any(|host| host.is_default() && host.locations.iter().any(is_of_it));
    let consequence = if has_default {
        "its paths are the default server's and take requests for every unknown host, as under ingress-nginx, for \
         another Ingress names its Service"
    } else {
        "the canary gets no requests there, as under ingress-nginx"
    };
    Some(Finding::new(
        Level::Note,
        "canary-alone",
        &Place::annotation(ingress.object, "canary"),
        format!(
            "no other Ingress has path {:?} of host {:?}",
            alone.path.path, alone.host
        ),
        consequence,
    ))
}

/// Endpoints and names that no proxy is sent to, whoever asks.
fn off_limits_of(
    compiled: &Compiled<'_>,
    ingress: &TakenIngress<'_>,
    path: &TakenPath<'_>,
) -> Vec<Finding> {
    let service_port = service_port(ingress, path);
    let Some(cluster) = service_port.and_then(|port| compiled.cluster_of(&port.key())) else {
        return Vec::new();
    };
    let finding = |field: &str, value: &str, why: &str| {
        Finding::new(
            Level::Warning,
            "off-limits",
            &Place::at(ingress.object, &path.text_pointer(), "path"),
            format!(
                "goes to Service {}, whose {field} {value:?} is {why}",
                cluster.service_port.service_id()
            ),
            "render leaves it out: without another endpoint the answer is 503",
        )
    };
    let external = cluster.external_name.as_deref();
    let external = external
        .zip(cluster.leads_to_its_proxy())
        .map(|(name, why)| finding("externalName", name, why));
    let endpoints = cluster.endpoints.iter().filter_map(|endpoint| {
        let socket: SocketAddr = endpoint.address.parse().ok()?;
        let why = off_limits::address(socket.ip(), false)?;
        Some(finding("endpoint", &endpoint.address, why))
    });
    external.into_iter().chain(endpoints).collect()
}

/// An authorizer that no proxy asks.
fn asks_nobody(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> Option<Finding> {
    let names = |cluster: &&Cluster| cluster.named_by.iter().any(|id| id == ingress.id());
    let cluster = compiled.authorizers.iter().find(names)?;
    let by_address = || {
        let mut endpoints = cluster.endpoints.iter();
        endpoints.find_map(|endpoint| {
            let socket: SocketAddr = endpoint.address.parse().ok()?;
            off_limits::address(socket.ip(), false)
        })
    };
    let why = cluster.leads_to_its_proxy().or_else(by_address)?;
    Some(Finding::new(
        Level::Warning,
        "off-limits",
        &Place::annotation(ingress.object, "auth-url"),
        format!("asks {}, which leads to {why}", cluster.subject()),
        "nobody is asked there: its paths answer 500, on Istio and Envoy Gateway 503",
    ))
}

/// A name without ports is asked on the port that the Ingress says, which has to be a number.
///
/// Source: `serviceEndpoints`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.
fn no_number(
    compiled: &Compiled<'_>,
    ingress: &TakenIngress<'_>,
    backend: &TakenBackend<'_>,
) -> Option<Finding> {
    let port = ServicePort::named(&ingress.ingress.namespace, backend.backend)?;
    let service = compiled.manifests.service(&port.service_id())?;
    // Where there are ports the module has said it.
    let is_bare = service.list("/spec/ports").is_empty();
    let cluster = compiled.cluster_of(&port.key())?;
    let is_a_name = cluster.external_name.is_some();
    (is_bare && is_a_name && cluster.has_no_such_port).then(|| {
        let place = Place::at(ingress.object, &backend.pointer, "backend");
        let expected = format!(
            "{} has no number, and the Service is a name (ExternalName) without ports",
            port.key()
        );
        let consequence = "its paths answer 503, as under ingress-nginx";
        Finding::new(Level::Error, "port", &place, expected, consequence)
            .help("write the number in the Ingress, or give the Service that port")
    })
}

fn one_address(
    manifests: &Manifests,
    ingress: &TakenIngress<'_>,
    path: &TakenPath<'_>,
) -> Option<Finding> {
    let id = service_port(ingress, path)?.service_id();
    let service = manifests.service(&id)?;
    let is_a_name = service.text("/spec/type") == Some("ExternalName");
    (is_a_name && ingress.has_affinity()).then(|| {
        Finding::new(
            Level::Note,
            "one-address",
            &Place::at(ingress.object, &path.text_pointer(), "path"),
            format!("goes to Service {id}, which is a name (ExternalName) and no set of pods"),
            "sessions are kept to whatever the name resolves to, not to a pod",
        )
    })
}

#[cfg(test)]
mod tests;
