//! What is measured, what answers it, and the session that is asked for.

use super::sample::{HOST, PATH, START, session_cookie};
use crate::{nginx, process};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// An nginx that answers on both ports with their numbers; `words` in front of its command.
///
/// # Errors
/// When it does not start.
pub(super) fn backends(words: &[&str], folder: &Path, ports: [u16; 2]) -> Result<Process> {
    let conf = folder.join("nginx.conf");
    let servers = ports.map(|port| {
        format!("server {{ listen 127.0.0.1:{port}; location / {{ return 200 {port}; }} }}\n")
    });
    fs::write(&conf, nginx_conf(folder, &servers.concat()))?;
    let mut command = behind(words, &nginx::nginx()?);
    command.arg("-p").arg(folder).arg("-c").arg(conf);
    let mut nginx = Process::start(command, folder, "nginx.log")?;
    for port in ports {
        nginx.wait_for(port, START)?;
    }
    Ok(nginx)
}

/// The configuration of an nginx that serves `servers`, as one process: when that is gone, so is nginx.
pub(super) fn nginx_conf(folder: &Path, servers: &str) -> String {
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};\n", folder.join(name).display()))
        .concat();
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 1000000000;\n{temp}{servers}}}\n"
    )
}

/// A port that is free, and none that the kernel gives to whoever asks for any: a proxy that is counted takes minutes
/// until it listens. No two calls have the same.
///
/// # Errors
/// When there is none.
pub(super) fn free_port() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 16_384; // the kernel's own begin at 32,768
    for _ in 0..FIRST {
        let next = std::process::id() * 64 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + next % FIRST)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}

/// A command with these words in front of it.
pub(super) fn behind(words: &[&str], program: &Path) -> Command {
    let mut words = words.iter();
    let Some(first) = words.next() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}

/// `name=value` of a new session, which 20 further requests have kept on one backend. The first
/// may come before the endpoints are known: asked again.
///
/// # Errors
/// When there is none, or it does not stick.
pub(super) fn session(port: u16) -> Result<String> {
    let start = Instant::now();
    loop {
        match kept(port) {
            Ok(cookie) => return Ok(cookie),
            Err(why) if start.elapsed() > START => return Err(why),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn kept(port: u16) -> Result<String> {
    let first = get(port, None)?;
    let Some(cookie) = first.cookie else {
        bail!("no session on port {port}: {}", first.body);
    };
    for _ in 0..20 {
        let next = get(port, Some(&cookie))?;
        if next.body != first.body {
            bail!(
                "{cookie} does not stick: {} after {}",
                next.body,
                first.body
            );
        }
    }
    Ok(cookie)
}

struct Answer {
    cookie: Option<String>,
    body: String,
}

fn get(port: u16, cookie: Option<&str>) -> Result<Answer> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
    write!(
        connection,
        "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n{cookie}Connection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("no answer: {answer}"))?;
    Ok(Answer {
        cookie: session_cookie(head),
        body: body.to_owned(),
    })
}

/// The same command, killed by the kernel where this process is, which drops nothing then.
fn tied(command: Command) -> Command {
    if !process::exists("setpriv") {
        return command;
    }
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL"])
        .arg(command.get_program());
    tied.args(command.get_args());
    let told = command.get_envs();
    tied.envs(told.filter_map(|(name, value)| Some((name, value?))));
    tied
}

/// A process that is gone when dropped.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says goes into `log`.
    ///
    /// # Errors
    /// When there is no such program.
    pub(super) fn start(command: Command, folder: &Path, log: &str) -> Result<Self> {
        let log = folder.join(log);
        let mut command = tied(command);
        let file = File::create(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, log })
    }

    /// Waits until it listens on `port`.
    ///
    /// # Errors
    /// When it has ended, or it takes longer than `limit`.
    pub(super) fn wait_for(&mut self, port: u16, limit: Duration) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("ended: {status}\n{}", fs::read_to_string(&self.log)?);
            }
            if start.elapsed() > limit {
                bail!(
                    "nothing listens on {port}\n{}",
                    fs::read_to_string(&self.log)?
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Clock ticks of CPU time used so far, user and system, all threads.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(super) fn ticks(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the name, which may hold spaces: behind it, fields 14 and 15.
        let (_, rest) = stat
            .rsplit_once(')')
            .context("the kernel tells no CPU time")?;
        let times = rest.split_whitespace().skip(11).take(2);
        times.map(|time| Ok(time.parse::<f64>()?)).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
