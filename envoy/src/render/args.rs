//! What every platform's flags have in common.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use limpet::config::ConfigError;

use crate::args::{EndpointArgs, ManifestArgs};
use crate::check::Platform;
use crate::compiled::Flags;
use crate::losses::{self, LossArgs};
use crate::manifests::Manifests;
use crate::progress::Progress;
use crate::say;

/// The flags of all `limpet render`.
#[derive(Debug, Clone, Default, Args)]
pub struct RenderArgs {
    /// What to read.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// What to do about protection that is lost.
    #[command(flatten)]
    pub losses: LossArgs,
}

impl RenderArgs {
    /// Reads the manifests, makes room and decides about losses: what was decided, one line each.
    ///
    /// # Errors
    /// When they cannot be read, have no Ingress, or a loss is open.
    pub(super) fn load(
        &self,
        flags: &Flags,
        on: Platform,
        make_room: impl FnOnce(&mut Manifests, &Flags) -> Result<(), ConfigError>,
    ) -> anyhow::Result<(Manifests, Vec<String>)> {
        let mut manifests = self.manifests.load()?.with_ingresses()?;
        make_room(&mut manifests, flags)?;
        let decided = losses::settle(&mut manifests, flags, &self.losses, on)?;
        Ok((manifests, decided))
    }

    /// The flags that bear on what the manifests mean on `on`, which finds the endpoints.
    pub(super) fn flags(&self, on: Platform) -> Flags {
        on.flags(self.manifests.flags(&EndpointArgs::default()))
    }

    /// Prints what `text` makes of the manifests; what was decided goes to standard error.
    ///
    /// # Errors
    /// When there is no text, or it cannot be written.
    pub(super) fn print(
        &self,
        on: Platform,
        flags: &Flags,
        make_room: impl FnOnce(&mut Manifests, &Flags) -> Result<(), ConfigError>,
        text: impl FnOnce(&Manifests) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        let progress = Progress::of("rendering");
        let (manifests, decided) = self.load(flags, on, make_room)?;
        let text = text(&manifests)?;
        drop(progress);
        decided.iter().for_each(say::note);
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("the output cannot be written")
    }
}
