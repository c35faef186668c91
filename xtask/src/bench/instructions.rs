//! Instructions of a proxy's worker per request: what a machine's noise does not change.
//!
//! A client sends a number of requests, then three times as many, and the difference is divided by the
//! difference of their numbers: what starting to count costs is in both. What the worker does without
//! requests is measured before, and taken off by time.

mod client;
mod counting;
mod table;

use super::bootstrap::{self, Affinity};
use super::in_envoy::{Cookie, Variant};
use super::running::{self, Process, free_port};
use super::{peers, rendered};
use crate::{cache, native, wasm};
use anyhow::Result;
use counting::{Counting, Row};
use std::fs;
use std::path::{Path, PathBuf};

/// Counts, and writes the table of docs/benchmarks.md; `others`: builds of the module that are counted instead,
/// and written nowhere.
///
/// # Errors
/// When something cannot be fetched or started, or a request fails.
pub(super) fn run(others: &[PathBuf]) -> Result<()> {
    let bench = Bench::start()?;
    if !others.is_empty() {
        let mut variants = vec![plain()?];
        for other in others {
            variants.extend(by_wasm(
                &other.display().to_string(),
                &other.canonicalize()?,
            )?);
        }
        print!("{}", table::of(&bench.in_envoy(variants)?));
        return Ok(());
    }
    let (wasm, native) = (wasm::module()?, native::module()?);
    let mut variants = vec![
        plain()?,
        Variant::new(
            "Envoy's own session cookie",
            Affinity::Envoy,
            Cookie::Session,
        )?,
        Variant::new("Lua: session kept", Affinity::Lua, Cookie::Session)?,
        Variant::new("Lua: new session", Affinity::Lua, Cookie::Another)?,
    ];
    variants.extend(by_wasm("limpet", &wasm)?);
    variants.extend(three(
        "native",
        &native,
        Affinity::Native,
        Affinity::NativeBystander,
    )?);
    let mut rows = bench.in_envoy(variants)?;
    rows.extend(bench.rendered("as rendered", "--wasm", &wasm)?);
    rows.extend(bench.rendered("as rendered, native", "--native", &native)?);
    rows.extend(bench.peers()?);
    let table = table::of(&rows);
    print!("{table}");
    table::write(&table)
}

/// Counts what is soon counted, and compares it with the table of docs/benchmarks.md. Writes nothing.
///
/// # Errors
/// As [`run`], and when a ratio is not the table's.
pub(super) fn check() -> Result<()> {
    let bench = Bench::start()?;
    let wasm = wasm::module()?;
    let mut variants = vec![plain()?];
    variants.extend(by_wasm("limpet", &wasm)?);
    let mut rows = bench.in_envoy(variants)?;
    rows.extend(bench.rendered("as rendered", "--wasm", &wasm)?);
    print!("{}", table::of(&rows));
    table::check(&rows)
}

fn plain() -> Result<Variant> {
    Variant::new("no affinity", Affinity::None, Cookie::Session)
}

fn by_wasm(name: &str, module: &Path) -> Result<[Variant; 3]> {
    three(name, module, Affinity::Module, Affinity::Bystander)
}

/// Two sessions that `module` serves, and a host that is none of its business.
fn three(
    name: &str,
    module: &Path,
    serving: fn(PathBuf) -> Affinity,
    passing: fn(PathBuf) -> Affinity,
) -> Result<[Variant; 3]> {
    let variant = |what: &str, affinity: fn(PathBuf) -> Affinity, cookie| {
        Variant::new(
            &format!("{name}: {what}"),
            affinity(module.to_owned()),
            cookie,
        )
    };
    Ok([
        variant("session kept", serving, Cookie::Session)?,
        variant("new session", serving, Cookie::Another)?,
        variant("host of no Ingress", passing, Cookie::Another)?,
    ])
}

/// What counts, and the pods that answer.
struct Bench {
    counting: Counting,
    pods: [u16; 2],
    _backends: Process,
}

impl Bench {
    fn start() -> Result<Self> {
        let folder = cache::folder("bench-instructions")?;
        fs::create_dir_all(&folder)?;
        let pods = [free_port()?, free_port()?];
        Ok(Self {
            pods,
            _backends: running::backends(&[], &folder, pods)?,
            counting: Counting::new(folder)?,
        })
    }

    /// Listeners that are Envoy's own but for what is named, in one Envoy.
    fn in_envoy(&self, mut variants: Vec<Variant>) -> Result<Vec<Row>> {
        let listeners = variants.iter().map(|one| (one.port, &one.affinity));
        let said = bootstrap::bootstrap(free_port()?, &self.pods, listeners).to_string();
        self.counting.in_envoy("envoy.json", &said, &mut variants)
    }

    /// What limpet writes for the whole of an Envoy.
    fn rendered(&self, name: &str, flag: &str, module: &Path) -> Result<Vec<Row>> {
        let port = free_port()?;
        let said = rendered::envoy(flag, module, &self.pods, port)?;
        let mut variants = Variant::elsewhere(name, port);
        self.counting
            .in_envoy("rendered.yaml", &said, &mut variants)
    }

    /// Other programs that do this job.
    fn peers(&self) -> Result<Vec<Row>> {
        let counted = |program: &Path| self.counting.command(program);
        let folder = &self.counting.folder;
        let port = free_port()?;
        let nginx = peers::nginx(counted, folder, port, &self.pods)?;
        let mut rows = self
            .counting
            .count(nginx, &mut Variant::elsewhere("nginx", port))?;
        let port = free_port()?;
        let haproxy = peers::haproxy(counted, folder, port, &self.pods)?;
        rows.extend(
            self.counting
                .count(haproxy, &mut Variant::elsewhere("HAProxy", port))?,
        );
        Ok(rows)
    }
}
