//! Where in the manifests stands what a note of a rendering is about.

use std::collections::{BTreeSet, HashMap};

use super::finding::{Finding, Level};
use crate::compiled::Compiled;
use crate::taken::TakenIngress;

/// What notes say, each at the place that it is about.
pub(super) fn told(
    compiled: &Compiled<'_>,
    notes: Vec<String>,
    level: Level,
    code: &'static str,
) -> Vec<Finding> {
    let places = Places::of(compiled);
    let finding = |note: String| {
        let placed = places.place(&note);
        Finding {
            level,
            code,
            expected: placed.text.to_owned(),
            file: placed.file,
            line: placed.line,
            ingress: placed.ingress,
            field: "render".to_owned(),
            value: None,
            consequence: String::new(),
            help: Vec::new(),
        }
    };
    notes.into_iter().map(finding).collect()
}

/// What can be found: the files, and who has a host.
pub(super) struct Places<'c> {
    files: BTreeSet<&'c str>,
    hosts: HashMap<String, (&'c TakenIngress<'c>, String)>,
    at: HashMap<String, &'c TakenIngress<'c>>,
}

/// A place, and the Ingress that is meant where that is known.
pub(super) struct Placed<'n> {
    pub(super) file: String,
    /// Counted from 1; 0: not known.
    pub(super) line: u64,
    pub(super) ingress: Option<String>,
    /// The note without its place.
    pub(super) text: &'n str,
}

impl<'c> Places<'c> {
    /// Those of all that is rendered.
    pub(super) fn of(compiled: &'c Compiled<'c>) -> Self {
        let mut found = Self {
            files: BTreeSet::new(),
            hosts: HashMap::new(),
            at: HashMap::new(),
        };
        let manifests = compiled.manifests;
        let objects = manifests.ingresses.iter().chain(manifests.services.iter());
        let objects = objects.chain(manifests.secrets.iter());
        found.files = objects.map(|one| one.origin.file.as_str()).collect();
        for ingress in &compiled.ingresses {
            found.at.entry(ingress.object.place()).or_insert(ingress);
            for (n, rule) in ingress.ingress.rules.iter().enumerate() {
                let entry = found.hosts.entry(rule.host.to_ascii_lowercase());
                entry.or_insert_with(|| (ingress, format!("/spec/rules/{n}/host")));
            }
            for alias in &ingress.annotations.aliases {
                let entry = found.hosts.entry(alias.to_ascii_lowercase());
                entry.or_insert_with(|| (ingress, ingress.object.own_pointer("server-alias")));
            }
        }
        found
    }

    /// The place that a note begins with, else that of the first host that it names.
    pub(super) fn place<'n>(&self, note: &'n str) -> Placed<'n> {
        if let Some(placed) = self.said(note) {
            return placed;
        }
        let words = note.split_whitespace();
        let mut words = words.map(|word| word.trim_end_matches([':', ',', '.', ';']));
        match words.find_map(|word| self.hosts.get(&word.to_ascii_lowercase())) {
            Some((ingress, pointer)) => Placed {
                file: ingress.object.origin.file.clone(),
                line: ingress.object.line_of(pointer),
                ingress: Some(ingress.id().to_owned()),
                text: note,
            },
            None => Placed {
                file: String::new(),
                line: 0,
                ingress: None,
                text: note,
            },
        }
    }

    fn said<'n>(&self, note: &'n str) -> Option<Placed<'n>> {
        let mut ends = note.match_indices(": ");
        let (file, line, text) = ends.find_map(|(at, end)| {
            let (place, text) = note.split_at_checked(at)?;
            let (file, line) = place.rsplit_once(':')?;
            let text = text.strip_prefix(end)?;
            let is_known = self.files.contains(file);
            is_known.then_some((file, line.parse().ok()?, text))
        })?;
        let at = self.at.get(&format!("{file}:{line}"));
        Some(Placed {
            file: file.to_owned(),
            line,
            ingress: at.map(|ingress| ingress.id().to_owned()),
            text,
        })
    }
}
