//! `cargo xtask wasm`: the module, as Envoy loads it.

mod debian;
mod toolchain;

use crate::{cache, process, workspace};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use toolchain::{MODULE, TARGET, Toolchain};

/// The example of a module on the proxy-wasm crate.
const EXAMPLE: &str = "example-guest";

/// How the module is built.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What is built: limpet, or example-guest
    #[arg(long, default_value = MODULE)]
    package: String,
    /// Cargo features of the module, e.g. `fault`: target/module/limpet-fault.wasm
    #[arg(long, value_name = "FEATURE")]
    features: Option<String>,
    /// Use Debian's compiler even where the installed one has the target
    #[arg(long)]
    debian: bool,
}

/// Builds the module and prints its path and size.
///
/// # Errors
/// When no toolchain can be had or the module does not compile.
pub(crate) fn run(options: &Options) -> Result<()> {
    let toolchain = match options.debian {
        true => toolchain::fetch_debian()?,
        false => toolchain::find()?,
    };
    let made = build(&toolchain, &options.package, options.features.as_deref())?;
    println!("{}", made.display());
    Ok(())
}

/// The module as everything else needs it, built if anything changed.
///
/// # Errors
/// As [`run`].
pub(crate) fn module() -> Result<PathBuf> {
    build(&toolchain::find()?, MODULE, None)
}

/// The module with the feature `fault`, for tests of what a host does after a trap.
///
/// # Errors
/// As [`run`].
pub(crate) fn faulty_module() -> Result<PathBuf> {
    build(&toolchain::find()?, MODULE, Some("fault"))
}

/// The example of a guest: target/module/example-guest.wasm.
///
/// # Errors
/// As [`run`].
pub(crate) fn example_guest() -> Result<PathBuf> {
    build(&toolchain::find()?, EXAMPLE, None)
}

/// The module of the sources at `sources`, built in `folder`, for comparison.
///
/// # Errors
/// As [`run`].
pub(crate) fn module_of(sources: &Path, folder: &Path) -> Result<PathBuf> {
    let mut command = toolchain::find()?.cargo("build", MODULE, folder)?;
    process::run(command.current_dir(sources))?;
    Ok(folder.join(TARGET).join("module/limpet.wasm"))
}

fn build(toolchain: &Toolchain, package: &str, feature: Option<&str>) -> Result<PathBuf> {
    let name = match feature {
        Some(feature) => format!("{package}-{feature}"),
        None => package.to_owned(),
    };
    let folder = workspace::target("module");
    let _lock = cache::lock(&folder.join(".lock"))?;
    process::announce(format_args!("building {name}.wasm: {}", toolchain.way));
    // A folder of its own per feature: Cargo gives a cdylib one name, and two
    // variants in one folder would each time build the other anew.
    let build = folder.join("build").join(&name);
    process::run(
        toolchain
            .cargo("build", package, &build)?
            .args(feature.iter().flat_map(|name| ["--features", name])),
    )?;
    let linked = format!("{}.wasm", package.replace('-', "_"));
    let linked = build.join(TARGET).join("module").join(linked);
    let made = folder.join(format!("{name}.wasm"));
    let bytes = fs::read(&linked).with_context(|| format!("cannot read {}", linked.display()))?;
    write_if_changed(&made, &bytes)?;
    let size = bytes.len() / 1024;
    let shown = made.strip_prefix(workspace::root()).unwrap_or(&made);
    process::announce(format_args!("{}: {size} KiB", shown.display()));
    Ok(made)
}

/// Keeps the file's time when nothing changed, and replaces it in one step:
/// a host may be reading it.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let aside = path.with_extension("wasm.new");
    fs::write(&aside, bytes)?;
    Ok(fs::rename(&aside, path)?)
}

/// Clippy for what is compiled for wasm alone.
///
/// # Errors
/// When clippy has anything to say.
pub(crate) fn clippy() -> Result<()> {
    let toolchain = toolchain::find()?;
    let build = workspace::target("module").join("build/clippy");
    for package in [MODULE, EXAMPLE] {
        let mut command = toolchain.cargo("clippy", package, &build)?;
        process::run(command.args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}
