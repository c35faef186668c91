//! An OCI image layout: the module as a registry keeps it.
//!
//! Source: OCI image-spec 1.1, image-layout; the two variants of solo-io's wasm-image-spec, which
//! `pkg/wasm/imagefetcher.go` of Istio (86c9f01f) and `internal/wasm/imagefetcher.go` of Envoy
//! Gateway (d32f28294) read.

use crate::archive::{self, Entry};
use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const TAR: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(super) const WASM: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const WASM_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An ordinary image: one layer, a compressed archive that holds `plugin.wasm`.
    Compat,
    /// An artifact: the module as it is, and a layer that says what it is.
    Artifact,
}

impl Form {
    /// Its folder below `target/dist`.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Compat => "oci-compat",
            Self::Artifact => "oci-artifact",
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Writes the layout and returns the manifest's digest.
pub(crate) fn write(folder: &Path, form: Form, module: &[u8]) -> Result<String> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder.join("blobs/sha256"))?;
    let (layers, diff_ids) = match form {
        Form::Compat => {
            let archive = archive::tar(&[Entry::file("plugin.wasm", module)])?;
            let layer = blob(folder, TAR, &archive::gzip(&archive)?)?;
            (vec![layer], vec![archive])
        }
        Form::Artifact => {
            let about = json!({ "type": "envoy_proxy", "abiVersions": ["v0-2-1"],
                "config": { "rootIds": ["limpet"] } });
            let about = serde_json::to_vec(&about)?;
            let layers = vec![
                named(blob(folder, WASM, module)?, "plugin.wasm"),
                named(blob(folder, WASM_CONFIG, &about)?, "runtime-config.json"),
            ];
            (layers, vec![module.to_vec(), about])
        }
    };
    let config = json!({
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": {
            "type": "layers",
            "diff_ids": diff_ids.iter().map(|d| format!("sha256:{}", sha256(d))).collect::<Vec<_>>(),
        },
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(folder, CONFIG, &serde_json::to_vec(&config)?)?,
        "layers": layers,
        "annotations": annotations(form),
    });
    let manifest = blob(folder, MANIFEST, &serde_json::to_vec(&manifest)?)?;
    let digest = manifest.get("digest").and_then(Value::as_str);
    let digest = digest.unwrap_or_default().replace("sha256:", "");
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(folder.join("index.json"), serde_json::to_vec(&index)?)?;
    fs::write(
        folder.join("oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    Ok(digest)
}

fn annotations(form: Form) -> Value {
    let mut all = json!({
        "org.opencontainers.image.title": "limpet",
        "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
        "org.opencontainers.image.licenses": "Apache-2.0",
    });
    if let (Form::Compat, Some(all)) = (form, all.as_object_mut()) {
        all.insert("module.wasm.image/variant".into(), json!("compat"));
    }
    all
}

/// Writes a blob and returns its descriptor.
fn blob(folder: &Path, media_type: &str, bytes: &[u8]) -> Result<Value> {
    let digest = sha256(bytes);
    fs::write(folder.join("blobs/sha256").join(&digest), bytes)?;
    Ok(json!({
        "mediaType": media_type,
        "digest": format!("sha256:{digest}"),
        "size": bytes.len(),
    }))
}

fn named(mut descriptor: Value, title: &str) -> Value {
    if let Some(fields) = descriptor.as_object_mut() {
        let annotations = json!({ "org.opencontainers.image.title": title });
        fields.insert("annotations".into(), annotations);
    }
    descriptor
}
