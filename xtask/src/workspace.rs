//! Where things are in this repository.

use std::path::{Path, PathBuf};

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
