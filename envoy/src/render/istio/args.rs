//! The flags, and what they call things.

use std::collections::BTreeMap;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::inside::CLUSTER_DOMAIN;
use crate::check::Platform;
use crate::clusters::{Cluster, ServicePort, Twin};
use crate::compiled::{Clients, Flags};
use crate::pods::Pods;
use crate::render::args::RenderArgs;
use crate::render::version::{self, Version};

/// Flags of `limpet render istio`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  limpet render istio -f ingress.yaml --image oci://registry.example.com/limpet:0.1.0 > limpet.yaml
  kubectl get ingress,service -A -o yaml | limpet render istio -f - > limpet.yaml
  limpet render istio -f ingress.yaml --sidecar --namespace shop --selector app=frontend")]
pub struct IstioArgs {
    /// What to read, and what to do about losses.
    #[command(flatten)]
    pub render: RenderArgs,

    /// Where the module's image is
    #[arg(long, default_value = DEFAULT_IMAGE, value_parser = NonEmptyStringValueParser::new())]
    pub image: String,

    /// The Secret that opens the image's registry, in the namespace of the WasmPlugin
    #[arg(long, value_name = "SECRET", value_parser = NonEmptyStringValueParser::new())]
    pub image_pull_secret: Option<String>,

    /// For the outbound side of sidecars instead of a gateway
    #[arg(long)]
    pub sidecar: bool,

    /// The namespace of the gateway, or of the workloads with sidecars
    #[arg(long, default_value = "istio-system", value_parser = NonEmptyStringValueParser::new())]
    pub namespace: String,

    /// The label of the gateway's pods, or of the workloads
    #[arg(long, value_name = "KEY=VALUE", default_value = "istio=ingressgateway")]
    pub selector: String,

    /// The DNS domain of the cluster
    #[arg(long, default_value = CLUSTER_DOMAIN)]
    pub cluster_domain: String,

    /// The version of Istio, 1.22 or newer
    #[arg(long, value_name = "VERSION", default_value_t = RELOADS, value_parser = istio)]
    pub istio: Version,
}

/// The first that starts a module anew after a trap.
pub(super) const RELOADS: Version = Version::of(27);

/// `networking.istio.io/v1` is as old as 1.22.
fn istio(text: &str) -> Result<Version, String> {
    version::from(text, Version::of(22))
}

/// The subset of a Service whose pods are spoken to otherwise.
pub(super) fn subset(twin: &Cluster) -> Option<String> {
    match twin.twin? {
        Twin::Speaks(protocol) => Some(protocol.to_string().to_ascii_lowercase()),
        Twin::Pages | Twin::Passthrough => None,
    }
}

/// The image name that an operator replaces.
const DEFAULT_IMAGE: &str = concat!(
    "oci://registry.example.com/limpet:",
    env!("CARGO_PKG_VERSION")
);

impl Default for IstioArgs {
    fn default() -> Self {
        Self {
            render: RenderArgs::default(),
            image: DEFAULT_IMAGE.to_owned(),
            image_pull_secret: None,
            sidecar: false,
            namespace: "istio-system".to_owned(),
            selector: "istio=ingressgateway".to_owned(),
            cluster_domain: CLUSTER_DOMAIN.to_owned(),
            istio: RELOADS,
        }
    }
}

impl IstioArgs {
    /// The flags that bear on what the manifests mean: on its way out of a pod a request has no client.
    pub(in crate::render) fn flags(&self) -> Flags {
        let flags = self.render.flags(Platform::Istio);
        if !self.sidecar {
            return flags;
        }
        Flags {
            clients: Clients::Unasked,
            // A key that one of them may read, all pods beside it may.
            pods: Pods::Unshown,
            ..flags
        }
    }

    /// The name of a Service inside the cluster.
    pub(super) fn service_host(&self, service_port: &ServicePort) -> String {
        let ServicePort {
            namespace, service, ..
        } = service_port;
        format!("{service}.{namespace}.svc.{}", self.cluster_domain)
    }

    /// What istiod calls the cluster of a Service port.
    pub(super) fn cluster_name(&self, service_port: &ServicePort, number: u16) -> String {
        self.subset_name(service_port, number, "")
    }

    /// The same of one whose pods are spoken to otherwise.
    pub(super) fn twin_name(&self, twin: &Cluster, number: u16) -> String {
        let subset = subset(twin).unwrap_or_default();
        self.subset_name(&twin.service_port, number, &subset)
    }

    /// Source: `BuildSubsetKey`, `pilot/pkg/model/context.go`, istio 86c9f01f.
    pub(super) fn subset_name(
        &self,
        service_port: &ServicePort,
        number: u16,
        subset: &str,
    ) -> String {
        let host = self.service_host(service_port);
        format!("outbound|{number}|{subset}|{host}")
    }

    /// The context of an EnvoyFilter's patches.
    pub(super) fn context(&self) -> &'static str {
        if self.sidecar {
            "SIDECAR_OUTBOUND"
        } else {
            "GATEWAY"
        }
    }

    /// The selector as one label.
    pub(super) fn labels(&self) -> BTreeMap<&str, &str> {
        self.selector
            .split(',')
            .filter_map(|label| label.split_once('='))
            .collect()
    }
}
