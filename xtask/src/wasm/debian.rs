//! Debian's Rust compiler, unpacked beside the installed one: for machines
//! that reach a Debian mirror and nothing that rustup could download from.
//!
//! Debian ships the standard library's source with its dependencies, so Cargo
//! builds it for the module's target without a network. Nothing is installed,
//! and no privilege is needed.

use crate::apt::Apt;
use crate::{cache, process, workspace};
use anyhow::{Context, Result, bail};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler, the standard library's source, and clippy. The packages with
/// a version in their name are found from these.
const WANTED: [&str; 4] = [
    "rustc-web",
    "libstd-rust-web-dev",
    "rust-web-src",
    "rust-web-clippy",
];

/// Where an unpacked compiler stands, newest first choice, if any is there and
/// new enough for this workspace.
pub(crate) fn unpacked() -> Result<Option<PathBuf>> {
    let Ok(entries) = cache::folder("debian-rust")?.read_dir() else {
        return Ok(None);
    };
    let versions = entries.flatten().map(|entry| entry.path());
    Ok(versions
        .filter_map(|path| Some((release(path.file_name()?.to_str()?)?, path)))
        .filter(|(release, _)| Some(*release) >= self::release(env!("CARGO_PKG_RUST_VERSION")))
        .max()
        .map(|(_, path)| path))
}

/// Downloads and unpacks the newest compiler that this Debian offers.
///
/// # Errors
/// When there is no apt, no network, or no such package.
pub(crate) fn fetch() -> Result<PathBuf> {
    let apt = Apt::update()?;
    let version = apt.field("rustc-web", "Version")?;
    if release(&version) < release(env!("CARGO_PKG_RUST_VERSION")) {
        let needed = env!("CARGO_PKG_RUST_VERSION");
        bail!("Debian's rustc-web is {version}, needed is {needed} or newer");
    }
    let folder = cache::folder("debian-rust")?.join(&version);
    process::announce(format_args!("fetching Debian's rustc-web {version}, once"));
    cache::fill_once(&folder, |aside| apt.unpack(&WANTED, aside))?;
    Ok(folder)
}

/// `cargo <subcommand>` with the compiler unpacked in `root`, which makes the
/// standard library for the target as well.
///
/// # Errors
/// When the installed toolchain has no linker.
pub(crate) fn cargo(root: &Path, subcommand: &str) -> Result<Command> {
    let programs = root.join("usr/bin");
    let mut command = match subcommand {
        // Finds its driver beside itself and calls `$CARGO`.
        "clippy" => {
            let mut clippy = Command::new(programs.join("cargo-clippy"));
            clippy
                .current_dir(workspace::root())
                .env("CARGO", process::cargo().get_program());
            clippy
        }
        _ => process::cargo(),
    };
    command
        .arg(subcommand)
        .arg("-Zbuild-std=std,panic_abort")
        .env("RUSTC", programs.join("rustc"))
        .env("RUSTC_BOOTSTRAP", "1") // -Z on a stable compiler
        .env("LD_LIBRARY_PATH", env::join_paths(libraries(root)?)?)
        .env("LIMPET_LINKER", linker()?);
    Ok(command)
}

/// `usr/lib/<multiarch triple>` and LLVM's own folder, where there is one.
fn libraries(root: &Path) -> Result<Vec<PathBuf>> {
    let base = root.join("usr/lib");
    let mut folders = vec![
        base.join(format!("{}-linux-gnu", env::consts::ARCH)),
        base.clone(),
    ];
    for entry in base.read_dir()?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("llvm-") {
            folders.push(entry.path().join("lib"));
        }
    }
    Ok(folders)
}

/// The `rust-lld` of the installed toolchain: Debian's compiler has none.
fn linker() -> Result<PathBuf> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let about = process::output(Command::new("rustc").arg("-vV"))?;
    let host = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc -vV names no host")?;
    let linker = Path::new(&sysroot)
        .join("lib/rustlib")
        .join(host)
        .join("bin/rust-lld");
    if !linker.exists() {
        bail!("the toolchain has no linker: {}", linker.display());
    }
    Ok(linker)
}

/// `1.96.0+dfsg1-1` → (1, 96); nothing when it is not a version.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debian_version_is_compared_by_its_release() {
        assert_eq!(release("1.96.0+dfsg1-1~deb12u2"), Some((1, 96)));
        assert!(release("1.100.0+dfsg1") > release("1.96"));
        assert_eq!(release("lock"), None);
    }
}
