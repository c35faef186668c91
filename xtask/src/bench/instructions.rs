//! Instructions of Envoy's worker per request: what a machine's noise does not change.
//!
//! A client sends a number of requests, then three times as many, and the difference is divided by the
//! difference of their numbers: what starting to count costs is in both. What the worker does without
//! requests is measured before, and taken off by time.

use super::bootstrap::{self, Affinity};
use super::in_envoy::{Cookie, Variant};
use super::rendered;
use super::running::{self, Process, free_port};
use super::sample::PATH;
use super::valgrind::Valgrind;
use crate::{cache, envoy, native, process, wasm, workspace};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Requests of the shorter burst.
const REQUESTS: u32 = 600;
/// How long the worker is watched without requests.
const IDLE: Duration = Duration::from_secs(8);
/// Envoy starts some fifty times slower while it is counted.
const START: Duration = Duration::from_secs(600);
/// What stands above and below the table.
const DOCUMENT: &str = "docs/benchmarks.md";
const BEGIN: &str = "<!-- instructions -->\n";
const END: &str = "<!-- /instructions -->";

/// Counts, and writes the table of [`DOCUMENT`]; `others`: builds of the module that are counted instead,
/// and written nowhere.
///
/// # Errors
/// When something cannot be fetched or started, or a request fails.
pub(super) fn run(others: &[PathBuf]) -> Result<()> {
    let folder = cache::folder("bench-instructions")?;
    fs::create_dir_all(&folder)?;
    let ports = [free_port()?, free_port()?];
    let _backends = running::backends(&[], &folder, ports)?;
    let counting = Counting {
        valgrind: Valgrind::find()?,
        folder,
    };
    let mut variants = match others {
        [] => variants()?,
        others => beside(others)?,
    };
    let listeners = variants.iter().map(|one| (one.port, &one.affinity));
    let said = bootstrap::bootstrap(free_port()?, &ports, listeners).to_string();
    let mut rows = counting.count("envoy.json", &said, &mut variants)?;
    if others.is_empty() {
        for (name, flag, module) in [
            ("as rendered", "--wasm", wasm::module()?),
            ("as rendered, native", "--native", native::module()?),
        ] {
            let port = free_port()?;
            let said = rendered::envoy(flag, &module, &ports, port)?;
            let mut variants = rendered::variants(name, port);
            rows.extend(counting.count("rendered.yaml", &said, &mut variants)?);
        }
    }
    let table = table(&rows);
    print!("{table}");
    if others.is_empty() {
        write(&table)?;
    }
    Ok(())
}

/// What counts, and where its files are.
struct Counting {
    valgrind: Valgrind,
    folder: PathBuf,
}

impl Counting {
    /// Name and instructions of each of `variants`, which one Envoy with the configuration `said` serves.
    fn count(
        &self,
        file: &str,
        said: &str,
        variants: &mut [Variant],
    ) -> Result<Vec<(String, f64)>> {
        let file = self.folder.join(file);
        fs::write(&file, said)?;
        let mut command = self.valgrind.counted(&envoy::envoy()?, &self.folder);
        command.arg("-c").arg(file);
        command.args(["--concurrency", "1", "--disable-hot-restart", "-l", "error"]);
        process::announce("starting Envoy under valgrind: a minute or more");
        let mut envoy = Process::start(command, &self.folder, "envoy.log")?;
        for variant in &*variants {
            envoy.wait_for(variant.port, START)?;
        }
        let mut rows = Vec::new();
        for variant in variants {
            variant.find_cookie()?;
            let count = count(&self.valgrind, envoy.id(), &self.folder, variant)?;
            process::announce(format_args!("{}: {count:.0} instructions", variant.name));
            rows.push((variant.name.clone(), count));
        }
        Ok(rows)
    }
}

/// What each of `others` takes.
fn beside(others: &[PathBuf]) -> Result<Vec<Variant>> {
    let plain = Variant::new("no affinity", Affinity::None, Cookie::Session)?;
    let mut variants = vec![plain];
    for other in others {
        let module = other.canonicalize()?;
        let name = |what: &str| format!("{}: {what}", other.display());
        let kept = Affinity::Module(module.clone());
        let new = Affinity::Module(module.clone());
        let bystander = Affinity::Bystander(module);
        variants.push(Variant::new(&name("session kept"), kept, Cookie::Session)?);
        variants.push(Variant::new(&name("new session"), new, Cookie::Another)?);
        variants.push(Variant::new(
            &name("host of no Ingress"),
            bystander,
            Cookie::Another,
        )?);
    }
    Ok(variants)
}

fn variants() -> Result<Vec<Variant>> {
    let (wasm, native) = (wasm::module()?, native::module()?);
    let (by_wasm, by_native) = (wasm.clone(), native.clone());
    Ok(vec![
        Variant::new("no affinity", Affinity::None, Cookie::Session)?,
        Variant::new(
            "Envoy's own session cookie",
            Affinity::Envoy,
            Cookie::Session,
        )?,
        Variant::new(
            "limpet: session kept",
            Affinity::Module(wasm.clone()),
            Cookie::Session,
        )?,
        Variant::new(
            "limpet: new session",
            Affinity::Module(wasm),
            Cookie::Another,
        )?,
        Variant::new(
            "limpet: host of no Ingress",
            Affinity::Bystander(by_wasm),
            Cookie::Another,
        )?,
        Variant::new(
            "native: session kept",
            Affinity::Native(native.clone()),
            Cookie::Session,
        )?,
        Variant::new(
            "native: new session",
            Affinity::Native(native),
            Cookie::Another,
        )?,
        Variant::new(
            "native: host of no Ingress",
            Affinity::NativeBystander(by_native),
            Cookie::Another,
        )?,
    ])
}

/// Instructions of the worker for one request.
fn count(valgrind: &Valgrind, process: u32, folder: &Path, variant: &Variant) -> Result<f64> {
    let mut client = Client::connect(variant)?;
    client.ask(100)?;
    let since = || valgrind.since(process, folder);
    let timed = |work: &mut dyn FnMut() -> Result<()>| {
        since()?;
        let start = Instant::now();
        work()?;
        let took = start.elapsed().as_secs_f64();
        anyhow::Ok((since()?, took))
    };
    let (idle, watched) = timed(&mut || {
        thread::sleep(IDLE);
        Ok(())
    })?;
    let (short, short_took) = timed(&mut || client.ask(REQUESTS))?;
    let (long, long_took) = timed(&mut || client.ask(3 * REQUESTS))?;
    let worker = long.iter().max_by_key(|(_, count)| **count);
    let (worker, _) = worker.context("no thread of Envoy was counted")?;
    let of =
        |counts: &BTreeMap<String, u64>| counts.get(worker).copied().unwrap_or_default() as f64;
    let idle = of(&idle) / watched;
    let busy = |count: f64, took: f64| count - idle * took;
    let more = busy(of(&long), long_took) - busy(of(&short), short_took);
    Ok(more / f64::from(2 * REQUESTS))
}

/// One connection, kept.
struct Client {
    connection: TcpStream,
    request: String,
}

impl Client {
    fn connect(variant: &Variant) -> Result<Self> {
        let (host, cookie) = (variant.host, &variant.cookie);
        Ok(Self {
            connection: TcpStream::connect(("127.0.0.1", variant.port))?,
            request: format!(
                "GET {PATH} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}; sid=abcdef0123456789\r\n\r\n"
            ),
        })
    }

    fn ask(&mut self, times: u32) -> Result<()> {
        for _ in 0..times {
            self.connection.write_all(self.request.as_bytes())?;
            let mut answer = Vec::new();
            while !is_whole(&answer) {
                let mut part = [0; 4096];
                let read = self.connection.read(&mut part)?;
                answer.extend(
                    part.get(..read)
                        .filter(|part| !part.is_empty())
                        .context("the connection was closed in the middle of an answer")?,
                );
            }
            if !answer.starts_with(b"HTTP/1.1 200") {
                bail!("not answered well: {}", String::from_utf8_lossy(&answer));
            }
        }
        Ok(())
    }
}

/// Whether head and body are there, the body's length being told.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

fn table(rows: &[(String, f64)]) -> String {
    let plain = rows.first().map_or(f64::NAN, |(_, count)| *count);
    let rows = rows.iter().map(|(name, count)| {
        let rounded = (count / 100.0).round() * 100.0;
        format!("| {name} | {rounded:.0} | {:.2} |\n", count / plain)
    });
    let head = "| what | instructions a request | times no affinity |\n|---|---|---|\n";
    [head.to_owned()].into_iter().chain(rows).collect()
}

/// Puts the table in its place.
fn write(table: &str) -> Result<()> {
    let file = workspace::root().join(DOCUMENT);
    let text = fs::read_to_string(&file)?;
    let (before, rest) = text.split_once(BEGIN).context("no place for the table")?;
    let (_, after) = rest.split_once(END).context("no end of the table")?;
    fs::write(&file, [before, BEGIN, table, END, after].concat())?;
    Ok(())
}
