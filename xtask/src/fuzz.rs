//! `cargo xtask fuzz`: the targets of `tests/fuzz`, one after the other.

use crate::{cache, process, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which targets, and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One target, by the name of its file in tests/fuzz/fuzz_targets; all without
    target: Option<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Fuzzes from the seeds on; what is found stands in `tests/fuzz/artifacts`.
///
/// # Errors
/// When cargo-fuzz cannot be had, there is no such target, or something is found.
pub(crate) fn run(options: &Options) -> Result<()> {
    let program = cargo_fuzz()?;
    let folder = workspace::root().join("tests/fuzz");
    let all = targets(&folder)?;
    let chosen: Vec<&String> = match &options.target {
        None => all.iter().collect(),
        Some(wanted) => all.iter().filter(|name| *name == wanted).collect(),
    };
    if chosen.is_empty() {
        bail!("no such target, expected one of {}", all.join(", "));
    }
    for target in chosen {
        process::announce(format_args!("{target}, {} s", options.seconds));
        fuzz(&program, &folder, target, options.seconds)?;
    }
    Ok(())
}

/// cargo-fuzz, kept in the cache folder.
fn cargo_fuzz() -> Result<PathBuf> {
    let folder = cache::folder("cargo-fuzz")?;
    if !folder.exists() {
        process::announce("installing cargo-fuzz, once");
        cache::fill_once(&folder, |aside| {
            let mut install = process::cargo();
            process::run(install.args(["install", "cargo-fuzz", "--root"]).arg(aside))
        })?;
    }
    Ok(folder.join("bin/cargo-fuzz"))
}

fn fuzz(program: &Path, folder: &Path, target: &str, seconds: u64) -> Result<()> {
    // The harness reads the same bytes as the module, PCRE the same patterns.
    let seeds = match target {
        "harness_abi" => "seeds/head".to_owned(),
        "pcre" => "seeds/pattern".to_owned(),
        _ => format!("seeds/{target}"),
    };
    let corpus = format!("corpus/{target}");
    fs::create_dir_all(folder.join(&corpus))?;
    let limit = format!("-max_total_time={seconds}");
    process::run(
        Command::new(program)
            .current_dir(folder)
            // Sanitizers and coverage are no part of a stable compiler.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["fuzz", "run", "--fuzz-dir", ".", "--target-dir"])
            .arg(workspace::target("fuzz"))
            .args([target, &corpus, &seeds, "--", &limit])
            .args(["-timeout=20", "-rss_limit_mb=3000", "-max_len=4096"]),
    )
    .with_context(|| {
        format!("{target}: what was found is in tests/fuzz/artifacts; once fixed, it is a seed")
    })
}

fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder.join("fuzz_targets"))? {
        let file = file?.path();
        let name = file.file_stem().context("a file without a name")?;
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
