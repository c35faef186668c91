//! `cargo xtask nginx`: a real nginx, to ask the questions that limpet answers.

use crate::apt::Apt;
use crate::{cache, process, workspace};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// Fetches nginx and says what it is.
///
/// # Errors
/// When it cannot be fetched or does not start.
pub(crate) fn run() -> Result<()> {
    println!("{}", nginx()?.display());
    Ok(())
}

/// `target/nginx`, linked to `$NGINX` or to Debian's, which is only unpacked.
///
/// # Errors
/// When it cannot be fetched or does not start.
pub(crate) fn nginx() -> Result<PathBuf> {
    let binary = match workspace::named_in("NGINX")? {
        Some(path) => path,
        None => fetched()?,
    };
    process::output(Command::new(&binary).arg("-v")).context("nginx does not start")?;
    workspace::link("nginx", &binary)
}

fn fetched() -> Result<PathBuf> {
    let folder = cache::folder("debian-nginx")?;
    if !folder.exists() {
        process::announce("fetching Debian's nginx, once");
        let apt = Apt::update().context("nginx can also be named: NGINX=/path/to/nginx")?;
        cache::fill_once(&folder, |aside| apt.unpack(&["nginx"], aside))?;
    }
    Ok(folder.join("usr/sbin/nginx"))
}
