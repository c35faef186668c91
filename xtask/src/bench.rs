//! `cargo xtask bench`: `limpet run` under load. It must answer everything, and
//! not grow. With `--envoy`: what the module costs in a real Envoy.

mod bootstrap;
mod in_envoy;
mod instructions;
mod peers;
mod rendered;
mod running;
mod sample;
mod valgrind;
mod wrk;

use crate::{demo, process, wasm, workspace};
use anyhow::{Context, Result, bail};
use sample::{HOST, PATH, START, session_cookie};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use wrk::Wrk;

const MANIFEST: &str = "envoy/examples/sample-ingress.yaml";
/// Memory that may come on top after the first third: allocators keep some.
const GROWTH_KIB: u64 = 4096;

/// How long it is driven.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds of load, with a session cookie and without one
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Connections kept open
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// A real Envoy instead: CPU per request with the module (pinned, a new session, of a host that
    /// no Ingress names), against Envoy's own session cookie and none, in rounds of 4 seconds each
    #[arg(long)]
    envoy: bool,
    /// The time of one VM for configurations of 10, 100, 1,000 and 10,000 Ingresses instead
    #[arg(long, conflicts_with = "envoy")]
    configure: bool,
    /// The instructions of a worker per request instead, by valgrind: of Envoy with both builds of limpet, with its
    /// own filters and a script in Lua, of nginx and HAProxy; some twenty minutes; writes the table of docs/benchmarks.md
    #[arg(long, conflicts_with_all = ["envoy", "configure"])]
    instructions: bool,
    /// With --instructions: count plain Envoy and the wasm module alone, and fail where a ratio is not that of
    /// docs/benchmarks.md, by more than 2 %; writes nothing
    #[arg(long, requires = "instructions", conflicts_with = "beside")]
    check: bool,
    /// Another build of the module: with --envoy measured beside this one, with --instructions counted instead
    /// of all else, and written nowhere; may be repeated
    #[arg(long, value_name = "WASM")]
    beside: Vec<PathBuf>,
}

/// Drives `limpet run` with wrk and prints what came of it.
///
/// # Errors
/// When a request fails or the memory grows.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !options.beside.is_empty() && !options.envoy && !options.instructions {
        bail!("--beside goes with --envoy or --instructions");
    }
    if options.configure {
        return configure();
    }
    if options.check {
        return instructions::check();
    }
    if options.instructions {
        return instructions::run(&options.beside);
    }
    let wrk = Wrk::find()?;
    if options.envoy {
        return in_envoy::run(&wrk, options.seconds, &options.beside);
    }
    let limpet = demo::limpet()?;
    let server = Server::start(Command::new(limpet))?;
    let cookie = server.cookie()?;
    for (name, header) in [("no cookie", None), ("session cookie", Some(cookie))] {
        process::announce(format_args!("{} s of {PATH}, {name}", options.seconds));
        load(&wrk, &server, options, header.as_deref())?;
    }
    Ok(())
}

fn configure() -> Result<()> {
    const TEST: &str =
        "costs::configure::a_thousand_ingresses_take_little_more_each_than_a_hundred";
    wasm::module()?;
    process::run(
        process::cargo()
            .args(["test", "--workspace", "--test", "all", TEST])
            .args(["--", "--exact", "--ignored", "--nocapture"]),
    )
}

fn load(wrk: &Wrk, server: &Server, options: &Options, cookie: Option<&str>) -> Result<()> {
    let mut command = wrk.command();
    command
        .args(["-t1", "--latency", "-H", &format!("Host: {HOST}")])
        .arg(format!("-c{}", options.connections))
        .arg(format!("-d{}s", options.seconds))
        .arg(format!("http://{}{PATH}", server.address));
    if let Some(cookie) = cookie {
        command.args(["-H", &format!("Cookie: {cookie}")]);
    }
    let driving = thread::spawn(move || process::output(&mut command));
    thread::sleep(Duration::from_secs(options.seconds) / 3);
    let early = server.memory_kib()?;
    let Ok(said) = driving.join() else {
        bail!("the thread that runs wrk is gone");
    };
    let (said, late) = (said?, server.memory_kib()?);
    println!("{said}\n  Memory: {early} KiB after a third, {late} KiB at the end");
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        bail!("not every request was answered well");
    }
    if late > early + GROWTH_KIB {
        bail!("the memory grew from {early} KiB to {late} KiB");
    }
    Ok(())
}

/// `limpet run` with the demo's replicas; gone when dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(mut limpet: Command) -> Result<Server> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        limpet
            .args(["run", "--pods", "-f", MANIFEST, "--listen"])
            .arg(address.to_string())
            .current_dir(workspace::root())
            .stdout(Stdio::null()); // a line per request
        let process = limpet.spawn().context("cannot start limpet run")?;
        let mut server = Server { process, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.process.try_wait()? {
                bail!("limpet run ended: {status}");
            }
            if start.elapsed() > START {
                bail!("limpet run does not listen on {address}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// `name=value` of a new session.
    fn cookie(&self) -> Result<String> {
        let mut connection = TcpStream::connect(self.address)?;
        write!(
            connection,
            "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        session_cookie(&answer).with_context(|| format!("no session: {answer}"))
    }

    fn memory_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let figure = line.and_then(|line| line.split_whitespace().next());
        Ok(figure.context("the kernel tells no VmRSS")?.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is as good.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
