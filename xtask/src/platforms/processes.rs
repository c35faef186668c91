//! Programs that run beside each other in the namespace, and what they answer over HTTP.

use super::place::Place;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
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
pub(super) fn with_files(at: &[(&str, &Path)], program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh"])
        .arg(crate::workspace::root().join("xtask/src/platforms/root.sh"));
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

/// The body of a 200 answer of this machine; nothing: another answer, or none.
pub(super) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    // Envoy's admin speaks no 1.0.
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if is_chunked {
        whole(body)?
    } else {
        body.to_owned()
    };
    (status == "200").then_some(body)
}

/// Without the lengths of the pieces that it came in.
fn whole(mut pieces: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (length, rest) = pieces.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.push_str(rest.get(..length)?);
        pieces = rest.get(length..)?.strip_prefix("\r\n")?;
    }
}
