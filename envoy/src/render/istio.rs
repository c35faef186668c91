//! What Istio needs: for a gateway, or for the outbound side of sidecars.

mod destination;
mod filter;
mod plugin;
mod route;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::resource::{Resource, too_large, yaml};
use super::scene::Scene;
use crate::clusters::ServicePort;
use crate::manifests::Manifests;
use crate::progress::Progress;

/// Flags of `limpet render istio`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  limpet render istio -f ingress.yaml --image oci://registry.example.com/limpet:0.1.0 | kubectl apply --server-side -f -
  kubectl get ingress,service -A -o yaml | limpet render istio -f - > limpet.yaml
  limpet render istio -f ingress.yaml --sidecar --namespace shop --selector app=frontend")]
pub struct IstioArgs {
    /// Manifests: a YAML or JSON file, a folder of them, or - for standard input
    #[arg(short, long = "file", value_name = "FILE|DIR|-", required = true)]
    pub file: Vec<String>,

    /// Validate annotations as ingress-nginx 1.15 does by default
    #[arg(long)]
    pub strict: bool,

    /// Keys of the plugin configuration that manifests do not say, such as cookie_keys: YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where the module's image is
    #[arg(long, default_value = DEFAULT_IMAGE, value_parser = NonEmptyStringValueParser::new())]
    pub image: String,

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
    #[arg(long, default_value = "cluster.local")]
    pub cluster_domain: String,
}

/// The image name that an operator replaces.
const DEFAULT_IMAGE: &str = concat!(
    "oci://registry.example.com/limpet:",
    env!("CARGO_PKG_VERSION")
);

/// What `use-forwarded-headers` means on Istio.
const TRUSTED: &str = "\
use-forwarded-headers: Istio trusts nobody until it is told how many proxies stand in front, for
all hosts of the gateway: proxy.istio.io/config: '{\"gatewayTopology\": {\"numTrustedProxies\": 1}}'.
Pods get X-Forwarded-For whole, not its first address alone, and X-Forwarded-Port where that proxy sends it.";

impl Default for IstioArgs {
    fn default() -> Self {
        Self {
            file: Vec::new(),
            strict: false,
            config: None,
            image: DEFAULT_IMAGE.to_owned(),
            sidecar: false,
            namespace: "istio-system".to_owned(),
            selector: "istio=ingressgateway".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
        }
    }
}

impl IstioArgs {
    /// The name of a Service inside the cluster.
    fn service_host(&self, service_port: &ServicePort) -> String {
        let ServicePort {
            namespace, service, ..
        } = service_port;
        format!("{service}.{namespace}.svc.{}", self.cluster_domain)
    }

    /// What istiod calls the cluster of a Service port.
    ///
    /// Source: `BuildSubsetKey`, `pilot/pkg/model/context.go`, istio 86c9f01f.
    fn cluster_name(&self, service_port: &ServicePort, number: u16) -> String {
        format!("outbound|{number}||{}", self.service_host(service_port))
    }

    /// The context of an EnvoyFilter's patches.
    fn context(&self) -> &'static str {
        if self.sidecar {
            "SIDECAR_OUTBOUND"
        } else {
            "GATEWAY"
        }
    }

    /// The selector as one label.
    fn labels(&self) -> BTreeMap<&str, &str> {
        self.selector
            .split(',')
            .filter_map(|label| label.split_once('='))
            .collect()
    }
}

/// Every resource, in the order to apply them.
#[must_use]
pub fn resources(scene: &Scene<'_>, args: &IstioArgs) -> Vec<Resource> {
    let mut all = route::resources(scene, args);
    all.extend(destination::resources(scene, args));
    all.push(filter::resource(scene, args));
    all.push(plugin::resource(scene, args));
    all
}

/// The whole output for `manifests`.
///
/// # Errors
/// When a value cannot be written as YAML.
pub fn text(manifests: &Manifests, args: &IstioArgs) -> anyhow::Result<String> {
    let scene = Scene::new(manifests);
    let mut head = vec![
        "limpet on Istio. Replace the image name in the WasmPlugin; nothing else needs editing.".to_owned(),
        String::new(),
        "Metrics: Istio drops statistics it does not know. To see limpet's, and to let it poll less,".to_owned(),
        "set on the pods that carry the proxy (their Deployment's template), and restart them:".to_owned(),
        format!("  proxy.istio.io/config: '{}'", plugin::STATS_INCLUSION),
        String::new(),
        "Draining: istiod removes terminating pods from the endpoints at once, unless the Service has".to_owned(),
        "the label istio.io/persistent-session; sessions of a terminating pod move to another one then.".to_owned(),
        "Headers: pods get the forwarding headers of ingress-nginx, and Istio's own beside them (X-Envoy-*,".to_owned(),
        "X-B3-* or traceparent); a client's X-Request-ID is kept from inside the mesh only.".to_owned(),
        "Upgrades: the filter of limpet comes before CORS and fault injection; authorization sees the".to_owned(),
        "original path and host.".to_owned(),
    ];
    if scene.trusted && !args.sidecar {
        head.extend(TRUSTED.lines().map(str::to_owned));
    }
    if args.sidecar && scene.hosts.iter().any(|host| host == "*") {
        head.push(
            "note: a rule without host cannot be served by sidecars: they route by host".to_owned(),
        );
    }
    let variables = scene.variables();
    if !variables.is_empty() {
        head.push(format!(
            "Cookie keys: the container istio-proxy of those pods needs the environment variable {}",
            variables.join(", ")
        ));
        head.push(
            "(env with secretKeyRef in its Deployment); without it no session cookie is written."
                .to_owned(),
        );
    }
    head.extend(scene.notes.iter().map(|note| format!("note: {note}")));
    let resources = resources(&scene, args);
    head.extend(too_large(&resources));
    yaml(&head, &resources)
}

/// Prints the resources.
///
/// # Errors
/// When the manifests cannot be read or the output cannot be written.
pub fn run(args: &IstioArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !args.labels().is_empty(),
        "--selector: {:?} is no KEY=VALUE",
        args.selector
    );
    let progress = Progress::of("rendering");
    let manifests = Manifests::load(&args.file)?
        .with_config(args.config.as_deref())?
        .with_ingresses()?;
    let text = text(&manifests, args)?;
    drop(progress);
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .context("the output cannot be written")?;
    Ok(ExitCode::SUCCESS)
}
