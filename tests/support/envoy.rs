//! A real Envoy, started for a test and gone with it.

use crate::http::{self, Place, Request, Response};
use crate::wait::{self, PATIENCE};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

/// The Envoy to test with: what `ENVOY` names, else what `cargo xtask envoy` linked.
///
/// # Panics
/// There is none: says which command installs it.
#[must_use]
pub fn binary() -> PathBuf {
    let linked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/envoy");
    let path = std::env::var_os("ENVOY").map_or(linked, PathBuf::from);
    assert!(
        path.is_file(),
        "no Envoy at {path:?}: run `cargo xtask envoy`, or name one in ENVOY"
    );
    path
}

/// One process, killed when dropped.
#[derive(Debug)]
pub struct RealEnvoy {
    child: Child,
    dir: Option<TempDir>,
    admin: Place,
}

impl RealEnvoy {
    /// Starts with this bootstrap (YAML or JSON, admin and listeners on port 0) and one
    /// worker, and waits until it is ready.
    ///
    /// # Panics
    /// It does not become ready: prints its log.
    #[must_use]
    pub fn start(bootstrap: &str) -> Self {
        Self::start_with(bootstrap, 1)
    }

    /// As [`RealEnvoy::start`], with so many workers.
    ///
    /// # Panics
    /// As [`RealEnvoy::start`].
    #[must_use]
    pub fn start_with(bootstrap: &str, workers: usize) -> Self {
        Self::start_in(&[], bootstrap, workers)
    }

    /// As [`RealEnvoy::start_with`], with these environment variables.
    ///
    /// # Panics
    /// As [`RealEnvoy::start`].
    #[must_use]
    pub fn start_in(environment: &[(&str, &str)], bootstrap: &str, workers: usize) -> Self {
        Self::try_start(environment, bootstrap, workers).unwrap_or_else(|log| panic!("{log}"))
    }

    /// As [`RealEnvoy::start_in`], for a bootstrap that Envoy may refuse.
    ///
    /// # Errors
    /// It ended or did not become ready: its log.
    pub fn try_start(
        environment: &[(&str, &str)],
        bootstrap: &str,
        workers: usize,
    ) -> Result<Self, String> {
        Self::launch(&std::env::temp_dir(), environment, bootstrap, workers)
    }

    /// As [`RealEnvoy::start_with`], with its working folder in `parent`.
    ///
    /// # Panics
    /// As [`RealEnvoy::start`].
    pub(crate) fn start_below(parent: &Path, bootstrap: &str, workers: usize) -> Self {
        Self::launch(parent, &[], bootstrap, workers).unwrap_or_else(|log| panic!("{log}"))
    }

    fn launch(
        parent: &Path,
        environment: &[(&str, &str)],
        bootstrap: &str,
        workers: usize,
    ) -> Result<Self, String> {
        let dir = tempfile::Builder::new()
            .prefix("limpet-envoy-")
            .tempdir_in(parent)
            .unwrap();
        std::fs::write(dir.path().join("bootstrap.yaml"), bootstrap).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new(binary());
        command
            .current_dir(dir.path())
            .envs(environment.iter().copied())
            .args([
                "-c",
                "bootstrap.yaml",
                "--use-dynamic-base-id",
                "-l",
                "warning",
            ])
            .args([
                "--admin-address-path",
                "admin",
                "--concurrency",
                &workers.to_string(),
            ])
            .args(["--drain-time-s", "2", "--parent-shutdown-time-s", "3"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut child = spawn(command);
        match wait::for_some(PATIENCE, || ready(&mut child, dir.path())) {
            Ok(Ok(admin)) => Ok(Self {
                child,
                dir: Some(dir),
                admin,
            }),
            Ok(Err(why)) | Err(why) => {
                drop(child.kill());
                drop(child.wait());
                Err(format!("Envoy is not ready: {why}\n{}", log_of(dir.path())))
            }
        }
    }

    /// Where the listener called `name` accepts connections.
    ///
    /// # Panics
    /// There is no such listener within [`PATIENCE`].
    #[must_use]
    pub fn listener(&self, name: &str) -> SocketAddr {
        let found = wait::for_some(PATIENCE, || self.find_listener(name));
        found.unwrap_or_else(|why| panic!("no listener {name:?}: {why}\n{}", self.log()))
    }

    /// As [`RealEnvoy::listener`], without waiting; an empty name is any listener.
    #[must_use]
    pub fn find_listener(&self, name: &str) -> Option<SocketAddr> {
        let list: serde_json::Value =
            serde_json::from_slice(&self.admin("/listeners?format=json").body).ok()?;
        let wanted = |l: &&serde_json::Value| name.is_empty() || l["name"] == name;
        let found = list["listener_statuses"].as_array()?.iter().find(wanted)?;
        let socket = &found["local_address"]["socket_address"];
        let (ip, port) = (socket["address"].as_str()?, socket["port_value"].as_u64()?);
        format!("{ip}:{port}").parse().ok()
    }

    /// Waits until it listens in `count` places; each by its listener's name.
    ///
    /// # Panics
    /// It does not come to so many.
    #[must_use]
    pub fn listeners(&self, count: usize) -> BTreeMap<String, SocketAddr> {
        let found = || {
            let list: serde_json::Value =
                serde_json::from_slice(&self.admin("/listeners?format=json").body).ok()?;
            let places = list["listener_statuses"].as_array()?.iter().map(|one| {
                let socket = &one["local_address"]["socket_address"];
                let (ip, port) = (socket["address"].as_str()?, socket["port_value"].as_u64()?);
                let address = format!("{ip}:{port}").parse().ok()?;
                Some((one["name"].as_str()?.to_owned(), address))
            });
            let places: BTreeMap<_, _> = places.collect::<Option<_>>()?;
            (places.len() == count).then_some(places)
        };
        let found = wait::for_some(Duration::from_secs(60), found);
        found.unwrap_or_else(|why| panic!("{count} listeners: {why}\n{}", self.log()))
    }

    /// Asks the admin: a GET.
    ///
    /// # Panics
    /// Envoy is gone.
    #[must_use]
    pub fn admin(&self, target: &str) -> Response {
        let request = Request::get("admin", target);
        let answer = http::send(&self.admin, &request);
        answer.unwrap_or_else(|why| panic!("admin {target}: {why}\n{}", self.log()))
    }

    /// Where the admin listens.
    #[must_use]
    pub fn admin_address(&self) -> &Place {
        &self.admin
    }

    /// The counter or gauge called exactly `name`.
    ///
    /// # Panics
    /// Envoy has none of that name.
    #[must_use]
    pub fn stat(&self, name: &str) -> u64 {
        let found = self.find_stat(name);
        found.unwrap_or_else(|| panic!("Envoy has no statistic {name:?}"))
    }

    /// As [`RealEnvoy::stat`]; `None`: Envoy has none of that name, or not yet.
    #[must_use]
    pub fn find_stat(&self, name: &str) -> Option<u64> {
        let text = self.admin(&format!("/stats?filter=^{name}$")).text();
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
    }

    /// The endpoints of `cluster` and their health flags, as `/clusters` prints them.
    #[must_use]
    pub fn endpoints(&self, cluster: &str) -> Vec<(String, String)> {
        let text = self.admin(&format!("/clusters?filter={cluster}")).text();
        let flags = text.lines().filter_map(|line| {
            let line = line.strip_prefix(cluster)?.strip_prefix("::")?;
            let (address, flags) = line.split_once("::health_flags::")?;
            Some((address.to_owned(), flags.to_owned()))
        });
        flags.collect()
    }

    /// Waits until `cluster` has exactly these addresses, in any order.
    ///
    /// # Panics
    /// It does not within 20 seconds.
    pub fn wait_for_endpoints(&self, cluster: &str, addresses: &[String]) {
        let mut wanted = addresses.to_vec();
        wanted.sort();
        wait::until(&format!("cluster {cluster} has {wanted:?}"), || {
            let mut have: Vec<_> = self
                .endpoints(cluster)
                .into_iter()
                .map(|(a, _)| a)
                .collect();
            have.sort();
            have == wanted
        });
    }

    /// The CPU time of all its threads so far.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        self.threads().map(|thread| cpu_time(&thread)).sum()
    }

    fn threads(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let threads = format!("/proc/{}/task", self.child.id());
        let threads = std::fs::read_dir(threads).unwrap();
        threads.map(|thread| thread.unwrap().path())
    }

    /// Where the kernel tells of the first worker's thread: for [`cpu_time`].
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn worker_thread(&self) -> PathBuf {
        let mut tasks = self.threads();
        let is_worker = |task: &PathBuf| {
            let name = std::fs::read_to_string(task.join("comm"));
            name.is_ok_and(|name| name.trim() == "wrk:worker_0")
        };
        tasks.find(is_worker).expect("a worker")
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.dir
            .as_ref()
            .map(|dir| log_of(dir.path()))
            .unwrap_or_default()
    }

    /// Its working folder, gone with it.
    ///
    /// # Panics
    /// Never while it lives.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }
}

impl Drop for RealEnvoy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("Envoy's log:\n{}", self.log());
            if let Some(dir) = self.dir.take() {
                eprintln!("kept: {}", dir.keep().display());
            }
        }
    }
}

/// The CPU time of a thread so far.
///
/// # Panics
/// It is gone.
#[must_use]
pub fn cpu_time(thread: &Path) -> Duration {
    let text = std::fs::read_to_string(thread.join("schedstat")).unwrap();
    let nanoseconds = text.split(' ').next().unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

/// The admin's address once `/ready` says so; the reason if the process has ended.
fn ready(child: &mut Child, dir: &Path) -> Option<Result<Place, String>> {
    if let Ok(Some(status)) = child.try_wait() {
        return Some(Err(format!("it ended: {status}")));
    }
    let admin = std::fs::read_to_string(dir.join("admin")).ok()?;
    let admin = match admin.parse::<SocketAddr>() {
        Ok(address) => Place::Tcp(address),
        Err(_) => Place::Unix(dir.join(admin)),
    };
    let answer = http::send(&admin, &Request::get("admin", "/ready")).ok()?;
    (answer.status == 200).then_some(Ok(admin))
}

fn log_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

/// Starts the process from a thread that lives as long as this one does: this Envoy dies
/// when the *thread* that started it ends, and every test has its own.
fn spawn(command: Command) -> Child {
    type Order = (Command, Sender<std::io::Result<Child>>);
    static NURSERY: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in orders {
                drop(reply.send(command.spawn()));
            }
        });
        Mutex::new(sender)
    });
    let (reply, child) = channel();
    nursery.lock().unwrap().send((command, reply)).unwrap();
    child.recv().unwrap().expect("Envoy can be started")
}
