//! The command `limpet`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
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
What to do first: see it, check, try your own Ingresses, and only then render.

Examples:
  limpet demo                            see it stick, in your browser
  limpet check -f ingress.yaml           what will behave differently, and what to do
  limpet run -f ingress.yaml --pods --page /limpet
                                         your Ingresses on this machine, in your browser
  limpet explain -f ingress.yaml http://shop.example.com/cart
                                         one request, and why
  limpet render istio -f ingress.yaml    what to apply; or envoy, or envoy-gateway

Exit status: 0 all is well, 1 check found what will behave differently or demo a claim that does
not hold, 2 something cannot be used.";

const COMPLETIONS: &str = "\
Examples:
  source <(limpet completions bash)                  for this shell
  limpet completions zsh > ~/.zfunc/_limpet          for good
  limpet completions fish > ~/.config/fish/completions/limpet.fish";

const MAN: &str = "\
Examples:
  limpet man | man -l -
  limpet man render istio > limpet-render-istio.1";

const RENDER: &str = "\
Examples:
  limpet render envoy -f cluster.yaml --dns > envoy.yaml
  limpet render istio -f cluster.yaml | kubectl apply --server-side -f -
  limpet render envoy-gateway -f cluster.yaml | kubectl apply --server-side -f -";

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the first manifest's story and check every claim; then it is yours, in a browser
    Demo(demo::DemoArgs),
    /// Say what these manifests will do, and what to mend before moving
    Check(check::CheckArgs),
    /// Serve these manifests on this machine
    Run(run::RunArgs),
    /// Say what becomes of a request, and why
    Explain(explain::ExplainArgs),
    /// Print a proxy's configuration for these manifests
    #[command(subcommand, after_help = RENDER)]
    Render(render::RenderCommand),
    /// Print a completion script
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page of limpet, or of one of its commands
    #[command(after_help = MAN)]
    Man {
        /// Which command, such as check or render istio
        command: Vec<String>,
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
        Command::Check(args) => check::run(&args, render::make_room),
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Render(command) => render::run(&command),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "limpet", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { command } => manual(&command),
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

/// The manual page of a command, out of the same definitions as its help.
fn manual(names: &[String]) -> anyhow::Result<ExitCode> {
    let mut command = Cli::command();
    command.build();
    for name in names {
        let found = command.find_subcommand(name).cloned();
        command = found.with_context(|| format!("{name:?} is no command of limpet"))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    std::io::stdout().write_all(&page)?;
    Ok(ExitCode::SUCCESS)
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
