//! A real nginx on unix sockets, and a client that speaks to it in bytes.

use limpet_tests::http::{Connection, Request, bytes};
use limpet_tests::target::{Asked, Observed};
use limpet_tests::wait::PATIENCE;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Instant;
use tempfile::TempDir;

/// A running nginx; it ends with this value.
pub(super) struct Nginx {
    process: Child,
    dir: TempDir,
}

impl Nginx {
    /// Starts nginx on `conf`, in which `{dir}` is its folder, and waits until it listens.
    pub(super) fn start(conf: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("nginx.conf");
        std::fs::write(&path, conf.replace("{dir}", dir.path().to_str().unwrap())).unwrap();
        let mut process = Command::new(binary())
            .arg("-p")
            .arg(dir.path())
            .arg("-c")
            .arg(&path)
            .stderr(File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .expect("nginx starts");
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(dir.path().join("front.sock")).is_err() {
            let log = std::fs::read_to_string(dir.path().join("stderr")).unwrap_or_default();
            assert!(
                process.try_wait().unwrap().is_none(),
                "nginx refused its configuration: {log}"
            );
            assert!(Instant::now() < deadline, "nginx does not listen: {log}");
            std::thread::yield_now();
        }
        Self { process, dir }
    }

    pub(super) fn connect(&self) -> Client {
        Client {
            socket: self.dir.path().join("front.sock"),
            connection: None,
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Nothing to be done about a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `NGINX`, or what `cargo xtask nginx` has linked.
fn binary() -> PathBuf {
    let linked = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/nginx");
    let path = std::env::var_os("NGINX").map_or_else(|| PathBuf::from(linked), PathBuf::from);
    assert!(
        path.exists(),
        "no nginx at {}: run `cargo xtask nginx`",
        path.display()
    );
    path
}

/// One keep-alive connection at a time.
pub(super) struct Client {
    socket: PathBuf,
    connection: Option<Connection>,
}

impl Client {
    /// One GET, and what came of it; the endpoint is called by its Service.
    pub(super) fn ask(&mut self, request: &Asked) -> Observed {
        let open = || Connection::open(self.socket.as_path()).expect("nginx listens");
        let mut connection = self.connection.take().unwrap_or_else(open);
        let host = request.host.as_deref().unwrap();
        let answer = connection.send(&Request::get(host, bytes(&request.target)));
        let answer = answer.expect("nginx answers");
        if answer
            .header("connection")
            .is_none_or(|value| value != "close")
        {
            self.connection = Some(connection);
        }
        let text = answer.text();
        let echo = text.split_once(' ').filter(|_| answer.status == 200);
        Observed {
            status: answer.status,
            location: answer.header("location"),
            endpoint: echo.map(|(service, _)| service.to_owned()),
            target: echo.map(|(_, target)| target.to_owned()),
            ..Observed::default()
        }
    }
}
