//! What the module costs in a real Envoy: CPU time per request, in one run with Envoy's own
//! session cookie and with neither. Figures of two runs do not compare, ratios do.

use super::bootstrap::{self, Affinity};
use super::running::{self, Process, behind, free_port, session};
use super::sample::{HOST, PATH, START};
use super::wrk::{self, Wrk};
use crate::{cache, envoy, process, wasm};
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// A host that no Ingress names, as long as [`HOST`].
const OTHER: &str = "nobody.example.com";
/// Seconds of one sample.
const SAMPLE: u64 = 4;
/// The kernel's clock ticks per second, as it shows them to programs.
const TICKS: f64 = 100.0;

/// What cookie a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// One of a session that was begun before.
    Session,
    /// One of the session cookie's length, which says nothing.
    Another,
}

/// One listener of the Envoy under measurement.
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) affinity: Affinity,
    pub(super) host: &'static str,
    /// `name=value` that is sent.
    pub(super) cookie: String,
    session: Cookie,
    /// Microseconds of CPU time per request, of each round.
    costs: Vec<f64>,
}

impl Variant {
    /// A listener on a port of its own, without a cookie yet.
    ///
    /// # Errors
    /// When no port is free.
    pub(super) fn new(name: &str, affinity: Affinity, session: Cookie) -> Result<Self> {
        Ok(Self::at(name, free_port()?, affinity, session))
    }

    /// A session kept and a new one, of what listens on `port` by itself.
    pub(super) fn elsewhere(name: &str, port: u16) -> [Self; 2] {
        let at = |what: &str, cookie| {
            Self::at(
                &format!("{name}: {what}"),
                port,
                Affinity::Elsewhere,
                cookie,
            )
        };
        [
            at("session kept", Cookie::Session),
            at("new session", Cookie::Another),
        ]
    }

    fn at(name: &str, port: u16, affinity: Affinity, session: Cookie) -> Self {
        Self {
            name: name.to_owned(),
            port,
            host: if affinity.is_bystander() { OTHER } else { HOST },
            affinity,
            cookie: String::new(),
            session,
            costs: Vec::new(),
        }
    }

    /// The cookie that is sent. Heads are of one length: what is compared is not what it takes to
    /// read them.
    ///
    /// # Errors
    /// When a session does not stick.
    pub(super) fn find_cookie(&mut self) -> Result<()> {
        let is_asked = self.affinity.is_affinity();
        self.cookie = match self.session {
            _ if !is_asked => format!("route={}", "0".repeat(40)),
            Cookie::Session => session(self.port)?,
            Cookie::Another => {
                session(self.port)?;
                format!("other={}", "0".repeat(40))
            }
        };
        Ok(())
    }
}

/// Measures in rounds until `seconds` are used for each variant, at least three; `others`:
/// other builds of the module, to compare.
///
/// # Errors
/// When something cannot be started, a session does not stick, or a request fails.
pub(super) fn run(wrk: &Wrk, seconds: u64, others: &[PathBuf]) -> Result<()> {
    let folder = cache::folder("bench")?;
    fs::create_dir_all(&folder)?;
    let mut variants = variants(others)?;
    let bench = Bench::start(&folder, &variants)?;
    for variant in &mut variants {
        variant.find_cookie()?;
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

fn variants(others: &[PathBuf]) -> Result<Vec<Variant>> {
    let ours = wasm::module()?;
    let module = || Affinity::Module(ours.clone());
    let mut variants = vec![
        Variant::new("no affinity", Affinity::None, Cookie::Session)?,
        Variant::new("Envoy's session cookie", Affinity::Envoy, Cookie::Session)?,
        Variant::new("Lua, pinned", Affinity::Lua, Cookie::Session)?,
        Variant::new("Lua, new session", Affinity::Lua, Cookie::Another)?,
        Variant::new("limpet, pinned", module(), Cookie::Session)?,
        Variant::new("limpet, new session", module(), Cookie::Another)?,
        Variant::new(
            "limpet, nobody's host",
            Affinity::Bystander(ours.clone()),
            Cookie::Another,
        )?,
    ];
    for other in others {
        let affinity = Affinity::Module(other.canonicalize()?);
        let name = other.display().to_string();
        variants.push(Variant::new(&name, affinity, Cookie::Session)?);
    }
    Ok(variants)
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
        let core = |core| {
            if pins {
                vec!["taskset", "-c", core]
            } else {
                Vec::new()
            }
        };
        let nginx = running::backends(&core("1"), folder, backends)?;
        let bootstrap = folder.join("envoy.json");
        let listeners = variants.iter().map(|v| (v.port, &v.affinity));
        let said = bootstrap::bootstrap(free_port()?, &backends, listeners);
        fs::write(&bootstrap, said.to_string())?;
        let mut command = behind(&core("0"), &envoy::envoy()?);
        command.arg("-c").arg(bootstrap);
        command.args(["--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]);
        let mut envoy = Process::start(command, folder, "envoy.log")?;
        for variant in variants {
            envoy.wait_for(variant.port, START)?;
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
