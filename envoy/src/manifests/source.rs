//! From the paths of `-f` to texts.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::encoding::decode;
use super::error::ManifestError;

/// `(name, text)` of every file, in the order given; a folder's files by name.
pub(super) fn read_all(paths: &[String]) -> Result<Vec<(String, String)>, ManifestError> {
    let mut texts = Vec::new();
    for path in paths {
        if path == "-" {
            texts.push(("standard input".to_owned(), read_stdin()?));
        } else if Path::new(path).is_dir() {
            for file in list(path)? {
                texts.push(read(&file.to_string_lossy())?);
            }
        } else {
            texts.push(read(path)?);
        }
    }
    Ok(texts)
}

/// The text of one file.
pub(super) fn read(path: &str) -> Result<(String, String), ManifestError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok((path.to_owned(), decode(&bytes))),
        Err(source) => Err(ManifestError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn read_stdin() -> Result<String, ManifestError> {
    let mut bytes = Vec::new();
    match std::io::stdin().read_to_end(&mut bytes) {
        Ok(_) => Ok(decode(&bytes)),
        Err(source) => Err(ManifestError::Read {
            path: "standard input".to_owned(),
            source,
        }),
    }
}

fn list(folder: &str) -> Result<Vec<PathBuf>, ManifestError> {
    let failed = |source| ManifestError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        if path.is_file() && matches!(extension, "yaml" | "yml" | "json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        Err(ManifestError::EmptyFolder {
            path: folder.to_owned(),
        })
    } else {
        Ok(files)
    }
}
