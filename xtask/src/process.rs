//! Running other programs, and saying what is being done.

use crate::workspace;
use anyhow::{Context, Result, bail};
use std::io::{self, IsTerminal};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Announces what comes next, on stderr: stdout belongs to results.
pub(crate) fn announce(what: impl std::fmt::Display) {
    match io::stderr().is_terminal() {
        true => eprintln!("\x1b[1m==>\x1b[0m {what}"),
        false => eprintln!("==> {what}"),
    }
}

/// The cargo that started this task, in the repository's top folder; what it makes is found in
/// `target/`, wherever else the user lets cargo build.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace::root())
        .env("CARGO_TARGET_DIR", workspace::target(""));
    command
}

/// Runs a program that speaks to the user itself.
///
/// # Errors
/// When it cannot be started or its exit status is not zero.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| start_error(command))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a program and returns what it printed, without the last newline.
///
/// # Errors
/// As [`run`]; the message carries what the program wrote to stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| start_error(command))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("{} failed: {}\n{}", line(command), done.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
}

/// As [`run`], but gives up after `limit`: for programs that wait for a
/// network which is not there.
///
/// # Errors
/// As [`run`], and when the time is over.
pub(crate) fn run_within(limit: Duration, command: &mut Command) -> Result<()> {
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| start_error(command))?;
    loop {
        if let Some(status) = child.try_wait()? {
            match status.success() {
                true => return Ok(()),
                false => bail!("{} failed: {status}", line(command)),
            }
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{} did not end within {limit:?}", line(command));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a program of this name can be started at all.
pub(crate) fn exists(program: &str) -> bool {
    let tried = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    !matches!(tried, Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn start_error(command: &Command) -> String {
    format!("cannot start {}", line(command))
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
