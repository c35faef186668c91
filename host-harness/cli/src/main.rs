//! The command `limpet`.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use limpet_cli::{demo, explain, module, run};
use limpet_envoy::{check, render, say};

/// ingress-nginx's sticky sessions and rewrites for Envoy and Istio, from unmodified Ingress manifests
#[derive(Debug, Parser)]
#[command(name = "limpet", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  limpet check -f ingress.yaml            what will behave differently, and what to do about it
  limpet explain -f ingress.yaml http://shop.example.com/cart -H 'cookie: route=...'
  limpet render istio -f ingress.yaml | kubectl apply --server-side -f -

Exit status: 0 all is well, 1 check found what will behave differently or demo a claim that does
not hold, 2 something cannot be used.";

const COMPLETIONS: &str = "\
Examples:
  source <(limpet completions bash)                  for this shell
  limpet completions zsh > ~/.zfunc/_limpet          for good; fish: ~/.config/fish/completions/limpet.fish";

const RENDER: &str = "\
Examples:
  limpet render envoy -f cluster.yaml --dns > envoy.yaml
  limpet render istio -f cluster.yaml | kubectl apply --server-side -f -
  limpet render envoy-gateway -f cluster.yaml | kubectl apply --server-side -f -";

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
    #[command(subcommand, after_help = RENDER)]
    Render(render::RenderCommand),
    /// Print a completion script
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// The exit status of a command that could not do its work, as of clap for unknown flags. 1 is
/// kept for `check` (something will behave differently) and `demo` (a claim does not hold).
const UNUSABLE: u8 = 2;

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn main() -> ExitCode {
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match cli.command {
        Command::Explain(args) => explain::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Render(command) => render::run(&command),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "limpet", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    match result {
        Ok(code) => code,
        // Whoever read the output has seen enough, such as `head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&error);
            ExitCode::from(UNUSABLE)
        }
    }
}

/// The command line; where the version is asked for, it names the module too.
fn command() -> clap::Command {
    let asked = std::env::args().any(|argument| argument == "--version" || argument == "-V");
    if asked {
        Cli::command().version(module::version())
    } else {
        Cli::command()
    }
}
