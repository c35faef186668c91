//! The documents tell what is true: their tables are the code's, their links lead somewhere, and
//! what they say of metrics is of metrics that exist.

use limpet::annotations::catalogue::{ANNOTATIONS, Support};
use limpet::plugin::metric::NAMES;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- annotations: begin -->\n";
const END: &str = "<!-- annotations: end -->";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// First what the module does, then what is rendered beside it, last what is left to others; of these
/// one row per remedy.
fn table() -> String {
    let mut honoured = String::from("| annotation | honoured | difference |\n|---|---|---|\n");
    let mut rendered: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut left = rendered.clone();
    for annotation in ANNOTATIONS {
        let name = format!("`{}`", annotation.name);
        match annotation.support {
            Support::Yes => writeln!(honoured, "| {name} | yes | |").unwrap(),
            Support::Partly(how) => writeln!(honoured, "| {name} | partly | {how} |").unwrap(),
            Support::Rendered(instead) => rendered.entry(instead).or_default().push(name),
            Support::No(instead) => left.entry(instead).or_default().push(name),
        }
    }
    let remedies = |head: &str, remedies: BTreeMap<&str, Vec<String>>| {
        let mut rows = format!("| {head} |\n|---|---|\n");
        for (instead, names) in remedies {
            writeln!(rows, "| {} | {instead} |", names.join(", ")).unwrap();
        }
        rows
    };
    let rendered = remedies("honoured beside the module | by whom", rendered);
    let others = remedies("not honoured | instead", left);
    let summary = "<summary>The rest is not limpet's business: what does it in Envoy</summary>";
    format!("{honoured}\n{rendered}\n<details>\n{summary}\n\n{others}\n</details>\n")
}

/// Compares a page with what it should be; with `UPDATE` it is written.
fn is_up_to_date(page: &str, fresh: &str) {
    let path = root().join(page);
    if fs::read_to_string(&path).unwrap() == fresh {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "{page} is old: UPDATE=1 cargo test --workspace --test core documents"
    );
    fs::write(path, fresh).unwrap();
}

#[test]
fn the_annotation_table_is_the_codes() {
    let page = "docs/annotations.md";
    let text = fs::read_to_string(root().join(page)).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("it has the table");
    let (_, after) = rest.split_once(END).expect("it ends the table");
    is_up_to_date(page, &format!("{before}{BEGIN}{}{END}{after}", table()));
}

#[test]
fn the_tables_of_what_is_lost_are_the_codes() {
    let page = "envoy/losses.md";
    let text = fs::read_to_string(root().join(page)).unwrap();
    let (before, _) = text.split_once("\n\n|").expect("it has tables");
    let fresh = limpet_envoy::check::documented();
    is_up_to_date(page, &format!("{before}\n\n{fresh}"));
}

#[test]
fn every_metric_is_named() {
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    for (name, _) in NAMES {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_key_of_the_configuration_is_named() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let source = fs::read_to_string(root().join("src/config/read.rs")).unwrap();
    let (_, keys) = source.split_once("const KEYS").expect("the keys");
    let (keys, _) = keys.split_once("];").expect("the end of the keys");
    let names: Vec<&str> = keys.split('"').skip(1).step_by(2).collect();
    assert!(names.contains(&"ingresses"), "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

/// Words that look like a metric's name.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("limpet_")).collect()
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let text = fs::read_to_string(root().join("docs/grafana.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions: Vec<&str> = targets.map(|one| one["expr"].as_str().unwrap()).collect();
    let expressions = expressions.join(" ");
    let exist: BTreeSet<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    assert_eq!(metrics(&expressions), exist);
}

#[test]
fn four_alerts_page_somebody_by_metrics_that_exist() {
    let alerts = fs::read_to_string(root().join("docs/alerts.yaml")).unwrap();
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let rules: serde_json::Value = serde_saphyr::from_str(&alerts).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 4);
    for rule in rules {
        let used = metrics(rule["expr"].as_str().unwrap());
        assert!(!used.is_empty(), "{rule}");
        for name in used {
            assert!(NAMES.iter().any(|(known, _)| *known == name), "{name}");
        }
        let alert = rule["alert"].as_str().unwrap();
        assert!(page.contains(&format!("`{alert}`")), "{alert}");
    }
}

/// The documents that people read, seen from the repository's top.
fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    for folder in ["", "docs", "envoy", "tests", "tests/recordings"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    documents
}

/// A heading's name in a link.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    heading
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut followed = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let links = text.split("](").skip(1);
        for link in links.filter_map(|rest| rest.split(')').next()) {
            let here = format!("{}: {link}", document.display());
            if link.starts_with("https://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = if path.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(path)
            };
            assert!(file.exists(), "{here}");
            if !heading.is_empty() {
                let page = fs::read_to_string(&file).unwrap();
                let mut headings = page.lines().filter(|line| line.starts_with('#'));
                assert!(headings.any(|line| anchor(line) == heading), "{here}");
            }
            followed += 1;
        }
    }
    assert!(followed > 40, "{followed} links");
}

#[test]
fn the_readme_shows_a_small_picture_of_the_page() {
    let picture = fs::metadata(root().join("docs/page.webp")).unwrap();
    assert!(
        (5_000..60_000).contains(&picture.len()),
        "{}",
        picture.len()
    );
}
