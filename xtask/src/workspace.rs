//! Where things are in this repository.

use anyhow::{Context, Result};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The repository's top folder.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// `target/<name>`: what the tasks make, and where tests look for it.
///
/// Always under the repository, whatever `CARGO_TARGET_DIR` says: tests find
/// the module and Envoy by this path.
pub(crate) fn target(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// The file that an environment variable names; nothing when it is unset or empty.
///
/// # Errors
/// When there is no such file.
pub(crate) fn named_in(variable: &str) -> Result<Option<PathBuf>> {
    let named = env::var_os(variable).filter(|path| !path.is_empty());
    named
        .map(|path| {
            fs::canonicalize(&path)
                .with_context(|| format!("{variable}={} cannot be used", path.display()))
        })
        .transpose()
}

/// Makes `target/<name>` a link to `file` and returns it.
///
/// # Errors
/// When the link cannot be made.
pub(crate) fn link(name: &str, file: &Path) -> Result<PathBuf> {
    let link = target(name);
    if fs::read_link(&link).is_ok_and(|old| old == file) {
        return Ok(link);
    }
    let aside = target(&format!(".{name}-{}", std::process::id()));
    fs::create_dir_all(target(""))?;
    symlink(file, &aside)?;
    fs::rename(&aside, &link)?;
    Ok(link)
}
