//! A process of a real Envoy, for whoever compares with one.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::Context;
use tempfile::TempDir;

/// What a process is given.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'l> {
    /// YAML or JSON.
    pub bootstrap: &'l str,
    /// Environment variables besides this process's own.
    pub environment: &'l [(&'l str, &'l str)],
    /// Worker threads.
    pub workers: usize,
    /// For how long requests whose listener or process is replaced may go on, in seconds.
    pub drain: u32,
    /// Whose sockets it takes over (a hot restart): that one drains, and ends by itself.
    pub instead_of: Option<&'l EnvoyProcess>,
}

/// One process, whose working folder is gone with it; killed when dropped, and it dies with this
/// process.
#[derive(Debug)]
pub struct EnvoyProcess {
    child: Child,
    folder: TempDir,
    /// How many processes have handed over their sockets until it got them.
    epoch: u32,
}

/// What a process and those that it hands its sockets over to know each other by.
const BASE_ID: &str = "base-id";

impl EnvoyProcess {
    /// Starts it in `folder`, which may have files for it already.
    ///
    /// # Errors
    /// There is no Envoy, or it cannot be started.
    pub fn start(folder: TempDir, launch: Launch<'_>) -> anyhow::Result<Self> {
        let binary = binary()?;
        std::fs::write(folder.path().join("bootstrap.yaml"), launch.bootstrap)?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = dying_with_its_parent(&binary);
        let mut epoch = 0;
        match launch.instead_of {
            None => command.args(["--use-dynamic-base-id", "--base-id-path", BASE_ID]),
            Some(old) => {
                epoch = old.epoch.saturating_add(1);
                let base_id = std::fs::read_to_string(old.folder().join(BASE_ID))?;
                std::fs::write(folder.path().join(BASE_ID), &base_id)?;
                command.args(["--base-id", base_id.trim(), "--restart-epoch"]);
                command.arg(epoch.to_string())
            }
        };
        command
            .current_dir(folder.path())
            .envs(launch.environment.iter().copied())
            .args(["-c", "bootstrap.yaml"])
            .args(["-l", "warning", "--admin-address-path", "admin"])
            .args(["--concurrency", &launch.workers.to_string()])
            .args(["--file-flush-interval-msec", "50"])
            .args(["--drain-time-s", &launch.drain.to_string()])
            .arg("--parent-shutdown-time-s")
            .arg(launch.drain.saturating_add(1).to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child =
            spawn(command).with_context(|| format!("{} cannot be started", binary.display()))?;
        Ok(Self {
            child,
            folder,
            epoch,
        })
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// The number that the system knows it by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its working folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder there when the process is gone.
    pub fn keep_folder(&mut self) {
        self.folder.disable_cleanup(true);
    }

    /// Where its admin listens, once it says so: `ip:port`, or a socket in the folder.
    #[must_use]
    pub fn admin(&self) -> Option<String> {
        std::fs::read_to_string(self.folder().join("admin")).ok()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }
}

impl Drop for EnvoyProcess {
    fn drop(&mut self) {
        // Either it ended by itself, or it is killed here: nothing is left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `ENVOY`, else what `cargo xtask envoy` linked: `target/envoy`, in a folder above this binary.
///
/// # Errors
/// There is none: says which command installs it.
pub fn binary() -> anyhow::Result<PathBuf> {
    let linked = || {
        let this = std::env::current_exe().ok()?;
        let mut above = this.ancestors().map(|folder| folder.join("envoy"));
        above.find(|path| path.is_file())
    };
    let path = std::env::var_os("ENVOY").map(PathBuf::from).or_else(linked);
    path.filter(|path| path.is_file())
        .context("no Envoy: run `cargo xtask envoy`, or name one in ENVOY")
}

/// Envoy's release binary of `cargo xtask envoy` asks for that itself; for another one util-linux
/// does, where it is installed.
fn dying_with_its_parent(binary: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.is_file() {
        return Command::new(binary);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
    command
}

/// Starts the process from a thread that lives as long as this process does: such an Envoy dies
/// when the *thread* that started it ends.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static NURSERY: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
        let (sender, orders) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in orders {
                drop(reply.send(command.spawn())); // nobody waits any more: nobody is told
            }
        });
        Mutex::new(sender)
    });
    let (reply, child) = channel();
    let nursery = NURSERY.lock().unwrap_or_else(PoisonError::into_inner);
    nursery
        .send((command, reply))
        .map_err(|_| io::Error::other("the thread that starts processes has ended"))?;
    drop(nursery);
    child.recv().map_err(io::Error::other)?
}
