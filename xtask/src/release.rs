//! `cargo xtask release`: the files of a release, below `target/dist/release/`.
//!
//! The module, its two OCI image layouts, `limpet` for both kinds of machine, checksums of them
//! all; and the notes, beside that folder.

use crate::archive::{self, Entry};
use crate::package::{self, layout};
use crate::{process, rustup, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The machines that `limpet` is built for: as Rust calls them, and Debian in package names.
const MACHINES: [(&str, &str); 2] = [("x86_64", "x86-64"), ("aarch64", "aarch64")];

/// Which release.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The tag that is released: it must be `v` and the workspace's version, and CHANGELOG.md must
    /// have its section; without it, what is not released yet is packaged
    #[arg(long)]
    tag: Option<String>,
}

/// Builds everything and sums it up.
///
/// # Errors
/// When the tag, the version and the changelog differ, or something does not build.
pub(crate) fn run(options: &Options) -> Result<()> {
    let changelog = fs::read_to_string(workspace::root().join("CHANGELOG.md"))?;
    let notes = notes(&changelog, options.tag.as_deref())?;
    package::run(&package::Options::default())?;
    let dist = workspace::target("dist");
    let release = dist.join("release");
    if release.exists() {
        fs::remove_dir_all(&release)?;
    }
    fs::create_dir_all(&release)?;

    let module = fs::read(dist.join("limpet.wasm"))?;
    fs::write(release.join("limpet.wasm"), &module)?;
    for form in [layout::Form::Compat, layout::Form::Artifact] {
        let folder = form.folder();
        let image = archive::tar(&entries(&files(&dist.join(folder))?))?;
        fs::write(release.join(format!("limpet-{folder}.tar")), image)?;
    }
    let licence = fs::read(workspace::root().join("LICENSE"))?;
    for (machine, package) in MACHINES {
        let program = archive::tar(&[
            Entry::program("limpet/bin/limpet", &limpet(machine, package)?),
            // Where `limpet` looks for it.
            Entry::file("limpet/module/limpet.wasm", &module),
            Entry::file("limpet/LICENSE", &licence),
        ])?;
        let name = format!("limpet-{machine}-linux.tar.gz");
        fs::write(release.join(name), archive::gzip(&program)?)?;
    }
    fs::write(dist.join("NOTES.md"), notes)?;
    print!("{}", sum_up(&release)?);
    Ok(())
}

/// `limpet` as it is shipped: linked with musl, so that it runs on every Linux. The compiler has
/// all that this takes but for one, which wasmtime needs for a page of C.
fn limpet(machine: &str, package: &str) -> Result<Vec<u8>> {
    let target = format!("{machine}-unknown-linux-musl");
    if !rustup::has(&target)? {
        rustup::add(&target)?;
    }
    let compiler = format!("{machine}-linux-gnu-gcc");
    if !process::exists(&compiler) {
        bail!("no {compiler} (Debian: apt-get install gcc-{package}-linux-gnu)");
    }
    process::announce(format_args!("building limpet for {target}"));
    let flags = [
        "-Clinker=rust-lld",
        "-Clink-self-contained=yes",
        "-Cstrip=symbols",
    ];
    process::run(
        process::cargo()
            .args(["build", "--release", "--locked", "--package", "limpet-cli"])
            .args(["--bin", "limpet", "--target", &target])
            .env(format!("CC_{}", target.replace('-', "_")), compiler)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")), // as Cargo wants them
    )?;
    let program = workspace::target(&target).join("release/limpet");
    fs::read(&program).with_context(|| format!("cannot read {}", program.display()))
}

/// The changelog's section of the tag, or of what is not released yet.
fn notes(changelog: &str, tag: Option<&str>) -> Result<String> {
    let heading = match tag {
        None => "Unreleased",
        Some(tag) => {
            let expected = format!("v{VERSION}");
            ensure!(
                tag == expected,
                "the tag is {tag}, Cargo.toml says {expected}"
            );
            VERSION
        }
    };
    let (_, section) = changelog
        .split_once(&format!("\n## [{heading}]"))
        .with_context(|| format!("CHANGELOG.md has no section [{heading}]"))?;
    // The rest of the heading is its date.
    let section = section.split_once('\n').map_or("", |(_date, rest)| rest);
    let section = section.split("\n## ").next().unwrap_or_default();
    Ok(format!("{}\n", section.trim()))
}

/// Every file below `folder`: its path there, and its content, in order.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for path in sorted(&next)? {
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                found.push((name, fs::read(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn entries(files: &[(String, Vec<u8>)]) -> Vec<Entry<'_>> {
    let entries = files.iter();
    entries
        .map(|(name, bytes)| Entry::file(name, bytes))
        .collect()
}

/// Writes `SHA256SUMS` as `sha256sum --check` reads it, and returns it.
fn sum_up(release: &Path) -> Result<String> {
    let mut sums = String::new();
    for file in sorted(release)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name != "SHA256SUMS" {
            sums += &format!("{}  {name}\n", layout::sha256(&fs::read(&file)?));
        }
    }
    fs::write(release.join("SHA256SUMS"), &sums)?;
    Ok(sums)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir()?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notes_of_a_release_are_its_section_and_its_tag_is_its_version() {
        let text = format!(
            "# Changelog\n\n## [Unreleased]\n\n- next\n\n## [{VERSION}] - 2026-01-02\n\n### Added\n\n- it\n\n## [0.0.1]\n"
        );
        assert_eq!(notes(&text, None).unwrap(), "- next\n");
        let tag = format!("v{VERSION}");
        assert_eq!(notes(&text, Some(&tag)).unwrap(), "### Added\n\n- it\n");
        assert!(notes(&text, Some("v99.0.0")).is_err());
        assert!(notes("# Changelog\n\n## [Unreleased]\n", Some(&tag)).is_err());
    }

    #[test]
    fn every_file_of_a_release_is_summed_but_the_sums() {
        let folder = std::env::temp_dir().join(format!("limpet-sums-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("b"), "abc").unwrap();
        fs::write(folder.join("a"), "").unwrap();
        let sums = sum_up(&folder).unwrap();
        assert_eq!(sum_up(&folder).unwrap(), sums);
        fs::remove_dir_all(folder).unwrap();
        // FIPS 180-2: the digests of nothing and of `abc`.
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sums, format!("{nothing}  a\n{abc}  b\n"));
    }
}
