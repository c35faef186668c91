//! What counts instructions.

use crate::apt;
use crate::process;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// valgrind, from Debian and only unpacked.
pub(super) struct Valgrind {
    root: PathBuf,
}

impl Valgrind {
    /// Fetches it where it was not fetched before.
    ///
    /// # Errors
    /// When this is not Debian or there is no network.
    pub(super) fn find() -> Result<Self> {
        let root = apt::unpacked("valgrind")?;
        Ok(Self { root })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.root.join("usr/bin").join(program));
        command.env("VALGRIND_LIB", self.root.join("usr/libexec/valgrind"));
        command
    }

    /// `program` with the instructions of each thread counted into files `counted.*` of `folder`.
    pub(super) fn counted(&self, program: &Path, folder: &Path) -> Command {
        let mut command = self.command("valgrind");
        let out = format!(
            "--callgrind-out-file={}.%p",
            folder.join("counted").display()
        );
        command.args(["--tool=callgrind", "--separate-threads=yes", &out]);
        command.arg(program);
        command
    }

    /// The instructions of each thread of `process` since the last time.
    ///
    /// # Errors
    /// When the process does not tell.
    pub(super) fn since(&self, process: u32, folder: &Path) -> Result<BTreeMap<String, u64>> {
        let mut dump = self.command("vgdb");
        process::output(dump.arg(format!("--pid={process}")).arg("dump"))?;
        let mut totals = BTreeMap::new();
        for entry in folder.read_dir()?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((number, thread)) = name
                .strip_prefix("counted.")
                .and_then(|rest| rest.rsplit_once('-'))
            else {
                continue;
            };
            if number.starts_with(&format!("{process}.")) {
                totals.insert(thread.to_owned(), total(&entry.path())?);
            }
            fs::remove_file(entry.path())?;
        }
        if totals.is_empty() {
            bail!("callgrind wrote no count of process {process}");
        }
        Ok(totals)
    }
}

fn total(file: &Path) -> Result<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = line.with_context(|| format!("{}: no totals", file.display()))?;
    Ok(total.trim().parse()?)
}
