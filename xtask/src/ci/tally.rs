//! How many tests ran, added up over the programs of a `cargo test`.

use anyhow::{Context, Result, ensure};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::Child;

#[derive(Debug, Default)]
pub(super) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Passes on what `tests` print until they end.
    ///
    /// # Errors
    /// When a test failed, or when there was none.
    pub(super) fn of(mut tests: Child) -> Result<Self> {
        let printed = tests
            .stdout
            .take()
            .context("what tests print is not read")?;
        let mut tally = Self::default();
        for line in BufReader::new(printed).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            tally.add(&line);
            println!("{line}");
        }
        let status = tests.wait()?;
        ensure!(status.success(), "{tally}: {status}");
        ensure!(tally.passed > 0, "no test ran");
        Ok(tally)
    }

    /// Adds what a program's closing line says.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        for count in counts.split([';', '.']) {
            let count = count.trim();
            let Some((number, what)) = count.split_once(' ') else {
                continue;
            };
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            ignored,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {ignored} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_all_programs_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.07s",
            "test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 5 filtered out; finished in 0.00s",
            "test says::test result: ok. 7 passed ... ok",
        ] {
            tally.add(line);
        }
        assert_eq!(tally.to_string(), "42 passed, 2 failed, 1 skipped");
    }
}
