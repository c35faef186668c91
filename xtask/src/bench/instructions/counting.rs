//! Counting what a proxy's worker takes for one request.

use super::client::Client;
use crate::bench::in_envoy::Variant;
use crate::bench::running::Process;
use crate::bench::valgrind::Valgrind;
use crate::{envoy, process};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Requests of the shorter burst.
const REQUESTS: u32 = 600;
/// How long the worker is watched without requests.
const IDLE: Duration = Duration::from_secs(8);
/// Envoy starts some fifty times slower while it is counted: two to three minutes of CPU, where it gets them.
const START: Duration = Duration::from_secs(1800);

/// What is counted, and the instructions of its worker for one request.
pub(super) type Row = (String, f64);

/// What counts, and where its files are.
pub(super) struct Counting {
    valgrind: Valgrind,
    /// Of the programs that are counted too.
    pub(super) folder: PathBuf,
}

impl Counting {
    /// Counts with files in `folder`.
    ///
    /// # Errors
    /// When valgrind cannot be fetched.
    pub(super) fn new(folder: PathBuf) -> Result<Self> {
        let valgrind = Valgrind::find()?;
        Ok(Self { valgrind, folder })
    }

    /// A command of `program`, under valgrind.
    pub(super) fn command(&self, program: &Path) -> Command {
        self.valgrind.counted(program, &self.folder)
    }

    /// A row for each of `variants`, which one Envoy with the configuration `said` serves.
    ///
    /// # Errors
    /// When Envoy cannot be fetched, and as [`Self::count`].
    pub(super) fn in_envoy(
        &self,
        file: &str,
        said: &str,
        variants: &mut [Variant],
    ) -> Result<Vec<Row>> {
        let file = self.folder.join(file);
        fs::write(&file, said)?;
        let mut command = self.command(&envoy::envoy()?);
        command.arg("-c").arg(file);
        command.args(["--concurrency", "1", "--disable-hot-restart", "-l", "error"]);
        process::announce("starting Envoy under valgrind: two minutes of CPU or more");
        self.count(command, variants)
    }

    /// A row for each of `variants`, which `command` serves; it is ended then.
    ///
    /// # Errors
    /// When it does not start, or a request fails.
    pub(super) fn count(&self, command: Command, variants: &mut [Variant]) -> Result<Vec<Row>> {
        let mut proxy = Process::start(command, &self.folder, "proxy.log")?;
        for variant in &*variants {
            proxy.wait_for(variant.port, START)?;
        }
        let mut rows = Vec::new();
        for variant in variants {
            variant.find_cookie()?;
            let count = self.of_one(proxy.id(), variant)?;
            process::announce(format_args!("{}: {count:.0} instructions", variant.name));
            rows.push((variant.name.clone(), count));
        }
        Ok(rows)
    }

    fn of_one(&self, process: u32, variant: &Variant) -> Result<f64> {
        let mut client = Client::connect(variant)?;
        client.ask(100)?;
        let since = || self.valgrind.since(process, &self.folder);
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
        let (worker, _) = worker.context("no thread was counted")?;
        let of =
            |counts: &BTreeMap<String, u64>| counts.get(worker).copied().unwrap_or_default() as f64;
        let idle = of(&idle) / watched;
        let busy = |count: f64, took: f64| count - idle * took;
        let more = busy(of(&long), long_took) - busy(of(&short), short_took);
        Ok(more / f64::from(2 * REQUESTS))
    }
}
