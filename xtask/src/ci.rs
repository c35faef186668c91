//! `cargo xtask ci`: what has to hold before a change is taken.

use crate::{demo, process, wasm, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::process::Command;
use std::time::Instant;

/// Bytes that the module may have: 1,021 KiB and a twentieth. Each of Envoy's workers pays for
/// them when it starts.
const SIZE_LIMIT: u64 = 1_100_000;

/// Runs every check in turn and stops at the first that fails.
///
/// # Errors
/// When a check fails, naming it.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    step("format", || cargo(&["fmt", "--all", "--check"]))?;
    step("clippy", || {
        let everything = ["clippy", "--workspace", "--all-targets"];
        cargo(&[&everything[..], &["--", "-D", "warnings"]].concat())
    })?;
    step("clippy for the module", wasm::clippy)?;
    step("documentation", documentation)?;
    step("the README's test command", readme_tests)?;
    step("demo", demo::once)?;
    step("size of the module", size)?;
    process::announce(format_args!("all good, {:.0?}", start.elapsed()));
    Ok(())
}

fn step(name: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    process::announce(format_args!("ci: {name}"));
    let start = Instant::now();
    check().with_context(|| format!("ci: {name}"))?;
    process::announce(format_args!("ci: {name}: {:.1?}", start.elapsed()));
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    process::run(process::cargo().args(arguments))
}

fn documentation() -> Result<()> {
    process::run(
        process::cargo()
            .args([
                "doc",
                "--workspace",
                "--no-deps",
                "--document-private-items",
            ])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Runs what a newcomer is told to run, as it stands there.
fn readme_tests() -> Result<()> {
    let readme = fs::read_to_string(workspace::root().join("README.md"))?;
    let commands = fenced_block(&readme, "## Test")
        .context("README.md: no block of commands under \"## Test\"")?;
    let mut shell = Command::new("bash");
    process::run(
        shell
            .args(["-euxc", commands])
            .current_dir(workspace::root()),
    )
}

/// The first fenced block under a heading, without the fences.
fn fenced_block<'t>(text: &'t str, heading: &str) -> Option<&'t str> {
    let (_, section) = text.split_once(&format!("\n{heading}\n"))?;
    let section = section.split("\n## ").next()?;
    let (_, block) = section.split_once("```")?;
    let (_language, block) = block.split_once('\n')?;
    block.split("```").next()
}

fn size() -> Result<()> {
    let module = wasm::module()?;
    let bytes = fs::metadata(&module)?.len();
    if bytes == 0 || bytes > SIZE_LIMIT {
        let module = module.display();
        bail!("{module} has {bytes} bytes, at most {SIZE_LIMIT} were expected");
    }
    println!("{}: {bytes} bytes of {SIZE_LIMIT}", module.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_under_the_heading_is_taken_and_no_other() {
        let text = "# X\n\n```sh\nno\n```\n\n## Test\n\nRun:\n\n```sh\nyes\n```\n\n## Next\n";
        assert_eq!(fenced_block(text, "## Test"), Some("yes\n"));
        assert_eq!(fenced_block(text, "## Next"), None);
        assert_eq!(
            fenced_block("\n## Test\n\n## More\n```sh\nno\n```\n", "## Test"),
            None
        );
    }
}
