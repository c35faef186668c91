//! Debian's Rust compiler, unpacked beside the installed one: for machines
//! that reach a Debian mirror and nothing that rustup could download from.
//!
//! Debian ships the standard library's source with its dependencies, so Cargo
//! builds it for the module's target without a network. Nothing is installed
//! and no privilege is needed: apt works on lists and a download folder of its
//! own, and `dpkg -x` only unpacks.

use crate::{cache, process, workspace};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::env;
use std::fs;
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
    if !process::exists("apt-get") || !process::exists("dpkg") {
        bail!("this is not Debian: no apt-get or no dpkg");
    }
    let apt = Apt::update()?;
    let version = apt.field("rustc-web", "Version")?;
    if release(&version) < release(env!("CARGO_PKG_RUST_VERSION")) {
        let needed = env!("CARGO_PKG_RUST_VERSION");
        bail!("Debian's rustc-web is {version}, needed is {needed} or newer");
    }
    let folder = cache::folder("debian-rust")?.join(&version);
    process::announce(format_args!("fetching Debian's rustc-web {version}, once"));
    cache::fill_once(&folder, |aside| apt.unpack(aside))?;
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
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker()?);
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

/// apt on lists of its own, which are gone when this is dropped.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn update() -> Result<Apt> {
        let name = format!("apt-{}", std::process::id());
        let apt = Apt {
            folder: cache::folder(&name)?,
        };
        fs::create_dir_all(apt.folder.join("lists/partial"))?;
        fs::create_dir_all(apt.folder.join("cache/archives/partial"))?;
        process::announce("asking Debian which rustc-web it has");
        process::output(apt.command("apt-get").args(["-qq", "update"]))?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let own = |what: &str| self.folder.join(what).display().to_string();
        command
            .current_dir(&self.folder)
            .env("LC_ALL", "C")
            .args(["-o", &format!("Dir::State::Lists={}", own("lists"))])
            .args(["-o", &format!("Dir::Cache={}", own("cache"))])
            .args(["-o", "APT::Sandbox::User=root"]); // no other user may enter this folder
        command
    }

    /// A field of the candidate version; empty when the package has none.
    fn field(&self, package: &str, field: &str) -> Result<String> {
        let mut show = self.command("apt-cache");
        let record = process::output(show.args(["show", "--no-all-versions", package]))?;
        let prefix = format!("{field}: ");
        let found = record.lines().find_map(|line| line.strip_prefix(&prefix));
        Ok(found.unwrap_or_default().to_owned())
    }

    /// [`WANTED`] and the libraries they need that this machine lacks.
    fn packages(&self) -> Result<BTreeSet<String>> {
        let mut chosen = BTreeSet::new();
        let mut open: Vec<String> = WANTED.map(str::to_owned).into();
        while let Some(package) = open.pop() {
            let depends = self.field(&package, "Depends")?;
            chosen.insert(package);
            open.extend(
                depends
                    .split([',', '|'])
                    .filter_map(|needed| needed.split_whitespace().next())
                    .filter(|name| is_library(name) && !chosen.contains(*name))
                    .filter(|name| !is_installed(name))
                    .map(str::to_owned),
            );
        }
        Ok(chosen)
    }

    fn unpack(&self, root: &Path) -> Result<()> {
        let mut download = self.command("apt-get");
        process::run(download.args(["-q", "download"]).args(self.packages()?))?;
        for entry in self.folder.read_dir()?.flatten() {
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "deb")
            {
                process::run(Command::new("dpkg").arg("-x").arg(entry.path()).arg(root))?;
            }
        }
        Ok(())
    }
}

impl Drop for Apt {
    fn drop(&mut self) {
        // Left behind, it is only a few files in the cache folder.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Libraries to run with; not the headers for linking programs of this machine.
fn is_library(package: &str) -> bool {
    package.starts_with("libstd-rust-") || package.starts_with("lib") && !package.ends_with("-dev")
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let status = process::output(query.args(["-W", "-f=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
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
