//! `cargo xtask native`: limpet as Envoy loads it natively, for this machine.

use crate::{cache, process, workspace};
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

const PACKAGE: &str = "limpet-native";

/// How it is built.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Cargo features of it, e.g. `fault`: target/native/limpet-fault.so
    #[arg(long, value_name = "FEATURE")]
    features: Option<String>,
}

/// Builds it and prints its path.
///
/// # Errors
/// When this is not Linux, or it does not compile.
pub(crate) fn run(options: &Options) -> Result<()> {
    println!("{}", build(options.features.as_deref())?.display());
    Ok(())
}

/// As everything else needs it, built if anything changed.
///
/// # Errors
/// As [`run`].
pub(crate) fn module() -> Result<PathBuf> {
    build(None)
}

/// The one with the feature `fault`, for tests of what becomes of a panic.
///
/// # Errors
/// As [`run`].
pub(crate) fn faulty_module() -> Result<PathBuf> {
    build(Some("fault"))
}

fn build(feature: Option<&str>) -> Result<PathBuf> {
    if env::consts::OS != "linux" {
        bail!("Envoy loads native modules on Linux alone: use the wasm module");
    }
    let name = feature.map_or_else(
        || "limpet.so".to_owned(),
        |name| format!("limpet-{name}.so"),
    );
    let folder = workspace::target("native");
    let _lock = cache::lock(&folder.join(".lock"))?;
    process::announce(format_args!("building {name}"));
    // Cargo gives a cdylib one name: see the wasm module's. What it depends on is made once.
    let mut cargo = process::cargo();
    cargo
        .args([
            "build",
            "--package",
            PACKAGE,
            "--lib",
            "--profile",
            "native",
        ])
        .arg("--target-dir")
        .arg(folder.join("build"))
        .args(feature.iter().flat_map(|name| ["--features", name]));
    process::run(&mut cargo)?;
    let made = folder.join(name);
    replace(&folder.join("build/native/liblimpet_native.so"), &made)?;
    let size = fs::metadata(&made)?.len() / 1024;
    let shown = made.strip_prefix(workspace::root()).unwrap_or(&made);
    process::announce(format_args!("{}: {size} KiB", shown.display()));
    Ok(made)
}

/// In one step, as a new file: an Envoy may have the old one mapped.
fn replace(linked: &Path, made: &Path) -> Result<()> {
    let bytes = fs::read(linked).with_context(|| format!("cannot read {}", linked.display()))?;
    if fs::read(made).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let aside = made.with_extension("so.new");
    fs::write(&aside, bytes)?;
    Ok(fs::rename(&aside, made)?)
}
