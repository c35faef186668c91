//! The table of docs/benchmarks.md: written, read, and compared with what was counted.

use super::counting::Row;
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// What stands above and below the table.
const BEGIN: &str = "<!-- instructions -->\n";
const END: &str = "<!-- /instructions -->";
/// How far a ratio may be from the table's, as a part of it.
const TOLERANCE: f64 = 0.02;

/// The rows as a table, each with its ratio to the first.
pub(super) fn of(rows: &[Row]) -> String {
    let plain = plain(rows);
    let rows = rows.iter().map(|(name, count)| {
        let rounded = (count / 100.0).round() * 100.0;
        format!("| {name} | {rounded:.0} | {:.2} |\n", count / plain)
    });
    let head = "| what | instructions a request | times no affinity |\n|---|---|---|\n";
    [head.to_owned()].into_iter().chain(rows).collect()
}

/// What the others are compared with.
fn plain(rows: &[Row]) -> f64 {
    rows.first().map_or(f64::NAN, |(_, count)| *count)
}

/// Puts the table in its place.
///
/// # Errors
/// When there is no place for it.
pub(super) fn write(table: &str) -> Result<()> {
    let text = fs::read_to_string(document())?;
    let (before, _, after) = parts(&text)?;
    fs::write(document(), [before, BEGIN, table, END, after].concat())?;
    Ok(())
}

/// Compares the ratios of `rows` with those of the table.
///
/// # Errors
/// When one is another, or not there.
pub(super) fn check(rows: &[Row]) -> Result<()> {
    let text = fs::read_to_string(document())?;
    let (_, table, _) = parts(&text)?;
    let wrong = differences(&read(table), rows)?;
    if !wrong.is_empty() {
        bail!(
            "a request in Envoy does not cost what docs/benchmarks.md says:\n{wrong}\
             If that is meant: cargo xtask bench --instructions writes the table anew"
        );
    }
    Ok(())
}

fn document() -> PathBuf {
    workspace::root().join("docs/benchmarks.md")
}

/// What stands before the table, the table, and what stands behind it.
fn parts(text: &str) -> Result<(&str, &str, &str)> {
    let (before, rest) = text.split_once(BEGIN).context("no place for the table")?;
    let (table, after) = rest.split_once(END).context("no end of the table")?;
    Ok((before, table, after))
}

fn read(table: &str) -> Vec<Row> {
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.split('|').skip(1).map(str::trim);
        Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
    });
    rows.collect()
}

/// A line for each of `rows` whose ratio is not that of the same name in `table`.
fn differences(table: &[Row], rows: &[Row]) -> Result<String> {
    let mut lines = String::new();
    for (name, count) in rows {
        let row = table.iter().find(|(known, _)| known == name);
        let (_, told) = row.with_context(|| format!("docs/benchmarks.md has no row {name:?}"))?;
        let (told_ratio, ratio) = (told / plain(table), count / plain(rows));
        if (ratio / told_ratio - 1.0).abs() > TOLERANCE {
            writeln!(
                lines,
                "{name}: {told_ratio:.3} times no affinity ({told:.0}) was expected, \
                 {ratio:.3} ({count:.0}) was counted",
            )?;
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, count: f64) -> Row {
        (name.to_owned(), count)
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let rows = [
            row("no affinity", 162_600.0),
            row("limpet: kept", 224_600.0),
        ];
        assert_eq!(read(&of(&rows)), rows);
    }

    #[test]
    fn the_document_has_what_is_checked() {
        let text = fs::read_to_string(document()).unwrap();
        let (_, table, _) = parts(&text).unwrap();
        let checked = [
            "no affinity",
            "limpet: session kept",
            "limpet: new session",
            "limpet: host of no Ingress",
            "as rendered: session kept",
            "as rendered: new session",
        ];
        let table = read(table);
        for name in checked {
            assert!(table.iter().any(|(known, _)| known == name), "{name}");
        }
    }

    #[test]
    fn ratios_are_compared_and_not_counts() {
        let table = [
            row("plain", 100_000.0),
            row("a", 150_000.0),
            row("b", 200_000.0),
        ];
        let counted = |a| differences(&table, &[row("plain", 110_000.0), row("a", a)]);
        assert_eq!(counted(165_000.0).unwrap(), "");
        assert_eq!(counted(168_000.0).unwrap(), "");
        for other in [169_000.0, 161_000.0] {
            assert!(counted(other).unwrap().starts_with("a: 1.500 times"));
        }
        assert!(differences(&table, &[row("plain", 1.0), row("c", 1.0)]).is_err());
    }
}
