//! The task runner: everything that is done to this repository, as
//! `cargo xtask <task>`, each task doing its own set-up on a fresh machine.

mod apt;
mod archive;
mod bench;
mod browser;
mod cache;
mod ci;
mod demo;
mod deny;
mod envoy;
mod fuzz;
mod native;
mod nginx;
mod package;
mod pip;
mod platforms;
mod process;
mod release;
mod rustup;
mod soak;
mod test;
mod wasm;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Limpet's tasks. Each installs or builds what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the module: target/module/limpet.wasm.
    Wasm(wasm::Options),
    /// Build limpet as Envoy loads it natively: target/native/limpet.so.
    Native(native::Options),
    /// Clippy for the code that is compiled for wasm alone.
    ClippyModule,
    /// Build the module, fetch Envoy and nginx, and run every test.
    Test(test::Options),
    /// Play the first manifest's story and check every claim: limpet demo.
    Demo(demo::Options),
    /// Run every check: formats, the README's commands, lints, documents, licences.
    Ci,
    /// Licences, sources and second versions of every crate that is built from: cargo-deny.
    Deny(deny::Options),
    /// Drive `limpet run` with wrk: no request lost, no memory growth.
    Bench(bench::Options),
    /// 100,000 requests on Envoy while endpoints change: none lost, none at a wrong pod.
    Soak(soak::Options),
    /// Reload pages in a real Chromium before a real Envoy: sessions stay, cookies are as they should be.
    Browser,
    /// Fuzz the parsers: configuration, cookies, heads, paths, patterns, answers of the admin.
    Fuzz(fuzz::Options),
    /// Fetch Envoy and link it at target/envoy; ENVOY=/path uses another one.
    Envoy(envoy::Options),
    /// Ask real control planes what becomes of what is rendered: tests/control-planes/recorded.
    Platforms(platforms::Options),
    /// Package the module: target/dist, with OCI images for Istio and Envoy Gateway.
    Package(package::Options),
    /// What a release is made of, with checksums: target/dist/release.
    Release(release::Options),
    /// Fetch Debian's nginx and link it at target/nginx; NGINX=/path uses another one.
    Nginx,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<()> {
    match task {
        Task::Wasm(options) => wasm::run(options),
        Task::Native(options) => native::run(options),
        Task::ClippyModule => wasm::clippy(),
        Task::Test(options) => test::run(options),
        Task::Demo(options) => demo::run(options),
        Task::Ci => ci::run(),
        Task::Deny(options) => deny::run(options),
        Task::Bench(options) => bench::run(options),
        Task::Soak(options) => soak::run(options),
        Task::Browser => browser::run(),
        Task::Fuzz(options) => fuzz::run(options),
        Task::Envoy(options) => envoy::run(options),
        Task::Platforms(options) => platforms::run(options),
        Task::Package(options) => package::run(options),
        Task::Release(options) => release::run(options),
        Task::Nginx => nginx::run(),
    }
}
