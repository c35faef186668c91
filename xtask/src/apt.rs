//! Fetching Debian packages without installing them and without privilege: apt
//! on lists and a download folder of its own.

use crate::{cache, process};
use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// apt on lists of its own, which are gone when this is dropped.
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Reads the newest lists of every source this machine is set up with.
    ///
    /// # Errors
    /// When this is not Debian, or no mirror answers.
    pub(crate) fn update() -> Result<Apt> {
        if !process::exists("apt-get") || !process::exists("dpkg") {
            bail!("this is not Debian: no apt-get or no dpkg");
        }
        let name = format!("apt-{}", std::process::id());
        let apt = Apt {
            folder: cache::folder(&name)?,
        };
        fs::create_dir_all(apt.folder.join("lists/partial"))?;
        fs::create_dir_all(apt.folder.join("cache/archives/partial"))?;
        process::announce("asking Debian for its lists of packages");
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
    ///
    /// # Errors
    /// When there is no such package.
    pub(crate) fn field(&self, package: &str, field: &str) -> Result<String> {
        let mut show = self.command("apt-cache");
        let record = process::output(show.args(["show", "--no-all-versions", package]))?;
        let prefix = format!("{field}: ");
        let found = record.lines().find_map(|line| line.strip_prefix(&prefix));
        Ok(found.unwrap_or_default().to_owned())
    }

    /// `wanted` and the libraries they need that this machine lacks.
    fn packages(&self, wanted: &[&str]) -> Result<BTreeSet<String>> {
        let mut chosen = BTreeSet::new();
        let mut open: Vec<String> = wanted.iter().map(ToString::to_string).collect();
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

    /// Downloads these packages, with what they need, and unpacks them into `root`.
    ///
    /// # Errors
    /// When a package is missing or broken.
    pub(crate) fn unpack(&self, wanted: &[&str], root: &Path) -> Result<()> {
        let mut download = self.command("apt-get");
        process::run(
            download
                .args(["-q", "download"])
                .args(self.packages(wanted)?),
        )?;
        for entry in self.folder.read_dir()?.flatten() {
            let file = entry.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                process::run(Command::new("dpkg").arg("-x").arg(&file).arg(root))?;
            }
        }
        Ok(())
    }
}

/// The folder with `package` unpacked, fetched where it was not before.
///
/// # Errors
/// When this is not Debian or there is no network.
pub(crate) fn unpacked(package: &str) -> Result<PathBuf> {
    let root = cache::folder(&format!("debian-{package}"))?;
    if !root.exists() {
        process::announce(format_args!("fetching Debian's {package}, once"));
        let apt = Apt::update()?;
        cache::fill_once(&root, |aside| apt.unpack(&[package], aside))?;
    }
    Ok(root)
}

/// Where libraries are in what is unpacked into `root`.
pub(crate) fn libraries(root: &Path) -> PathBuf {
    root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH))
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
