//! The command `limpet`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use limpet_cli::{check, demo, explain, render, run};

/// ingress-nginx's sticky sessions and rewrites for Envoy and Istio, from unmodified Ingress manifests
#[derive(Debug, Parser)]
#[command(name = "limpet", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what becomes of a request, and why
    Explain(explain::ExplainArgs),
    /// Say what these manifests will do, and what to mend before moving
    Check(check::CheckArgs),
    /// Serve these manifests on this machine
    Run(run::RunArgs),
    /// Play the first manifest's story and check every claim
    Demo(demo::DemoArgs),
    /// Print a proxy's configuration for these manifests
    #[command(subcommand)]
    Render(render::RenderCommand),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Explain(args) => explain::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Render(command) => render::run(&command),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("limpet: {error:#}");
            ExitCode::from(1)
        }
    }
}
