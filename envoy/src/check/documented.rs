//! What ingress-nginx did and what is lost, as tables for the documentation.

use std::fmt::Write as _;

use limpet::annotations::catalogue::{self, Annotation, Support};

use super::alternatives::{self, Job, Known, Weight};

/// What becomes of every annotation and key, on each platform: exact, with which difference, or lost, and
/// then its paths are closed or nothing is rendered.
fn standings(text: &mut String) {
    text.push_str(
        "What becomes of each on each platform. *As on plain Envoy* is what the column of plain Envoy says; \
         Istio's column is about a gateway, and says what sidecars lack.\n\n",
    );
    text.push_str(
        "| annotation or key | plain Envoy | Istio | Envoy Gateway |\n|---|---|---|---|\n",
    );
    let annotations = catalogue::ANNOTATIONS.iter();
    let annotations = annotations.filter(|row| alternatives::retired(row.name).is_none());
    for annotation in annotations {
        standing(text, annotation.name, &of_annotation(annotation));
    }
    let mut keys: Vec<&str> = alternatives::keys().collect();
    keys.sort_unstable();
    for key in keys
        .into_iter()
        .filter(|key| catalogue::find(key).is_none())
    {
        if let Some(said) = alternatives::key(key).and_then(of_key) {
            standing(text, key, &said);
        }
    }
}

fn standing(text: &mut String, name: &str, said: &str) {
    let cells = ["envoy", "istio", "gateway"].map(|platform| {
        match alternatives::on_platform(name, platform) {
            Some(exact) if exact.starts_with("exact") => exact.to_owned(),
            Some(differs) => format!("differs: {differs}"),
            None => said.to_owned(),
        }
    });
    let [envoy, istio, gateway] = &cells;
    let others = [istio, gateway].map(|cell| {
        let is_same = cell == envoy;
        if is_same {
            "as on plain Envoy".to_owned()
        } else {
            cell.clone()
        }
    });
    let [istio, gateway] = others;
    row(text, &[format!("`{name}`"), envoy.clone(), istio, gateway]);
}

fn of_annotation(annotation: &Annotation) -> String {
    match annotation.support {
        Support::Yes => "exact".to_owned(),
        Support::Partly(how) => format!("differs: {how}"),
        Support::Rendered(_) | Support::No(_) => match alternatives::job(annotation.name, "") {
            Some(job) => of_job(job),
            None => "without effect".to_owned(),
        },
    }
}

fn of_key(known: Known) -> Option<String> {
    match known {
        Known::Honoured(honoured) if honoured.differs.is_empty() => Some("exact".to_owned()),
        Known::Honoured(honoured) => Some(format!("differs: {}", honoured.differs)),
        Known::Job(job, _) => Some(of_job(job)),
        Known::WithoutEffect => Some("exact: no effect".to_owned()),
        Known::Retired(_) => None,
    }
}

fn of_job(job: &Job) -> String {
    match job.weight {
        Weight::Loss => format!("lost (closed): {}", job.without),
        Weight::Difference => format!("differs: {}", job.without),
        Weight::Nothing => format!("nobody notices: {}", job.without),
    }
}

/// Every annotation and every key whose loss `render` refuses, each with its reason, and after them
/// every key of ingress-nginx's ConfigMap, and what becomes of each on each platform, as Markdown.
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
    text.push('\n');
    standings(&mut text);
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
