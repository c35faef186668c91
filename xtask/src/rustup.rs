//! Standard libraries for other targets than this machine.

use crate::process;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long `rustup` may take: 30 MB, where it can download at all.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether the compiler in use has the target's standard library, however it
/// was installed.
///
/// # Errors
/// When there is no compiler.
pub(crate) fn has(target: &str) -> Result<bool> {
    let ask = ["--print", "target-libdir", "--target", target];
    let libraries = process::output(Command::new("rustc").args(ask))?;
    let Ok(mut entries) = Path::new(&libraries).read_dir() else {
        return Ok(false);
    };
    Ok(entries.any(|entry| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    }))
}

/// Installs the target.
///
/// # Errors
/// When there is no rustup, or it cannot download.
pub(crate) fn add(target: &str) -> Result<()> {
    process::announce(format_args!("rustup target add {target}"));
    process::run_within(
        LIMIT,
        Command::new("rustup")
            .args(["target", "add", target])
            .env("RUSTUP_MAX_RETRIES", "0"),
    )?;
    let there = has(target).context("after rustup")?;
    ensure!(there, "rustup serves another compiler than the one in use");
    Ok(())
}
