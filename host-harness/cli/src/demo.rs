//! `limpet demo`: the first manifest's story, every claim checked.

mod browser;
mod envoy;
mod report;
mod stage;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::module;
use crate::page::fleet::Fleet;
use crate::page::ledger::Ledger;
use crate::page::lens::Lens;
use crate::page::{Address, Scene};
use crate::pods::Pods;
use crate::run::{BEHIND_A_PAGE, End};
use limpet_envoy::args::ip_port;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;

use browser::Network;
use report::Report;
use stage::Stage;
use story::Story;

/// Flags of `limpet demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// End after the story, with an error if any claim does not hold
    #[arg(long)]
    pub once: bool,

    /// Play it on real Envoy: the binary that ENVOY names, else the one `cargo xtask envoy` linked
    #[arg(long)]
    pub envoy: bool,

    /// Where to listen [default: 127.0.0.1:8080; with --once any free port]
    #[arg(long, value_name = "IP:PORT", value_parser = ip_port)]
    pub listen: Option<SocketAddr>,

    /// The module [default: LIMPET_WASM, else the one built beside this binary]
    #[arg(long, value_name = "PATH")]
    pub wasm: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  limpet demo            play the story, then stay up: a page in the browser, or curl
  limpet demo --once     play it and say whether every claim held
  limpet demo --envoy    the same on real Envoy";

/// Where the page is.
const PAGE: &str = "/limpet";

/// The manifest that the story is about.
const MANIFEST: &str = include_str!("../../../envoy/examples/sample-ingress.yaml");

/// Plays the story.
///
/// # Errors
/// When the stage cannot be set.
pub fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let port = if args.once { 0 } else { 8080 };
    let listen = args
        .listen
        .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let page = if args.once {
        None
    } else {
        let address = Address::take(listen, PAGE)?;
        println!("Open {} in a browser.", address.url());
        println!("The story plays first; the pods are yours when it is over.");
        Some(address)
    };
    let manifests = Manifests::parse("envoy/examples/sample-ingress.yaml", MANIFEST)?;
    let manifests = Arc::new(manifests);
    let mut compiled = Compiled::new(&manifests, &Flags::default())?;
    let pods = Pods::start(&manifests)?;
    let without_pods = pods.fill(&manifests, &mut compiled.clusters);
    anyhow::ensure!(without_pods.is_empty(), without_pods.join("; "));
    let first_pods = pods.pods.clone();
    let wasm = module::find(args.wasm.as_deref())?;
    let mut report = Report::default();
    let ledger = Ledger::new();
    let behind = page.as_ref().map_or(listen, |_| BEHIND_A_PAGE);
    let stage = if args.envoy {
        report.progress("starting Envoy");
        Stage::envoy(&compiled, &wasm, behind, &ledger)?
    } else {
        report.progress(&format!("compiling {}", wasm.display()));
        Stage::harness(&compiled, &wasm, behind, &ledger)?
    };
    stage.announce(&report);
    let fleet = Fleet::new(&compiled.clusters, Some(pods), stage.tell());
    let fleet = Arc::new(fleet);
    fleet.lock(true);
    let at = page.as_ref().map(|page| (page.url(), page.application()));
    let page = match page {
        Some(address) => Some(address.serve(Scene {
            compiled: &compiled,
            proxy: stage.address(),
            name: stage.name(),
            fleet: Arc::clone(&fleet),
            ledger: Arc::clone(&ledger),
            lens: Lens {
                manifests: Arc::clone(&manifests),
                strict: false,
                wasm,
            },
        })?),
        None => None,
    };
    let network = Network::new(stage.address())?;
    let mut story = Story {
        fleet: &fleet,
        network: &network,
        pods: &first_pods,
        report: &mut report,
    };
    let code = match story.play() {
        Ok(()) => report.all_held(),
        Err(error) => report.failed(&error),
    };
    fleet.lock(false);
    ledger.begin(&fleet);
    if let Some((url, application)) = at {
        stay_up(&url, application)?;
    }
    drop(page);
    stage.end(Duration::from_secs(2));
    Ok(code)
}

fn stay_up(page: &str, address: SocketAddr) -> anyhow::Result<()> {
    let end = End::watch().context("the demo cannot stay up")?;
    println!("\nStill up: {page}");
    println!("or try, again and again:");
    println!("  curl -i http://{address}/app1/ -H 'host: sample.example.com'");
    println!("  curl -b jar -c jar http://{address}/app1/ -H 'host: sample.example.com'");
    println!("  curl -b jar -c jar http://{address}/app2/ -H 'host: sample.example.com'");
    println!("Ctrl-C ends it.");
    end.wait();
    Ok(())
}
