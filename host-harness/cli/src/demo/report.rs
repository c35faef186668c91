//! What the story prints: headings, tables, claims.

use std::process::ExitCode;
use std::time::Instant;

use anstream::println;
use anstyle::{AnsiColor, Style};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Prints as the story goes, and counts.
pub(super) struct Report {
    started: Instant,
    held: usize,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            held: 0,
        }
    }
}

impl Report {
    /// What happens next.
    pub(super) fn chapter(&self, title: &str) {
        println!("\n{BOLD}{title}{BOLD:#}");
    }

    /// Something that takes a moment.
    pub(super) fn progress(&self, what: &str) {
        println!(
            "{DIM}[{:>5.1}s] {what}{DIM:#}",
            self.started.elapsed().as_secs_f64()
        );
    }

    /// A row of a table: a name and cells.
    pub(super) fn row(&self, name: &str, cells: &[String]) {
        let cells: String = cells.iter().map(|cell| format!("  {cell:<24}")).collect();
        println!("  {name:<12}{}", cells.trim_end());
    }

    /// A claim of the story.
    pub(super) fn claim(&mut self, claim: &str, holds: bool, seen: &str) -> anyhow::Result<()> {
        anyhow::ensure!(holds, "{claim}: seen {seen}");
        let green = AnsiColor::Green.on_default();
        println!("  {green}ok{green:#}  {claim}");
        self.held += 1;
        Ok(())
    }

    /// The end.
    pub(super) fn all_held(&self) -> ExitCode {
        println!("\n{BOLD}All {} claims held.{BOLD:#}", self.held);
        ExitCode::SUCCESS
    }

    /// The other end.
    pub(super) fn failed(&self, error: &anyhow::Error) -> ExitCode {
        let red = AnsiColor::Red.on_default().bold();
        println!("  {red}failed{red:#}  {error:#}");
        ExitCode::from(1)
    }
}
