//! What a platform does otherwise, however it is configured.

use std::collections::HashSet;

use clap::ValueEnum;

use super::annotations::speaks_otherwise;
use super::closing::{self, NotHonoured};
use super::finding::{Finding, Level, Place};
use super::placed::told;
use super::policies;
use super::sidecars;
use super::two_protocols;
use crate::certificates::{self, Certificate};
use crate::clusters::{Cluster, Protocol};
use crate::compiled::{Clients, Compiled, Flags, left_out_whole};
use crate::named_secrets::MOST_VARIABLES;
use crate::passthrough;
use crate::pods::Pods;
use crate::render::authorizer;
use crate::render::envoy_gateway::{pods, told as by_envoy_gateway};
use crate::render::istio::{credential, told as by_istio};
use crate::render::served::Served;
use crate::taken::{TakenIngress, TakenPath};

/// A platform that `limpet render` writes resources for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// Envoy, by its own configuration
    Envoy,
    /// Istio: a gateway, or sidecars
    Istio,
    /// Envoy Gateway
    EnvoyGateway,
}

impl Platform {
    /// Its name in the table of alternatives.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Istio => "istio",
            Self::EnvoyGateway => "gateway",
        }
    }

    /// Its name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Envoy => "an Envoy of your own",
            Self::Istio => "Istio",
            Self::EnvoyGateway => "Envoy Gateway",
        }
    }

    /// Its name in front of what does a job there.
    fn label(self) -> &'static str {
        match self {
            Self::Envoy => "Envoy",
            Self::Istio => "Istio",
            Self::EnvoyGateway => "Gateway API",
        }
    }

    /// How `limpet render` has clients asked for certificates there; of Istio, by a gateway.
    pub(crate) fn clients(self) -> Clients {
        match self {
            Self::Envoy | Self::Istio => Clients::Any,
            Self::EnvoyGateway => Clients::Verified,
        }
    }

    /// What of `proxy-ssl-*` `limpet render` has pods told there; of Istio, by a gateway.
    pub(crate) fn pods(self) -> Pods {
        match self {
            Self::Envoy => Pods::OnEnvoy,
            Self::Istio => Pods::All,
            Self::EnvoyGateway => Pods::Verified,
        }
    }

    /// How many environment variables the module may have there; `None`: any number.
    pub(crate) fn variables(self) -> Option<usize> {
        match self {
            Self::Envoy | Self::EnvoyGateway => None,
            Self::Istio => Some(MOST_VARIABLES),
        }
    }

    /// With these flags, what bears there on what manifests mean; of Istio, at a gateway.
    pub(crate) fn flags(self, flags: Flags) -> Flags {
        Flags {
            clients: self.clients(),
            pods: self.pods(),
            variables: self.variables(),
            ..flags
        }
    }

    /// Whether a line of help is of use there.
    pub(super) fn is_for(self, line: &str) -> bool {
        let mut others = Self::value_variants().iter().filter(|one| **one != self);
        !others.any(|other| {
            let rest = line.strip_prefix(other.label());
            rest.is_some_and(|rest| rest.starts_with(": "))
        })
    }
}

/// The namespace of Istio's gateway, as `render istio` has it by default.
const GATEWAYS: &str = "istio-system";

/// What differs on `platform`, or may on some, and what is not honoured there.
pub(super) fn run(
    compiled: &Compiled<'_>,
    platform: Option<Platform>,
) -> (Vec<Finding>, NotHonoured) {
    let mut left_out = NotHonoured::new();
    let ingresses = compiled.ingresses.iter();
    let protocols = ingresses
        .clone()
        .filter_map(|one| backend_protocol(compiled, one, platform));
    let mut findings: Vec<Finding> = protocols.collect();
    match platform {
        Some(Platform::Envoy | Platform::Istio) => {}
        Some(Platform::EnvoyGateway) => {
            findings.extend(two_protocols::run(compiled, Level::Warning));
        }
        None => findings.extend(two_protocols::run(compiled, Level::Note)),
    }
    if let Some(platform) = platform {
        let served = match platform {
            Platform::Envoy | Platform::Istio => Served::new(compiled),
            Platform::EnvoyGateway => Served::on_envoy_gateway(compiled),
        };
        let refused: Vec<&Cluster> = match platform {
            Platform::Envoy => Vec::new(),
            Platform::Istio => authorizer::refused_on_istio(&served).collect(),
            Platform::EnvoyGateway => authorizer::refused_on_envoy_gateway(&served).collect(),
        };
        left_out = closing::rendered(compiled, &served, refused.into_iter());
        findings.extend(not_rendered(compiled, &served, platform));
        findings.extend(match platform {
            Platform::Envoy => Vec::new(),
            Platform::Istio => {
                let mut findings = policies::on_istio(compiled);
                findings.extend(policies::istio_gateways(compiled, &served));
                findings.extend(secrets_to_copy(compiled, &served));
                findings.extend(sidecars::run(compiled, &served));
                findings
            }
            Platform::EnvoyGateway => {
                let mut findings = policies::on_envoy_gateway(compiled);
                let passed = by_envoy_gateway::passed(&served);
                findings.extend(told(compiled, passed, Level::Note, "ssl-passthrough"));
                findings
            }
        });
        findings.extend(ingresses.flat_map(|one| paths_as_resolved(one, platform)));
    }
    (findings, left_out)
}

/// What the resources cannot hold; `render` writes the same at their head.
fn not_rendered(compiled: &Compiled<'_>, served: &Served<'_>, platform: Platform) -> Vec<Finding> {
    // These have findings of their own.
    let whole: HashSet<String> = left_out_whole(compiled.manifests).collect();
    let mut notes = served.notes.clone();
    notes.retain(|note| !whole.contains(note));
    match platform {
        Platform::Envoy => {}
        Platform::Istio => notes.extend(by_istio::notes(served, Some(GATEWAYS))),
        Platform::EnvoyGateway => notes.extend(by_envoy_gateway::notes(served)),
    }
    told(compiled, notes, Level::Warning, "not-rendered")
}

/// The certificate that pods are shown.
const SHOWN: &str = "proxy-ssl-secret";

/// Those that Istio's gateway, by default in istio-system, reads copies of; `render istio` names each.
fn secrets_to_copy(compiled: &Compiled<'_>, served: &Served<'_>) -> Vec<Finding> {
    let copied = credential::copied(served, GATEWAYS);
    let finding = |place: Place<'_>, without: &str| {
        Finding::new(
            Level::Note,
            "copy-secret",
            &place,
            "is read by Istio's gateway from the gateway's own namespace alone",
            format!("{without} until a copy stands there, under the name that render istio says"),
        )
    };
    let of_host = |one: &Certificate<'_>| {
        let pointer = format!("{}/secretName", certificates::pointer(one.entry));
        let place = Place::at(one.ingress.object, &pointer, "secretName");
        finding(place, "its hosts get no https")
    };
    let for_pods = credential::copied_for_pods(served, GATEWAYS);
    let ingresses = compiled.ingresses.iter();
    let shown = ingresses.filter_map(|one| {
        let id = one.annotation(SHOWN)?.trim();
        let place = Place::annotation(one.object, SHOWN);
        let is_it = for_pods.contains(id);
        is_it.then(|| finding(place, "pods are not shown it"))
    });
    copied.map(of_host).chain(shown).collect()
}

/// A module cannot choose how the proxy speaks to pods; Envoy Gateway has no resource that trusts
/// any certificate, as ingress-nginx does where `proxy-ssl-verify` is off.
fn backend_protocol(
    compiled: &Compiled<'_>,
    ingress: &TakenIngress<'_>,
    platform: Option<Platform>,
) -> Option<Finding> {
    let value = ingress.annotation("backend-protocol")?;
    let mut own = compiled.named_by(ingress.id()).peekable();
    let tls = Protocol::read(value).tls;
    let is_said = |cluster: &Cluster| {
        if tls {
            pods::are_told(compiled, cluster)
        } else {
            cluster.is_h2c()
        }
    };
    if own.peek().is_some() && own.all(is_said) {
        return None;
    }
    let level = match platform {
        Some(Platform::Envoy | Platform::Istio) => return None,
        Some(Platform::EnvoyGateway) => Level::Warning,
        None => Level::Note,
    };
    let (instead, help) = if passthrough::asks(compiled, ingress) {
        (
            "on Envoy Gateway pods get what comes by http in plain HTTP/1",
            "write no BackendTLSPolicy: what ssl-passthrough passes on would be TLS in TLS, and no connection holds",
        )
    } else {
        (
            "on Envoy Gateway pods get plain HTTP/1 until you say so",
            "Gateway API: BackendTLSPolicy; for gRPC the Service port's appProtocol kubernetes.io/h2c",
        )
    };
    let finding = Finding::new(
        level,
        "backend-protocol",
        &Place::annotation(ingress.object, "backend-protocol"),
        "is how the proxy speaks to the pods: render envoy and istio set it, and look at certificates where proxy-ssl-verify is on",
        instead,
    );
    speaks_otherwise(value).then(|| finding.help(help))
}

/// Both platforms resolve paths before limpet sees them; on Istio the mesh's configuration turns that
/// off. A rewrite replaces the path anyway; what is not rewritten reaches the Service as resolved.
///
/// Source: `NormalizePath` in `addHCMToXDSListener`, `internal/xds/translator/listener.go`,
/// envoyproxy/gateway d32f28294; istiod of 2026-08-27 with Envoy 1.40 was asked.
fn paths_as_resolved(ingress: &TakenIngress<'_>, platform: Platform) -> Vec<Finding> {
    let (expected, help) = match platform {
        Platform::Envoy => return Vec::new(),
        Platform::Istio => (
            "is not rewritten, and Istio resolves paths in front of limpet by default",
            Some(
                "meshConfig.pathNormalization.normalization: NONE turns it off, for the whole mesh: \
                 /%61dmin gets past each of its policies on /admin then",
            ),
        ),
        Platform::EnvoyGateway => (
            "is not rewritten, and Envoy Gateway resolves paths in front of limpet",
            None,
        ),
    };
    if !ingress.annotations.rewrite.target.is_empty() {
        return Vec::new();
    }
    let finding = |path: TakenPath<'_>| {
        let finding = Finding::new(
            Level::Note,
            "path-in-front",
            &Place::at(ingress.object, &path.text_pointer(), "path"),
            expected,
            "of a request for /a/../b%61 the Service sees /ba, where ingress-nginx sent it as it came",
        );
        match help {
            Some(help) => finding.help(help),
            None => finding,
        }
    };
    ingress.paths().map(finding).collect()
}
