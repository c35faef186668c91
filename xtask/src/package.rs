//! `cargo xtask package`: what a release consists of, under `target/dist/`.
//!
//! The bare module and its SHA-256, and two OCI image layouts: Istio and Envoy Gateway accept
//! either, registries and other tools sometimes only one.

pub(crate) mod layout;
mod loader;

use crate::{process, wasm, workspace};
use anyhow::{Context, Result, ensure};
use layout::{Form, sha256};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is packaged, and how far it is trusted.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Build the module once more from a copy of the sources elsewhere: every byte has to be the same
    #[arg(long)]
    reproduce: bool,
}

/// Builds the module, packages it, and reads the packages back as their loaders do.
///
/// # Errors
/// When the module cannot be built, a package differs from it, or a second build does.
pub(crate) fn run(options: &Options) -> Result<()> {
    let module = fs::read(wasm::module()?)?;
    let dist = workspace::target("dist");
    write(&module, &dist)?;
    if options.reproduce {
        process::announce("building again from a copy of the sources");
        let again = fs::read(elsewhere(&dist.join("reproduced"))?)?;
        ensure!(
            again == module,
            "two builds differ: {} here, {} from a copy of the sources in another folder",
            sha256(&module),
            sha256(&again)
        );
        println!("a build from another folder is the same, byte for byte");
    }
    Ok(())
}

/// Writes everything below `dist` and checks it.
fn write(module: &[u8], dist: &Path) -> Result<()> {
    fs::create_dir_all(dist)?;
    fs::write(dist.join("limpet.wasm"), module)?;
    let sum = format!("{}  limpet.wasm\n", sha256(module));
    fs::write(dist.join("limpet.wasm.sha256"), &sum)?;
    print!("{sum}");
    for form in [Form::Compat, Form::Artifact] {
        let folder = dist.join(form.folder());
        let manifest = layout::write(&folder, form, module)?;
        let read = loader::load(&folder)
            .with_context(|| format!("{} cannot be read back", folder.display()))?;
        ensure!(read == module, "{} holds another module", folder.display());
        println!("sha256:{manifest}  {}", form.folder());
    }
    Ok(())
}

/// The module of a copy of these sources, built in `folder`.
fn elsewhere(folder: &Path) -> Result<std::path::PathBuf> {
    let sources = folder.join("sources");
    if sources.exists() {
        fs::remove_dir_all(&sources)?;
    }
    let mut list = Command::new("git");
    let list = list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    for file in process::output(list.current_dir(workspace::root()))?.lines() {
        let to = sources.join(file);
        fs::create_dir_all(to.parent().unwrap_or(&sources))?;
        fs::copy(workspace::root().join(file), &to)
            .with_context(|| format!("cannot copy {file}"))?;
    }
    wasm::module_of(&sources, &folder.join("build"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_holds_the_module_byte_for_byte() {
        let dist = std::env::temp_dir().join(format!("limpet-package-{}", std::process::id()));
        let module: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        write(&module, &dist).unwrap();
        let sum = fs::read_to_string(dist.join("limpet.wasm.sha256")).unwrap();
        assert!(sum.starts_with(&sha256(&module)), "{sum}");
        for form in [Form::Compat, Form::Artifact] {
            let folder = dist.join(form.folder());
            assert!(loader::load(&folder).unwrap() == module);
            let first = fs::read(folder.join("index.json")).unwrap();
            layout::write(&folder, form, &module).unwrap();
            assert_eq!(
                fs::read(folder.join("index.json")).unwrap(),
                first,
                "the same every time"
            );
        }
        fs::remove_dir_all(dist).unwrap();
    }

    #[test]
    fn a_loader_refuses_a_blob_that_was_changed() {
        let dist = std::env::temp_dir().join(format!("limpet-changed-{}", std::process::id()));
        let folder = dist.join("oci");
        layout::write(&folder, Form::Artifact, b"\0asm").unwrap();
        let blob = folder.join("blobs/sha256").join(sha256(b"\0asm"));
        fs::write(blob, b"\0asm!").unwrap();
        assert!(loader::load(&folder).is_err());
        fs::remove_dir_all(dist).unwrap();
    }
}
