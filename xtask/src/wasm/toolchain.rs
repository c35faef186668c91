//! Which compiler builds the module.

use super::debian;
use crate::{process, rustup, workspace};
use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that is the module.
pub(super) const MODULE: &str = "limpet";

/// What rustc calls the target: no WASI, for Envoy's clock is a host call.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// The module's exports but for its memory. A callback that is exported is called: the three of
/// the proxy-wasm crate that would do nothing at each request cost it 1.5 to 2 µs of CPU.
/// `tests/house/module_file.rs` holds the module against its own list.
const EXPORTS: [&str; 11] = [
    "_initialize",
    "malloc",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_tick",
];

/// A compiler that has, or can make, the module's standard library.
pub(crate) struct Toolchain {
    /// In words, why this one.
    pub(crate) way: String,
    /// Debian's compiler unpacked here; absent: the one that runs this task.
    debian: Option<PathBuf>,
}

impl Toolchain {
    /// `cargo <subcommand>` for one package's wasm, built in `target_dir`.
    pub(crate) fn cargo(
        &self,
        subcommand: &str,
        package: &str,
        target_dir: &Path,
    ) -> Result<Command> {
        let mut command = match &self.debian {
            Some(root) => debian::cargo(root, subcommand)?,
            None => {
                let mut plain = process::cargo();
                plain.arg(subcommand);
                plain
            }
        };
        command
            .args(["--package", package, "--lib", "--profile", "module"])
            .args(["--target", TARGET, "--target-dir"])
            .arg(target_dir)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags()?)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker());
        if package == MODULE {
            command.env("LIMPET_EXPORTS", EXPORTS.join(" "));
        }
        Ok(command)
    }

    /// The same module whoever builds it: panic messages carry the paths of
    /// sources, and those of this machine are nobody's business. Whatever
    /// `RUSTFLAGS` the user has is meant for this machine.
    fn flags(&self) -> Result<String> {
        let mut homes = vec![(cargo_home()?.join("registry/src"), "registry")];
        if let Some(root) = &self.debian {
            homes.push((root.join("usr/lib/rustlib/src"), "/rustc"));
            homes.push((root.join("usr/src"), "/rustc"));
        }
        let flags = homes
            .iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
        Ok(flags.collect::<Vec<_>>().join("\u{1f}")) // as Cargo wants them
    }
}

/// The first that works: the target is installed, Debian's compiler was
/// unpacked before, rustup can install the target, Debian's can be fetched.
///
/// # Errors
/// When none can be had, with what to do by hand.
pub(crate) fn find() -> Result<Toolchain> {
    if rustup::has(TARGET)? {
        return Ok(plain("the toolchain has the target"));
    }
    if let Some(root) = debian::unpacked()? {
        return Ok(debian_at(root));
    }
    match rustup::add(TARGET) {
        Ok(()) => Ok(plain("rustup installed the target")),
        Err(why) => {
            process::announce(format_args!("rustup gave no {TARGET}: {why:#}"));
            fetch_debian()
        }
    }
}

/// Debian's compiler, whatever else there is.
///
/// # Errors
/// When this is not Debian or the packages cannot be fetched.
pub(crate) fn fetch_debian() -> Result<Toolchain> {
    let root = match debian::unpacked()? {
        Some(root) => root,
        None => debian::fetch().with_context(|| {
            format!("no compiler for {TARGET}; by hand: rustup target add {TARGET}")
        })?,
    };
    Ok(debian_at(root))
}

/// Leaves out exports.
fn linker() -> PathBuf {
    workspace::root().join("xtask/src/wasm/link.sh")
}

fn plain(why: &str) -> Toolchain {
    Toolchain {
        way: format!("{why} {TARGET}"),
        debian: None,
    }
}

fn debian_at(root: PathBuf) -> Toolchain {
    let way = format!(
        "Debian's rustc from {}, its standard library built here",
        root.display()
    );
    Toolchain {
        way,
        debian: Some(root),
    }
}

fn cargo_home() -> Result<PathBuf> {
    match env::var_os("CARGO_HOME") {
        Some(home) => Ok(home.into()),
        None => Ok(env::home_dir().context("no home folder")?.join(".cargo")),
    }
}
