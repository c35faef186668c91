//! Where a run happens, and what every platform needs there.

use super::programs::Programs;
use std::path::PathBuf;

/// What every platform needs.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) programs: Programs,
    pub(super) limpet: PathBuf,
    pub(super) module: PathBuf,
    pub(super) envoy: PathBuf,
    /// Logs, certificates and everything else of this run.
    pub(super) folder: PathBuf,
}
