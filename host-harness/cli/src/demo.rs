//! `limpet demo`: the first manifest's story, every claim checked.

mod browser;
mod envoy;
mod report;
mod stage;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::module;
use crate::pods::Pods;
use crate::run::wait_for_ctrl_c;
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
  limpet demo            play the story, then stay up for a try with curl
  limpet demo --once     play it and say whether every claim held
  limpet demo --envoy    the same on real Envoy";

/// The manifest that the story is about.
const MANIFEST: &str = include_str!("../../../envoy/examples/sample-ingress.yaml");

/// Plays the story.
///
/// # Errors
/// When the stage cannot be set.
pub fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let manifests = Manifests::parse("envoy/examples/sample-ingress.yaml", MANIFEST)?;
    let mut compiled = Compiled::new(&manifests, &Flags::default())?;
    let pods = Pods::start(&manifests)?;
    let without_pods = pods.fill(&manifests, &mut compiled.clusters);
    anyhow::ensure!(without_pods.is_empty(), without_pods.join("; "));
    let wasm = module::find(args.wasm.as_deref())?;
    let port = if args.once { 0 } else { 8080 };
    let listen = args
        .listen
        .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut report = Report::default();
    let stage = if args.envoy {
        Stage::envoy(&compiled, &wasm, listen, &mut report)?
    } else {
        Stage::harness(&compiled, &wasm, listen, &mut report)?
    };
    let network = Network::new(stage.address())?;
    let mut story = Story {
        stage: &stage,
        network: &network,
        pods: &pods.pods,
        report: &mut report,
    };
    let code = match story.play() {
        Ok(()) => report.all_held(),
        Err(error) => report.failed(&error),
    };
    if !args.once {
        stay_up(&stage)?;
    }
    stage.end(Duration::from_secs(2));
    Ok(code)
}

fn stay_up(stage: &Stage) -> anyhow::Result<()> {
    let address = stage.address();
    println!("\nStill up; try, again and again:");
    println!("  curl -i http://{address}/app1/ -H 'host: sample.example.com'");
    println!("  curl -b jar -c jar http://{address}/app1/ -H 'host: sample.example.com'");
    println!("  curl -b jar -c jar http://{address}/app2/ -H 'host: sample.example.com'");
    println!("Ctrl-C ends it.");
    wait_for_ctrl_c().context("the demo cannot stay up")
}
