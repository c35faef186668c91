//! The user's cache folder: downloads survive `cargo clean` and serve every
//! clone of the repository.

use anyhow::{Context, Result};
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// `$XDG_CACHE_HOME/limpet/<name>`, by default `~/.cache/limpet/<name>`.
///
/// # Errors
/// When neither `XDG_CACHE_HOME` nor `HOME` is set.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env::var_os("HOME").context("HOME is not set: no cache folder")?)
            .join(".cache"),
    };
    Ok(base.join("limpet").join(name))
}

/// Fills `folder` once: `fill` writes into an empty folder beside it, which is
/// then renamed, so that an interrupted download leaves nothing half done.
///
/// # Errors
/// Whatever `fill` fails with; nothing is kept then.
pub(crate) fn fill_once(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = folder.parent().context("a cache folder has a parent")?;
    let _lock = lock(&parent.join("lock"))?;
    if folder.exists() {
        return Ok(());
    }
    let aside = parent.join(".unfinished");
    clear(&aside)?;
    fs::create_dir_all(&aside)?;
    let filled = fill(&aside).and_then(|()| Ok(fs::rename(&aside, folder)?));
    clear(&aside)?;
    filled.with_context(|| format!("nothing kept in {}", folder.display()))
}

/// Holds the file's lock until the returned value is dropped: of two runs at
/// once, the second waits.
///
/// # Errors
/// When the file cannot be made or locked.
pub(crate) fn lock(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn clear(folder: &Path) -> Result<()> {
    match folder.exists() {
        true => Ok(fs::remove_dir_all(folder)?),
        false => Ok(()),
    }
}
