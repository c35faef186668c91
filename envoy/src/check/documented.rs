//! What ingress-nginx did and what is lost, as tables for the documentation.

use std::fmt::Write as _;

use super::alternatives::{self, Job, Known, Weight};

/// Every annotation and every key whose loss `render` refuses, each with its reason, and after them
/// every key of ingress-nginx's ConfigMap, as Markdown.
#[must_use]
pub fn documented() -> String {
    let mut text =
        String::from("| lost | annotations | keys of the ConfigMap | then |\n|---|---|---|---|\n");
    let losses = alternatives::jobs().iter();
    for job in losses.filter(|job| job.weight == Weight::Loss) {
        row(
            &mut text,
            &[
                job.does.clone(),
                names(job.annotations.iter()),
                names(job.keys.keys()),
                job.without.clone(),
            ],
        );
    }
    text.push_str("\n| key | default | it | after the move |\n|---|---|---|---|\n");
    let mut keys: Vec<&str> = alternatives::keys().collect();
    keys.sort_unstable();
    for key in keys {
        let Some([default, did, now]) = alternatives::key(key).and_then(cells) else {
            continue;
        };
        row(&mut text, &[format!("`{key}`"), default, did, now]);
    }
    text
}

/// The default, what it did, what holds now.
fn cells(known: Known) -> Option<[String; 3]> {
    match known {
        Known::Honoured(honoured) => Some([
            code(&honoured.default),
            honoured.did.clone(),
            match honoured.differs.as_str() {
                "" => "honoured".to_owned(),
                differs => format!("honoured, with a difference: {differs}"),
            },
        ]),
        Known::Job(job, key) => Some([code(&key.default), key.did.clone(), after(job)]),
        Known::WithoutEffect => Some([
            String::new(),
            "had no effect in the ConfigMap".to_owned(),
            "as before".to_owned(),
        ]),
        Known::Retired(_) => None,
    }
}

fn after(job: &Job) -> String {
    let loss = match job.weight {
        Weight::Loss => "**lost**: ",
        Weight::Nothing | Weight::Difference => "",
    };
    format!("{loss}{}. {}", job.without, job.lines().join(". "))
}

fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

fn row(text: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | ")); // never fails on a String
}
