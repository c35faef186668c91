//! `--locations`: every host's locations in their final order.

use std::process::ExitCode;

use super::Settings;
use crate::manifests::Manifests;

pub(super) fn print(_manifests: &Manifests, _settings: &Settings) -> anyhow::Result<ExitCode> {
    anyhow::bail!("--locations is not there yet")
}
