//! What the module costs in a real Envoy: CPU time per request, in one run with Envoy's own
//! session cookie and with neither. Figures of two runs do not compare, ratios do.

use super::bootstrap::{self, Affinity};
use super::sample::{HOST, PATH, START, session_cookie};
use super::wrk::{self, Wrk};
use crate::{cache, envoy, nginx, process, wasm};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A host that no Ingress names, as long as [`HOST`].
const OTHER: &str = "nobody.example.com";
/// Seconds of one sample.
const SAMPLE: u64 = 4;
/// The kernel's clock ticks per second, as it shows them to programs.
const TICKS: f64 = 100.0;

/// What cookie a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cookie {
    /// One of a session that was begun before.
    Session,
    /// One of the session cookie's length, which says nothing.
    Another,
}

/// One listener of the Envoy under measurement.
struct Variant {
    name: String,
    port: u16,
    affinity: Affinity,
    host: &'static str,
    /// `name=value` that is sent.
    cookie: String,
    session: Cookie,
    /// Microseconds of CPU time per request, of each round.
    costs: Vec<f64>,
}

/// Measures in rounds until `seconds` are used for each variant, at least three; `other`:
/// another build of the module, to compare.
///
/// # Errors
/// When something cannot be started, a session does not stick, or a request fails.
pub(super) fn run(wrk: &Wrk, seconds: u64, other: Option<&Path>) -> Result<()> {
    let folder = cache::folder("bench")?;
    fs::create_dir_all(&folder)?;
    let mut variants = variants(other)?;
    let bench = Bench::start(&folder, &variants)?;
    for variant in &mut variants {
        // Heads of one length: what is compared is not what it takes to read them.
        variant.cookie = match (&variant.affinity, variant.session) {
            (Affinity::None | Affinity::Bystander(_), _) => format!("route={}", "0".repeat(40)),
            (_, Cookie::Session) => session(variant.port)?,
            (_, Cookie::Another) => {
                session(variant.port)?;
                format!("other={}", "0".repeat(40))
            }
        };
    }
    let rounds = (seconds / SAMPLE).max(3);
    for round in 1..=rounds {
        for variant in &mut variants {
            let cost = bench.sample(wrk, variant)?;
            process::announce(format_args!(
                "{round}/{rounds} {}: {cost:.1} µs",
                variant.name
            ));
            variant.costs.push(cost);
        }
    }
    report(&variants);
    Ok(())
}

fn variants(other: Option<&Path>) -> Result<Vec<Variant>> {
    let ours = wasm::module()?;
    let pinned = |module| (Affinity::Module(module), HOST, Cookie::Session);
    let mut kinds = vec![
        (
            "no affinity".to_owned(),
            (Affinity::None, HOST, Cookie::Session),
        ),
        (
            "Envoy's session cookie".to_owned(),
            (Affinity::Envoy, HOST, Cookie::Session),
        ),
        ("limpet, pinned".to_owned(), pinned(ours.clone())),
        (
            "limpet, new session".to_owned(),
            (Affinity::Module(ours.clone()), HOST, Cookie::Another),
        ),
        (
            "limpet, nobody's host".to_owned(),
            (Affinity::Bystander(ours), OTHER, Cookie::Another),
        ),
    ];
    if let Some(other) = other {
        kinds.push((other.display().to_string(), pinned(other.canonicalize()?)));
    }
    let variants = kinds.into_iter().map(|(name, (affinity, host, session))| {
        Ok(Variant {
            name,
            port: free_port()?,
            affinity,
            host,
            cookie: String::new(),
            session,
            costs: Vec::new(),
        })
    });
    variants.collect()
}

fn report(variants: &[Variant]) {
    println!("µs of CPU per request, median (least - most); ratio in the same round");
    let bases = variants.first().map(|base| base.costs.as_slice());
    for Variant { name, costs, .. } in variants {
        let bases = bases.unwrap_or_default().iter();
        let ratios = costs.iter().zip(bases).map(|(cost, base)| cost / base);
        let (cost, ratio) = (Spread::of(costs.clone()), Spread::of(ratios.collect()));
        println!(
            "{name:<24} {:5.1} ({:.1} - {:.1})   {:.2} ({:.2} - {:.2})",
            cost.median, cost.least, cost.most, ratio.median, ratio.least, ratio.most
        );
    }
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |at: usize| samples.get(at).copied().unwrap_or(f64::NAN);
        Self {
            least: at(0),
            median: at(samples.len() / 2),
            most: at(samples.len().saturating_sub(1)),
        }
    }
}

/// Envoy on one core; what loads it and what answers it on another.
struct Bench {
    envoy: Process,
    _backends: Process,
    pins: bool,
}

impl Bench {
    fn start(folder: &Path, variants: &[Variant]) -> Result<Self> {
        let backends = [free_port()?, free_port()?];
        let pins = thread::available_parallelism()?.get() > 1 && process::exists("taskset");
        let conf = folder.join("nginx.conf");
        fs::write(&conf, nginx_conf(folder, backends))?;
        let mut command = pinned(pins, "1", &nginx::nginx()?);
        command.arg("-p").arg(folder).arg("-c").arg(conf);
        let mut nginx = Process::start(command, folder, "nginx.log")?;
        for port in backends {
            nginx.wait_for(port)?;
        }
        let bootstrap = folder.join("envoy.json");
        let listeners = variants.iter().map(|v| (v.port, &v.affinity));
        let said = bootstrap::bootstrap(free_port()?, &backends, listeners);
        fs::write(&bootstrap, said.to_string())?;
        let mut command = pinned(pins, "0", &envoy::envoy()?);
        command.arg("-c").arg(bootstrap);
        command.args(["--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]);
        let mut envoy = Process::start(command, folder, "envoy.log")?;
        for variant in variants {
            envoy.wait_for(variant.port)?;
        }
        Ok(Self {
            envoy,
            _backends: nginx,
            pins,
        })
    }

    /// Microseconds of Envoy's CPU time per request.
    fn sample(&self, wrk: &Wrk, variant: &Variant) -> Result<f64> {
        let mut command = wrk.prefixed(if self.pins {
            &["taskset", "-c", "1"]
        } else {
            &[]
        });
        command
            .args(["-t1", "-c16", &format!("-d{SAMPLE}s")])
            .args(["-H", &format!("Host: {}", variant.host)])
            .args([
                "-H",
                &format!("Cookie: {}; sid=abcdef0123456789", variant.cookie),
            ])
            .arg(format!("http://127.0.0.1:{}{PATH}", variant.port));
        let before = self.envoy.ticks()?;
        let said = process::output(&mut command)?;
        let used = self.envoy.ticks()? - before;
        if said.contains("Non-2xx") || said.contains("Socket errors") {
            bail!("not every request was answered well: {said}");
        }
        Ok(used / TICKS * 1e6 / wrk::requests(&said)? as f64)
    }
}

fn nginx_conf(folder: &Path, [one, two]: [u16; 2]) -> String {
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};\n", folder.join(name).display()))
        .concat();
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log stderr;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 1000000000;\n{temp}\
         server {{ listen 127.0.0.1:{one}; location / {{ return 200 {one}; }} }}\n\
         server {{ listen 127.0.0.1:{two}; location / {{ return 200 {two}; }} }} }}\n"
    )
}

/// A port that was free just now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn pinned(pins: bool, core: &str, program: &Path) -> Command {
    if !pins {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// `name=value` of a new session, which 20 further requests have kept on one backend. The first
/// may come before the endpoints are known: asked again.
fn session(port: u16) -> Result<String> {
    let start = Instant::now();
    loop {
        let first = get(port, None)?;
        if let Some(cookie) = first.cookie {
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
            return Ok(cookie);
        }
        if start.elapsed() > START {
            bail!("no session on port {port}: {}", first.body);
        }
        thread::sleep(Duration::from_millis(50));
    }
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

/// A process that is gone when dropped.
struct Process {
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    fn start(mut command: Command, folder: &Path, log: &str) -> Result<Self> {
        let log = folder.join(log);
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

    fn wait_for(&mut self, port: u16) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("ended: {status}\n{}", fs::read_to_string(&self.log)?);
            }
            if start.elapsed() > START {
                bail!(
                    "nothing listens on {port}\n{}",
                    fs::read_to_string(&self.log)?
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Clock ticks of CPU time used so far, user and system, all threads.
    fn ticks(&self) -> Result<f64> {
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
