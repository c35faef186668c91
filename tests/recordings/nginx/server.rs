//! A real nginx on unix sockets, and a client that speaks to it in bytes.

use super::Seen;
use limpet_tests::wait::PATIENCE;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
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
            stream: None,
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
    stream: Option<BufReader<UnixStream>>,
}

impl Client {
    /// One GET, and what came of it.
    pub(super) fn ask(&mut self, host: &str, target: &[u8]) -> Seen {
        let mut stream = self.stream.take().unwrap_or_else(|| {
            BufReader::new(UnixStream::connect(&self.socket).expect("nginx listens"))
        });
        let head = [
            b"GET ",
            target,
            b" HTTP/1.1\r\nHost: ",
            host.as_bytes(),
            b"\r\n\r\n",
        ]
        .concat();
        stream.get_mut().write_all(&head).expect("nginx reads");
        let (head, body) = read_response(&mut stream);
        if header(&head, "connection").is_none_or(|value| value != b"close") {
            self.stream = Some(stream);
        }
        let status = String::from_utf8_lossy(&head[0][9..12])
            .parse()
            .expect("a status");
        match (status, header(&head, "location")) {
            (200, _) => {
                let space = body
                    .iter()
                    .position(|b| *b == b' ')
                    .expect("service and target");
                Seen::Upstream {
                    service: String::from_utf8_lossy(&body[..space]).into_owned(),
                    target: body[space + 1..].to_vec(),
                }
            }
            (_, Some(location)) => Seen::Redirect {
                status,
                location: location.to_vec(),
            },
            _ => Seen::Status(status),
        }
    }
}

/// The lines of a response's head, and its body.
fn read_response(stream: &mut BufReader<UnixStream>) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut head = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = stream.read_until(b'\n', &mut line).expect("nginx answers");
        line.truncate(line.trim_ascii_end().len());
        if line.is_empty() || read == 0 {
            break;
        }
        head.push(line);
    }
    let length = header(&head, "content-length").map_or(0, |value| {
        String::from_utf8_lossy(value).parse().expect("a length")
    });
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("the whole body");
    (head, body)
}

fn header<'h>(head: &'h [Vec<u8>], name: &str) -> Option<&'h [u8]> {
    head.iter().find_map(|line| {
        let colon = line.iter().position(|b| *b == b':')?;
        let matches = line[..colon].eq_ignore_ascii_case(name.as_bytes());
        matches.then(|| line[colon + 1..].trim_ascii())
    })
}
