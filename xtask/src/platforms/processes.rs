//! Programs that run beside each other in the namespace.

use super::place::Place;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take for what is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// A program, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts it with what it says in `NAME.log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(place: &Place, name: &str, command: &mut Command) -> Result<Process> {
        let log = File::create(place.folder.join(format!("{name}.log")))?;
        let child = command
            .current_dir(&place.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Process(child))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is none to kill.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A program whose `/NAME` are the paths of `at`, in a mount namespace of its own.
pub(super) fn with_files(place: &Place, at: &[(&str, &Path)], program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh"])
        .arg(crate::workspace::root().join("xtask/src/platforms/root.sh"))
        .arg(&place.folder);
    for (name, path) in at {
        command.arg(format!("{name}={}", path.display()));
    }
    command.arg("--").arg(program);
    command
}

/// Asks again and again.
///
/// # Errors
/// It took too long; says what for.
pub(super) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > PATIENCE {
            bail!("{what}: not within {PATIENCE:?}; see target/platforms/*.log");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
