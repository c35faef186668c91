//! The figures in `recordings/rest/README.md`: compared, or written where `UPDATE` is set.

use std::path::PathBuf;
use std::sync::Mutex;

/// Runners write one after the other.
static LOCK: Mutex<()> = Mutex::new(());

/// Holds the row of a table whose first cell is `name` to these other cells.
///
/// # Panics
/// There is no such row, or it says something else.
pub(super) fn has_row(name: &str, cells: &[String]) {
    let row = row(name, cells);
    let start = format!("| {name} |");
    change(|text| {
        let old = text.lines().find(|line| line.starts_with(&start));
        let old = old.unwrap_or_else(|| panic!("no row {name:?}"));
        text.replace(old, &row)
    });
}

/// Holds the table with this head to these rows.
///
/// # Panics
/// There is no such table, or it says something else.
pub fn has_table(head: &str, rows: &[(String, String)]) {
    let rows = rows
        .iter()
        .map(|(name, cell)| row(name, std::slice::from_ref(cell)) + "\n");
    let rows: String = rows.collect();
    change(|text| {
        let (before, after) = text
            .split_once(head)
            .unwrap_or_else(|| panic!("no {head:?}"));
        let (line, after) = after.trim_start().split_once('\n').unwrap();
        let (_, after) = after.split_once("\n\n").unwrap();
        format!("{before}{head}\n{line}\n{rows}\n{after}")
    });
}

fn change(change: impl FnOnce(&str) -> String) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings/rest/README.md");
    let _lock = LOCK
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let old = std::fs::read_to_string(&file).unwrap();
    let new = change(&old);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, new).unwrap();
        return;
    }
    let differs = old.lines().zip(new.lines()).find(|(old, new)| old != new);
    assert_eq!(
        differs,
        None,
        "UPDATE=1 with this test writes {}",
        file.display()
    );
}

fn row(name: &str, cells: &[String]) -> String {
    format!("| {name} | {} |", cells.join(" | "))
}

/// With a comma before each three digits.
#[must_use]
pub fn number(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
