//! What Envoy does, row by row, on a real Envoy and on the harness.
//!
//! `envoy_behaviour/*.yaml` hold the rows: a guest written as host calls, requests, and what
//! comes of them. Each row has a listener with a plugin of its own; what is behind it is
//! the same for all: see [`backends::Backends`].

mod backends;
mod on_envoy;
mod on_harness;
mod row;

use backends::Backends;
use row::{Place, Row};

/// All rows, in file order.
fn rows(backends: &Backends) -> Vec<Row> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/envoy_behaviour");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    let rows = files.iter().flat_map(|file| {
        let text = backends.fill_in(&std::fs::read_to_string(file).unwrap());
        let rows: Vec<Row> =
            serde_saphyr::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        rows
    });
    rows.collect()
}

/// Plays every row and prints how many agree. `differs`: the rows that are known to differ
/// on this target, and must.
fn play(
    target: &str,
    rows: &[Row],
    mut place: impl FnMut(usize) -> Place,
    backends: &Backends,
    differs: impl Fn(&Row) -> bool,
) {
    let mut failures = Vec::new();
    let mut known = 0;
    for (index, row) in rows.iter().enumerate() {
        let played = row.play(&place(index), backends);
        known += usize::from(differs(row));
        match played {
            Err(why) if !differs(row) => {
                failures.push(format!("{}\n  {}", row.name, why.join("\n  ")));
            }
            Ok(()) if differs(row) => {
                failures.push(format!("{}\n  is said to differ, but agrees", row.name));
            }
            _ => {}
        }
    }
    let agree = rows.len() - failures.len() - known;
    println!(
        "envoy-behaviour on {target}: {} rows, {agree} agree, {known} differ with a reason",
        rows.len()
    );
    assert!(failures.is_empty(), "on {target}:\n{}", failures.join("\n"));
}

#[test]
fn every_row_is_what_a_real_envoy_does() {
    let backends = Backends::start();
    let rows = rows(&backends);
    let envoy = on_envoy::start(&rows, &backends);
    let place = |index: usize| Place {
        listener: envoy.listener(&format!("row-{index}")),
        admin: envoy.admin_address().clone(),
    };
    play("Envoy", &rows, place, &backends, |_| false);
}

#[test]
fn the_harness_does_the_same() {
    let backends = Backends::start();
    let rows = rows(&backends);
    let harness = on_harness::start(&rows, &backends);
    play(
        "the harness",
        &rows,
        |index| harness.place(index),
        &backends,
        |row| row.harness.is_some(),
    );
}
