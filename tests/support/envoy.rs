//! A real Envoy, started for a test and gone with it.

use crate::http::{self, Place, Request, Response};
use crate::wait::{self, PATIENCE};
use limpet_cli::envoy_process::{EnvoyProcess, Launch};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So many seconds are left to requests whose listener is replaced, if nobody says otherwise.
pub const DRAIN: u32 = 2;

/// One process, killed when dropped.
#[derive(Debug)]
pub struct RealEnvoy {
    process: EnvoyProcess,
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
        let launch = Launch {
            bootstrap,
            environment,
            workers,
            drain: DRAIN,
            instead_of: None,
        };
        Self::launch(&std::env::temp_dir(), launch)
    }

    /// As [`RealEnvoy::start_with`], with its working folder in `parent`.
    ///
    /// # Panics
    /// As [`RealEnvoy::start`].
    pub(crate) fn start_below(parent: &Path, bootstrap: &str, workers: usize) -> Self {
        let launch = Launch {
            bootstrap,
            environment: &[],
            workers,
            drain: DRAIN,
            instead_of: None,
        };
        Self::launch(parent, launch).unwrap_or_else(|log| panic!("{log}"))
    }

    /// As [`RealEnvoy::start_in`], in every detail.
    ///
    /// # Panics
    /// As [`RealEnvoy::start`].
    #[must_use]
    pub fn launched(launch: Launch<'_>) -> Self {
        Self::launch(&std::env::temp_dir(), launch).unwrap_or_else(|log| panic!("{log}"))
    }

    /// A hot restart: another process with the same bootstrap, whose listeners have fixed ports, takes
    /// the sockets over. This one drains then, and ends by itself; so will the other one, in `drain`
    /// seconds.
    ///
    /// # Panics
    /// As [`RealEnvoy::start`].
    #[must_use]
    pub fn restarted(&self, workers: usize, drain: u32) -> Self {
        let bootstrap = std::fs::read_to_string(self.folder().join("bootstrap.yaml")).unwrap();
        let launch = Launch {
            bootstrap: &bootstrap,
            environment: &[],
            workers,
            drain,
            instead_of: Some(&self.process),
        };
        Self::launched(launch)
    }

    fn launch(parent: &Path, launch: Launch<'_>) -> Result<Self, String> {
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("limpet-envoy-").tempdir_in(parent).unwrap();
        let mut process = EnvoyProcess::start(folder, launch).map_err(|why| format!("{why:#}"))?;
        match wait::for_some(PATIENCE, || ready(&mut process)) {
            Ok(Ok(admin)) => Ok(Self { process, admin }),
            Ok(Err(why)) | Err(why) => Err(format!("Envoy is not ready: {why}\n{}", process.log())),
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
        place(socket)
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
                Some((one["name"].as_str()?.to_owned(), place(socket)?))
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
        let threads = format!("/proc/{}/task", self.process.id());
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

    /// Whether the process has ended.
    ///
    /// # Panics
    /// The system does not say.
    pub fn has_ended(&mut self) -> bool {
        self.process.ended().unwrap().is_some()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its working folder, gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }
}

impl Drop for RealEnvoy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.process.keep_folder();
            eprintln!("Envoy's log:\n{}", self.log());
            eprintln!("kept: {}", self.folder().display());
        }
    }
}

/// What Envoy says of a socket.
fn place(socket: &serde_json::Value) -> Option<SocketAddr> {
    let ip = socket["address"].as_str()?.parse().ok()?;
    let port = u16::try_from(socket["port_value"].as_u64()?).ok()?;
    Some(SocketAddr::new(ip, port))
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
fn ready(process: &mut EnvoyProcess) -> Option<Result<Place, String>> {
    if let Ok(Some(status)) = process.ended() {
        return Some(Err(format!("it ended: {status}")));
    }
    let admin = process.admin()?;
    let admin = match admin.parse::<SocketAddr>() {
        Ok(address) => Place::Tcp(address),
        Err(_) => Place::Unix(process.folder().join(admin)),
    };
    let answer = http::send(&admin, &Request::get("admin", "/ready")).ok()?;
    (answer.status == 200).then_some(Ok(admin))
}
