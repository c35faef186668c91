//! Reads a layout back as Istio's agent and Envoy Gateway do.
//!
//! The order of their attempts and their conditions: `PrepareFetch`, `extractOCIStandardImage`,
//! `extractOCIArtifactImage`, `extractWasmPluginBinary` in `pkg/wasm/imagefetcher.go`, istio 86c9f01f
//! (Envoy Gateway d32f28294 has the same).

use super::layout::{MANIFEST, TAR, WASM, sha256};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;

/// The module in the layout at `folder`.
///
/// # Errors
/// When neither way of reading it works, or a digest is wrong.
pub(super) fn load(folder: &Path) -> Result<Vec<u8>> {
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json"))?)?;
    let [manifest] = list(&index, "manifests") else {
        bail!("not exactly one manifest in index.json");
    };
    ensure!(manifest["mediaType"] == MANIFEST, "no OCI manifest");
    let manifest: Value = serde_json::from_slice(&blob(folder, manifest)?)?;
    let config = manifest
        .get("config")
        .context("the manifest has no config")?;
    blob(folder, config)?;
    let layers = list(&manifest, "layers");
    as_image(folder, layers).or_else(|image| {
        as_artifact(folder, layers)
            .with_context(|| format!("as an image: {image:#}; as an artifact"))
    })
}

/// The last layer, an archive, and in it the file whose name ends in plugin.wasm.
fn as_image(folder: &Path, layers: &[Value]) -> Result<Vec<u8>> {
    let layer = layers.last().context("no layers")?;
    ensure!(layer["mediaType"] == TAR, "the last layer is no archive");
    let bytes = blob(folder, layer)?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry
            .path()?
            .file_name()
            .is_some_and(|name| name == "plugin.wasm")
        {
            let mut module = Vec::new();
            entry.read_to_end(&mut module)?;
            return Ok(module);
        }
    }
    bail!("no plugin.wasm in the archive")
}

/// Two layers, one of them the module as it is.
fn as_artifact(folder: &Path, layers: &[Value]) -> Result<Vec<u8>> {
    ensure!(layers.len() == 2, "{} layers, not 2", layers.len());
    let module = layers.iter().find(|layer| layer["mediaType"] == WASM);
    blob(folder, module.context("no layer is a module")?)
}

/// The content of a descriptor, its size and digest checked.
fn blob(folder: &Path, descriptor: &Value) -> Result<Vec<u8>> {
    let digest = descriptor["digest"]
        .as_str()
        .and_then(|d| d.strip_prefix("sha256:"));
    let digest = digest.context("a descriptor without a digest")?;
    let bytes = fs::read(folder.join("blobs/sha256").join(digest))?;
    ensure!(sha256(&bytes) == digest, "{digest} has another content");
    ensure!(
        descriptor["size"] == bytes.len(),
        "{digest} has another size"
    );
    Ok(bytes)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
