//! `limpet run`: serve the manifests on this machine, with the real module.

mod access_log;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use host_harness::Environment;
use host_harness::proxy::{AccessRecord, Proxy, ProxyConfig, ProxyError};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::filter_chain;
use crate::module;
use crate::page::fleet::Fleet;
use crate::page::forward::SCHEME;
use crate::page::ledger::{Ledger, Record};
use crate::page::lens::Lens;
use crate::page::{self, Address, Scene};
use crate::pods::Pods;
use limpet_envoy::args::{EndpointArgs, ManifestArgs, ip_port};
use limpet_envoy::clusters::Cluster;
use limpet_envoy::compiled::Compiled;
use limpet_envoy::filter_chain::DEFAULT_HOST;
use limpet_envoy::plugin_config::{Options, Report, Unmatched, plugin_config};
use limpet_envoy::progress::Progress;
use limpet_envoy::say;

/// Flags of `limpet run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Where the endpoints are.
    #[command(flatten)]
    pub endpoints: EndpointArgs,

    /// Where to listen
    #[arg(long, value_name = "IP:PORT", value_parser = ip_port, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Serve Envoy's admin interface there too: /clusters, /stats
    #[arg(long, value_name = "IP:PORT", value_parser = ip_port)]
    pub admin: Option<SocketAddr>,

    /// Worker threads, each with its own copy of the module [default: one a processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub workers: Option<u16>,

    /// Start demo replicas for the Deployments and StatefulSets, and send requests there
    #[arg(long)]
    pub pods: bool,

    /// Serve a page at this path: which pod answers whom, and why
    #[arg(long, value_name = "PATH", value_parser = page::path)]
    pub page: Option<String>,

    /// The module [default: LIMPET_WASM, else the one built beside this binary]
    #[arg(long, value_name = "PATH")]
    pub wasm: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  limpet run -f envoy/examples/sample-ingress.yaml --pods
  limpet run -f envoy/examples/sample-ingress.yaml --pods --page /limpet
  limpet run -f shop.yaml --endpoints prod/web:80=10.0.0.1:80,10.0.0.2:80 --listen 0.0.0.0:8080";

/// How long requests under way may take to finish after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until Ctrl-C.
///
/// # Errors
/// When manifests or module cannot be read, or an address is taken.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let progress = Progress::of("reading the manifests");
    let manifests = Arc::new(args.manifests.load()?.with_ingresses()?);
    let mut compiled = Compiled::new(&manifests, &args.manifests.flags(&args.endpoints))?;
    drop(progress);
    let pods = if args.pods {
        Some(Pods::start(&manifests)?)
    } else {
        None
    };
    if let Some(pods) = &pods {
        let more = pods.fill(&manifests, &mut compiled.clusters);
        compiled.notes.extend(more);
    }
    for note in compiled.all_notes() {
        say::note(note);
    }
    let base = args.page.as_deref();
    let page = base
        .map(|base| Address::take(args.listen, base))
        .transpose()?;
    let wasm = module::find(args.wasm.as_deref())?;
    let module = module::load(&wasm)?;
    let environment = Environment::new(filter_chain::host_clusters(&compiled));
    let mut config = if page.is_some() {
        let mut config = proxy_config(module, &compiled, BEHIND_A_PAGE, Report::Why);
        config.scheme_header = Some(SCHEME);
        config
    } else {
        proxy_config(module, &compiled, args.listen, Report::Summary)
    };
    config.admin = args.admin;
    if let Some(workers) = args.workers {
        config.workers = workers.into();
    }
    let ledger = Ledger::new();
    if page.is_some() {
        let ledger = Arc::clone(&ledger);
        config.access_log = Some(Arc::new(move |record: &AccessRecord| {
            access_log::print(record);
            ledger.record(record.source, Record::from(record));
        }));
    }
    let proxy = Proxy::start(config, &environment).map_err(|error| match error {
        ProxyError::Listen { address, source } => {
            anyhow::Error::new(source).context(page::cannot_listen(address))
        }
        error => error.into(),
    })?;
    let end = End::watch().context("signals cannot be waited for")?;
    let application = page.as_ref().map(Address::application);
    announce(&proxy, application, &compiled.clusters);
    let page = match page {
        Some(address) => {
            eprintln!("page on {}", address.url());
            let clusters = Arc::clone(&environment.clusters);
            let tell = move |cluster: &Cluster| {
                clusters.set(cluster.name(), filter_chain::host_cluster(cluster));
                Ok(())
            };
            let lens = Lens {
                manifests: Arc::clone(&manifests),
                strict: args.manifests.strict,
                wasm,
            };
            Some(address.serve(Scene {
                compiled: &compiled,
                proxy: proxy.local_addr(),
                name: OWN_HOST.to_owned(),
                fleet: Arc::new(Fleet::new(&compiled.clusters, pods, Box::new(tell))),
                ledger,
                lens,
            })?)
        }
        None => None,
    };
    end.wait();
    eprintln!("stopping");
    drop(page);
    proxy.shutdown(GRACE);
    Ok(ExitCode::SUCCESS)
}

/// Any free port of this machine.
pub(crate) const BEHIND_A_PAGE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a page calls the harness.
pub(crate) const OWN_HOST: &str = "limpet’s own host";

/// The proxy as `render envoy` would have it; `demo` runs the same.
#[must_use]
pub fn proxy_config(
    module: host_harness::Module,
    compiled: &Compiled<'_>,
    listen: SocketAddr,
    report: Report,
) -> ProxyConfig {
    let options = Options {
        report,
        unmatched: Unmatched::NotFound,
        one_virtual_host: true,
        ..Options::default()
    };
    let plugin = plugin_config(compiled, options);
    let engine = filter_chain::engine_config(module, &plugin, compiled);
    let mut config = ProxyConfig::new(listen, engine);
    config.default_host = Some(DEFAULT_HOST.to_owned());
    config.log_properties = vec![filter_chain::RECORD.to_owned()];
    config.access_log = Some(Arc::new(access_log::print));
    config
}

/// `front`: where the application is found, if not at the proxy itself.
fn announce(proxy: &Proxy, front: Option<SocketAddr>, clusters: &[Cluster]) {
    let application = front.unwrap_or(proxy.local_addr());
    eprintln!("listening on http://{application}");
    if let Some(admin) = proxy.admin_addr() {
        eprintln!("admin on http://{admin}");
    }
    for cluster in clusters {
        let endpoints: Vec<&str> = cluster
            .endpoints
            .iter()
            .map(|endpoint| endpoint.address.as_str())
            .collect();
        let list = if endpoints.is_empty() {
            "no endpoint".to_owned()
        } else {
            endpoints.join(", ")
        };
        eprintln!("{}: {list}", cluster.service_port.key());
    }
}

/// What asks for the end: Ctrl-C, a container's runtime, a terminal that is closed. Whoever is told that
/// something runs may ask at once, and is heard from [`End::watch`] on.
pub(crate) struct End {
    runtime: Runtime,
    signals: [Signal; 3],
}

impl End {
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        drop(entered);
        Ok(Self { runtime, signals })
    }

    /// Returns when one of them has come.
    pub(crate) fn wait(mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        self.runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
    }
}
