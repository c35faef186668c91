//! `limpet render envoy`: a complete bootstrap for Envoy alone.

mod address;
mod cluster;
mod eds;
mod listener;
mod route;
mod timeouts;
mod tls;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

pub use address::Address;
pub use eds::{endpoint_file, endpoint_resource, load_assignment, write_in_place};

use crate::args::ManifestArgs;
use crate::clusters::{self, Cluster};
use crate::forwarding::Forwarding;
use crate::manifests::Manifests;
use crate::plugin_config::{self, EndpointSource, Options, Report};
use crate::progress::Progress;
use crate::say;

/// Flags of `limpet render envoy`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EnvoyArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// How it is rendered.
    #[command(flatten)]
    pub settings: EnvoySettings,
}

const EXAMPLES: &str = "\
Examples:
  limpet render envoy -f shop.yaml --dns > envoy.yaml
  limpet render envoy -f shop.yaml --endpoints prod/web:80=10.0.0.1:80 --wasm limpet.wasm > envoy.yaml
  limpet render envoy -f manifests/ --eds /etc/envoy/xds --tls tls.crt,tls.key > envoy.yaml";

/// How a bootstrap is rendered.
#[derive(Debug, Clone, Args)]
pub struct EnvoySettings {
    /// Where Envoy listens for plain http
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080")]
    pub listen: Address,

    /// Where it listens for https, where there are certificates
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8443")]
    pub listen_tls: Address,

    /// Envoy's admin: the module learns the endpoints there; ip:port or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9901")]
    pub admin: Address,

    /// The module, as Envoy finds it
    #[arg(long, value_name = "PATH", default_value = "/etc/envoy/limpet.wasm")]
    pub wasm: PathBuf,

    /// Write listeners and endpoints to files in DIR, which Envoy re-reads when one is moved into place
    #[arg(long, value_name = "DIR", conflicts_with = "dns")]
    pub eds: Option<PathBuf>,

    /// Resolve headless Services by DNS: for Envoy in Kubernetes, without a control plane
    #[arg(long)]
    pub dns: bool,

    /// A certificate and its key, for hosts that no TLS Secret serves
    #[arg(long, value_name = "CERT,KEY", value_parser = tls::parse_pair)]
    pub tls: Option<(PathBuf, PathBuf)>,

    /// Write each decision, with its reasons, to the access log on standard output
    #[arg(long)]
    pub report: bool,
}

impl Default for EnvoySettings {
    fn default() -> Self {
        Self {
            listen: Address::ip([0, 0, 0, 0], 8080),
            listen_tls: Address::ip([0, 0, 0, 0], 8443),
            admin: Address::ip([127, 0, 0, 1], 9901),
            wasm: PathBuf::from("/etc/envoy/limpet.wasm"),
            eds: None,
            dns: false,
            tls: None,
            report: false,
        }
    }
}

/// What is rendered.
#[derive(Debug)]
pub struct Rendered {
    /// The bootstrap.
    pub bootstrap: Value,
    /// Files beside it, with `--eds`: path and content.
    pub files: Vec<(PathBuf, Value)>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// Renders `manifests`; `strict` as `--strict`.
///
/// # Errors
/// When a certificate cannot be read.
pub fn render(
    manifests: &Manifests,
    clusters: &[Cluster],
    settings: &EnvoySettings,
    strict: bool,
) -> anyhow::Result<Rendered> {
    let options = Options {
        endpoints: EndpointSource::Discovery,
        report: if settings.report {
            Report::Why
        } else {
            Report::Off
        },
        strict,
        unmatched_is_not_found: true,
        one_virtual_host: true,
    };
    let plugin = plugin_config::plugin_config(manifests, clusters, options);
    let mut notes = Vec::new();
    let config_map = manifests.config_map();
    let forwarding = Forwarding::read(config_map.and_then(|map| map.value.get("data")));
    notes.extend(addresses(&forwarding).map(str::to_owned));
    let certificates = tls::certificates(manifests, settings, &mut notes)?;
    let patience = route::patience(manifests, clusters, &mut notes);
    let listeners = listener::listeners(manifests, &plugin, &patience, settings, &certificates);
    let mut rendered_clusters: Vec<Value> = Vec::new();
    for cluster in clusters {
        rendered_clusters.push(cluster::cluster(manifests, cluster, settings, &mut notes));
    }
    rendered_clusters.push(cluster::admin_cluster(&settings.admin));
    let mut bootstrap = json!({
        "node": { "id": "limpet", "cluster": "limpet" },
        "admin": { "address": settings.admin.to_envoy() },
        "static_resources": { "listeners": listeners, "clusters": rendered_clusters },
        "layered_runtime": { "layers": [{ "name": "limpet", "static_layer": {
            // nginx serves what stands before a `#`.
            "envoy.reloadable_features.http_reject_path_with_fragment": false,
        } }] },
    });
    let files = match &settings.eds {
        Some(folder) => eds::move_to_files(&mut bootstrap, folder, clusters),
        None => Vec::new(),
    };
    Ok(Rendered {
        bootstrap,
        files,
        notes,
    })
}

/// A value as YAML.
///
/// # Errors
/// Never for the values of this module; the serializer says what it cannot write.
pub fn to_yaml(value: &Value) -> anyhow::Result<String> {
    // Type URLs are long, and one line each.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 1000 };
    Ok(serde_saphyr::to_string_with_options(value, options)?)
}

/// Prints the bootstrap; notes go to standard error.
///
/// # Errors
/// When the manifests cannot be read or a file cannot be written.
pub fn run(args: &EnvoyArgs) -> anyhow::Result<ExitCode> {
    let progress = Progress::of("rendering");
    let manifests = args.manifests.load()?.with_ingresses()?;
    let (clusters, cluster_notes) = clusters::clusters(&manifests, &args.manifests.endpoints);
    let rendered = render(&manifests, &clusters, &args.settings, args.manifests.strict)?;
    drop(progress);
    for note in manifests
        .notes
        .iter()
        .chain(&cluster_notes)
        .chain(&rendered.notes)
    {
        say::note(note);
    }
    for (path, content) in &rendered.files {
        write_in_place(path, &to_yaml(content)?)?;
        say::note(format_args!("{} written", path.display()));
    }
    let yaml = to_yaml(&rendered.bootstrap)?;
    std::io::stdout()
        .write_all(yaml.as_bytes())
        .context("the output cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

/// What differs in the addresses that pods are told; `None`: nothing does.
fn addresses(forwarding: &Forwarding) -> Option<&'static str> {
    match (forwarding.trusted, forwarding.real_ip) {
        (true, _) => Some(
            "use-forwarded-headers: pods get the X-Forwarded-For of the proxy in front whole, also \
             as X-Real-IP; ingress-nginx sent its first address alone",
        ),
        (false, true) => Some(
            "enable-real-ip: pods get the address of whoever connects; ingress-nginx took the \
             first of X-Forwarded-For",
        ),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
