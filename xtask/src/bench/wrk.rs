//! The load generator.

use crate::apt;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// wrk, from Debian and only unpacked.
pub(super) struct Wrk {
    program: PathBuf,
    libraries: PathBuf,
}

impl Wrk {
    /// Fetches it where it was not fetched before.
    ///
    /// # Errors
    /// When this is not Debian or there is no network.
    pub(super) fn find() -> Result<Self> {
        let root = apt::unpacked("wrk")?;
        Ok(Self {
            program: root.join("usr/bin/wrk"),
            libraries: apt::libraries(&root),
        })
    }

    pub(super) fn command(&self) -> Command {
        self.prefixed(&[])
    }

    /// wrk behind another command, such as `taskset -c 1`.
    pub(super) fn prefixed(&self, prefix: &[&str]) -> Command {
        let mut words = prefix.iter();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.env("LD_LIBRARY_PATH", &self.libraries);
        command
    }
}

/// How many requests wrk says it made.
pub(super) fn requests(said: &str) -> Result<u64> {
    let line = said.lines().find(|line| line.contains(" requests in "));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure
        .with_context(|| format!("wrk says no number of requests: {said}"))?
        .parse()?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn requests_are_read_from_what_wrk_says() {
        let said = "  1 threads and 16 connections\n  81234 requests in 4.00s, 12.10MB read\n";
        assert_eq!(super::requests(said).unwrap(), 81234);
        assert!(super::requests("unable to connect").is_err());
    }
}
