//! `cargo xtask ci`: what has to hold before a change is taken.

mod tally;

use crate::{browser, deny, platforms, process, wasm, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;
use tally::Tally;

/// Bytes that the module may have: little more than it has. The `proxy-wasm` crate is 37 KiB of it, the
/// rules about requests 217: 14 for addresses, 6 for what pods are told of them, 32 for heads, bodies,
/// User-Agents and the headers of ConfigMaps, 32 for names and passwords, 43 for authorizers, 14 for
/// limits, 30 for error pages and the default backend, 24 for clients' certificates, 7 for
/// odd names of fields, forwarded ports and the sign-in of names and passwords, 5 for what is closed by
/// host or by a path that cannot be compiled and for places in patterns by namespace, 3 for whose location is served of
/// two that nginx would not take together, 16 for what the patterns of one namespace cost others, 4 for groups
/// and digests that no request finds anew, 3 for fields that may come once and for what a
/// name of an alias is called by, 2 for kinds of bytes that are looked up, 2 for what texts and look-aheads of a tenant
/// may cost, 8 for which of many patterns a path may match and for those that take no engine, 2 for lists of origins, 1 for what aliases and annotations take of the budget, 3 for networks in order and bounds of keys, 4 for cookies and values that are looked at eight bytes at a time. Each of Envoy's workers pays for them when it starts.
const SIZE_LIMIT: u64 = 1_440_300;

/// Runs every check in turn and stops at the first that fails. The README's commands come before
/// whatever else downloads or builds: what they need they have to fetch themselves.
///
/// # Errors
/// When a check fails, naming it.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    step("format", || cargo(&["fmt", "--all", "--check"]))?;
    step("the README's demo", readme_demo)?;
    let tally = step("the contributor's tests", contributors_tests)?;
    step("pages in a browser", browser::run)?;
    step("the control planes", || {
        platforms::run(&platforms::Options::check())
    })?;
    step("the story on the control planes", || {
        platforms::run(&platforms::Options::story())
    })?;
    step("clippy", || {
        let everything = ["clippy", "--workspace", "--all-targets"];
        cargo(&[&everything[..], &["--", "-D", "warnings"]].concat())
    })?;
    step("clippy for the module", wasm::clippy)?;
    step("documentation", documentation)?;
    step("licences and sources", || {
        deny::run(&deny::Options::default())
    })?;
    step("size of the module", size)?;
    process::announce(format_args!("all good, {:.0?}", start.elapsed()));
    println!("{tally}");
    Ok(())
}

fn step<T>(name: &str, check: impl FnOnce() -> Result<T>) -> Result<T> {
    process::announce(format_args!("ci: {name}"));
    let start = Instant::now();
    let found = check().with_context(|| format!("ci: {name}"))?;
    process::announce(format_args!("ci: {name}: {:.1?}", start.elapsed()));
    Ok(found)
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

/// Of what a newcomer is told to try, the command that ends by itself.
fn readme_demo() -> Result<()> {
    let commands = commands("README.md", "## Try it")?;
    let ending = commands.lines().find(|line| line.contains("--once"));
    process::run(&mut shell(
        ending.context("README.md: no command with --once under \"## Try it\"")?,
    ))
}

/// What a contributor is told to run, as it stands there, and how many tests that were.
fn contributors_tests() -> Result<Tally> {
    let tests = shell(&commands("CONTRIBUTING.md", "## Test")?)
        .stdout(Stdio::piped())
        .spawn()?;
    Tally::of(tests)
}

fn shell(commands: &str) -> Command {
    let mut shell = Command::new("bash");
    shell
        .args(["-euxc", commands])
        .current_dir(workspace::root());
    shell
}

/// The commands of a document under a heading.
fn commands(document: &str, heading: &str) -> Result<String> {
    let text = fs::read_to_string(workspace::root().join(document))?;
    let commands = fenced_block(&text, heading).map(str::to_owned);
    commands.with_context(|| format!("{document}: no block of commands under {heading:?}"))
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
