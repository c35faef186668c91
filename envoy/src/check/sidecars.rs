//! What sidecars do otherwise than a gateway of Istio: notes, for whoever reads them may want a gateway alone.

use super::finding::{Finding, Level, Place};
use super::placed::told;
use crate::compiled::Compiled;
use crate::render::istio::addresses::{self, Asked};
use crate::render::istio::protocols;
use crate::render::istio::taking_over::{self, TakingOver};
use crate::render::served::Served;

pub(super) fn run(compiled: &Compiled<'_>, served: &Served<'_>) -> Vec<Finding> {
    let taking_over = taking_over::on_istio(compiled);
    let mut findings: Vec<Finding> = taking_over.iter().map(left_out).collect();
    let headless = protocols::headless(served).collect();
    findings.extend(told(compiled, headless, Level::Note, "headless"));
    findings.extend(addresses::asked(compiled).iter().map(by_address));
    findings.extend(
        served
            .passed
            .first()
            .and_then(|one| passed(compiled, &one.host)),
    );
    findings
}

/// A gateway serves it.
fn left_out(one: &TakingOver<'_>) -> Finding {
    let place = Place::at(one.object, &one.pointer(), one.field());
    let code = if one.host.is_empty() {
        "rule-without-host"
    } else {
        "host-of-a-service"
    };
    let mut finding = Finding::new(Level::Note, code, &place, one.why(), one.consequence());
    finding.value = (!one.host.is_empty()).then(|| one.host.clone());
    finding
}

/// A gateway knows them.
fn by_address(one: &Asked<'_>) -> Finding {
    let place = Place::at(one.object, &one.pointer, one.name);
    let mut finding = Finding::new(
        Level::Note,
        "client-address",
        &place,
        "goes by addresses of clients, which sidecars do not know",
        "render istio --sidecar refuses it, or answers 503 with --close",
    );
    finding.ingress = finding.ingress.filter(|_| one.is_ingress);
    finding
}

/// A gateway passes it on.
fn passed(compiled: &Compiled<'_>, host: &str) -> Option<Finding> {
    let mut ingresses = compiled.ingresses.iter();
    let asks = |one: &&crate::taken::TakenIngress<'_>| {
        crate::passthrough::asks(compiled, one) && one.paths().any(|path| path.host == host)
    };
    let ingress = ingresses.find(asks)?;
    Some(Finding::new(
        Level::Note,
        "ssl-passthrough",
        &Place::annotation(ingress.object, "ssl-passthrough"),
        "sends TLS to pods as it comes, which is a gateway's",
        "render istio --sidecar refuses it: sidecars pass it on without limpet",
    ))
}
