//! A registry of one image, for the control plane that fetches the module itself.

use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

/// Where it answers, as an image's name says it.
pub(super) const ADDRESS: &str = "127.0.0.1:5000";

/// Serves an OCI layout for as long as this process lives.
///
/// # Errors
/// There is no layout, or the port is taken.
pub(super) fn serve(layout: PathBuf) -> Result<()> {
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let manifest = index.pointer("/manifests/0").context("an empty index")?;
    let manifest = manifest.clone();
    let listener = TcpListener::bind(ADDRESS)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who asks in another protocol first (TLS) asks again.
            drop(answer(stream, &layout, &manifest));
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream, layout: &Path, manifest: &Value) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().context("no request")??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let text = |key: &str| {
        manifest
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (kind, digest) = if path.contains("/manifests/") {
        (text("mediaType"), text("digest"))
    } else {
        let digest = path.rsplit('/').next().unwrap_or_default();
        ("application/octet-stream", digest)
    };
    let body = match digest.strip_prefix("sha256:") {
        Some(hash) => fs::read(layout.join("blobs/sha256").join(hash))?,
        None => b"{}".to_vec(),
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )?;
    if method != Some("HEAD") {
        stream.write_all(&body)?;
    }
    Ok(())
}
