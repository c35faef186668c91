//! From one text, YAML or JSON, to the Kubernetes objects in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use limpet::ingress::{DEFAULT_PREFIX, Ingress};
use serde_json::Value;
use serde_saphyr::{Spanned, UserMessageFormatter};

use super::breaks::Broken;
use super::error::Unreadable;
use super::plain;
use super::split::{Document, split};
use super::tabs;
use super::tree::{self, Fields, Lines, Tree, Twice, escaped};
use crate::key_pair::KeyPair;

/// Where an object starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file, as the operator named it.
    pub file: String,
    /// Its first line, counted from 1; 0: not known.
    pub line: u64,
}

/// What of an Ingress has room in the objects of all tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Room {
    /// All of it.
    #[default]
    All,
    /// Its paths, lest what they protected fall to others: they answer 503.
    Paths,
    /// Nothing: it is left out.
    Nothing,
    /// Nothing, although its paths protected somebody where others answer.
    NotItsPaths,
}

/// What an Ingress without room would make too large.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Crowded {
    /// An object of all tenants.
    #[default]
    All,
    /// The routes of its host.
    Host,
    /// What the pods of its namespace are told.
    Pods,
}

/// One Kubernetes object, exactly as written.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// The whole object.
    pub value: Value,
    /// Where it starts.
    pub origin: Origin,
    /// Of an Ingress: what stands before the `/` of its annotations for ingress-nginx.
    pub prefix: String,
    /// Of an Ingress: what of it has room in the objects of all tenants.
    pub room: Room,
    /// Of an Ingress: in what it has none.
    pub crowded: Crowded,
    /// Of a Secret: its certificate and key, once somebody wanted to know.
    pub(crate) pair: OnceLock<Result<KeyPair, String>>,
    /// Line of each field by JSON pointer.
    lines: BTreeMap<String, u64>,
}

/// A key, or a whole object, that is written twice, of which the first one has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key, or kind and name of the object.
    pub key: String,
    /// Where the first one stands.
    pub first: Origin,
    /// Where the last one stands.
    pub origin: Origin,
    /// The Ingress that it is in, `namespace/name`.
    pub ingress: Option<String>,
}

impl fmt::Display for DuplicateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, key, first) = (self.origin.place(), &self.key, self.first_place());
        write!(
            f,
            "{place}: {key:?} is written twice, in {first} too; the last one is taken"
        )
    }
}

impl DuplicateKey {
    /// Where the first one stands, seen from the last.
    #[must_use]
    pub fn first_place(&self) -> String {
        if self.first.file == self.origin.file {
            format!("line {}", self.first.line)
        } else {
            self.first.place()
        }
    }
}

impl Object {
    /// `kind`, empty if there is none.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// `apiVersion` as written, empty if there is none.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion").unwrap_or_default()
    }

    /// The group in `apiVersion`; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version()
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The version in `apiVersion`.
    #[must_use]
    pub fn version(&self) -> &str {
        let api = self.api_version();
        api.split_once('/').map_or(api, |(_, version)| version)
    }

    /// `metadata.namespace`, `default` if there is none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self.text("/metadata/namespace") {
            None | Some("") => "default",
            Some(namespace) => namespace,
        }
    }

    /// `metadata.name`, empty if there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// `namespace/name`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.namespace(), self.name())
    }

    /// The string at a JSON pointer.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }

    /// The list at a JSON pointer; empty if there is none.
    #[must_use]
    pub fn list(&self, pointer: &str) -> &[Value] {
        self.value
            .pointer(pointer)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// An Ingress as the module reads it; `None`: it is none.
    #[must_use]
    pub fn ingress(&self) -> Option<Ingress> {
        Ingress::read(&self.value, &self.prefix).ok()
    }

    /// The JSON pointer of an annotation for ingress-nginx, by its name without the prefix.
    #[must_use]
    pub fn own_pointer(&self, name: &str) -> String {
        annotation_pointer(&format!("{}/{name}", self.prefix))
    }

    /// The line of the field at a JSON pointer, or of the nearest field around it.
    #[must_use]
    pub fn line_of(&self, pointer: &str) -> u64 {
        let mut at = pointer;
        loop {
            if let Some(line) = self.lines.get(at) {
                return *line;
            }
            match at.rfind('/') {
                Some(slash) => at = at.get(..slash).unwrap_or_default(),
                None => return self.origin.line,
            }
        }
    }

    /// `file:line` of the field at a JSON pointer.
    #[must_use]
    pub fn place_of(&self, pointer: &str) -> String {
        format!("{}:{}", self.origin.file, self.line_of(pointer))
    }

    /// `file:line` of the object.
    #[must_use]
    pub fn place(&self) -> String {
        self.origin.place()
    }
}

impl Origin {
    /// `file:line`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// The JSON pointer of an annotation, by its full name.
#[must_use]
pub fn annotation_pointer(name: &str) -> String {
    format!("/metadata/annotations/{}", escaped(name))
}

/// What one text holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Every object; a list (`kind: List`, `IngressList`, ...) is opened.
    pub objects: Vec<Object>,
    /// Keys that are written twice.
    pub duplicates: Vec<DuplicateKey>,
    /// Documents that are neither YAML nor JSON.
    pub unreadable: Vec<Unreadable>,
}

/// Everything in the file `name`.
#[must_use]
pub(super) fn read(name: &str, text: &str) -> Contents {
    let mut contents = Contents::default();
    for document in split(text) {
        let file = File {
            name,
            lines_above: document.lines_above,
        };
        match file.trees(document) {
            Ok(trees) => trees
                .into_iter()
                .for_each(|tree| file.open(tree, &mut contents)),
            Err(unreadable) => contents.unreadable.push(unreadable),
        }
    }
    contents
}

/// The one value in the file `name`, and the keys that are written twice in it.
pub(super) fn read_one(name: &str, text: &str) -> Result<(Value, Vec<DuplicateKey>), Unreadable> {
    let file = File {
        name,
        lines_above: 0,
    };
    let document = Document {
        lines_above: 0,
        text,
    };
    let mut trees = file.trees(document)?.into_iter();
    let tree = trees.next().map(|tree| tree.value);
    let tree = tree.unwrap_or(Tree::Leaf(Value::Null));
    let mut lines = Lines::default();
    tree.record("", &mut lines);
    let twice = lines.twice.into_iter();
    let duplicates = twice.map(|twice| file.duplicate(twice, None));
    Ok((tree.to_value(), duplicates.collect()))
}

/// The document of a file that is read.
struct File<'n> {
    name: &'n str,
    lines_above: u64,
}

impl File<'_> {
    fn trees(&self, document: Document<'_>) -> Result<Vec<Spanned<Tree>>, Unreadable> {
        let text = document.text;
        if !text.trim_start().starts_with(['{', '[']) {
            return yaml(text).map_err(|error| self.yaml_error(&error));
        }
        // JSON is read as JSON (YAML lacks some of its escapes, and JSON values may follow each
        // other without a separator); YAML's reader only adds the lines, where it reads the same.
        let yaml = yaml(text);
        let json: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text)
            .into_iter()
            .collect();
        let json = match (json, yaml.is_ok()) {
            (Ok(json), _) => json,
            // YAML in braces, not JSON.
            (Err(_), true) => return Ok(yaml.unwrap_or_default()),
            (Err(error), false) => return Err(self.json_error(&error)),
        };
        let spanned = yaml.unwrap_or_default();
        let same = spanned.len() == json.len()
            && spanned
                .iter()
                .zip(&json)
                .all(|(tree, value)| tree.value.to_value() == *value);
        Ok(if same {
            spanned
        } else {
            json.into_iter().map(Tree::without_lines).collect()
        })
    }

    fn yaml_error(&self, error: &serde_saphyr::Error) -> Unreadable {
        let place = error.location();
        let error = error.without_snippet();
        Unreadable {
            path: self.name.to_owned(),
            line: self.line(place.map_or(1, |place| place.line())),
            column: place.map_or(1, |place| place.column()),
            reason: without_place(&error.render_with_formatter(&UserMessageFormatter)),
        }
    }

    fn json_error(&self, error: &serde_json::Error) -> Unreadable {
        Unreadable {
            path: self.name.to_owned(),
            line: self.line(error.line().try_into().unwrap_or(u64::MAX)),
            column: error.column().max(1).try_into().unwrap_or(u64::MAX),
            reason: without_place(&error.to_string()),
        }
    }

    /// The line in the file; 0, which is not known, stays so.
    fn line(&self, line: u64) -> u64 {
        match line {
            0 => 0,
            line => line.saturating_add(self.lines_above),
        }
    }

    fn origin(&self, line: u64) -> Origin {
        Origin {
            file: self.name.to_owned(),
            line: self.line(line),
        }
    }

    fn duplicate(&self, twice: Twice, ingress: Option<String>) -> DuplicateKey {
        DuplicateKey {
            key: twice.key,
            first: self.origin(twice.first),
            origin: self.origin(twice.last),
            ingress,
        }
    }

    fn open(&self, tree: Spanned<Tree>, contents: &mut Contents) {
        let line = tree.referenced.line();
        match tree.value {
            Tree::Leaf(Value::Null) => {}
            Tree::List(items) => {
                items.into_iter().for_each(|item| self.open(item, contents));
            }
            Tree::Map(mut fields) if fields.is_list() => {
                let twice = fields.twice.drain(..);
                let duplicates = twice.map(|twice| self.duplicate(twice, None));
                contents.duplicates.extend(duplicates);
                let mut keys = fields.kept.iter().map(|(key, _)| key);
                if let Some(key) = keys.find(|key| !OF_LISTS.contains(&&*key.value)) {
                    let at = key.referenced;
                    contents.unreadable.push(Unreadable {
                        path: self.name.to_owned(),
                        line: self.line(at.line()),
                        column: at.column(),
                        reason: format!("a list has no field {:?}", key.value),
                    });
                }
                let inherited = fields.of_items();
                let items = fields.kept.into_iter();
                let mut items = items.filter(|(key, _)| key.value == "items");
                if let Some((_, mut items)) = items.next() {
                    items.value.inherit(&inherited);
                    self.open(items, contents);
                }
            }
            Tree::Map(fields) if fields.holds_items() => {
                contents.unreadable.push(Unreadable {
                    path: self.name.to_owned(),
                    line: self.line(line),
                    column: tree.referenced.column(),
                    reason: "items that no kind says what they are".to_owned(),
                });
            }
            // A leaf is no object, and named so when it is skipped.
            tree @ (Tree::Map(_) | Tree::Leaf(_)) => self.add(&tree, line, contents),
        }
    }

    fn add(&self, tree: &Tree, line: u64, contents: &mut Contents) {
        let mut lines = Lines::default();
        tree.record("", &mut lines);
        let of = lines.of.into_iter();
        let object = Object {
            value: tree.to_value(),
            origin: self.origin(line),
            prefix: DEFAULT_PREFIX.to_owned(),
            room: Room::All,
            crowded: Crowded::All,
            pair: OnceLock::new(),
            lines: of.map(|(at, line)| (at, self.line(line))).collect(),
        };
        let ingress = (object.kind() == "Ingress").then(|| object.id());
        let twice = lines.twice.into_iter();
        let duplicates = twice.map(|twice| self.duplicate(twice, ingress.clone()));
        contents.duplicates.extend(duplicates);
        contents.objects.push(object);
    }
}

/// The fields of a list: what else stands there may have been its items.
const OF_LISTS: [&str; 4] = ["apiVersion", "items", "kind", "metadata"];

impl Fields {
    /// Whether it is a list of objects, with its items.
    fn is_list(&self) -> bool {
        let is_kind = self.text("kind").is_some_and(|kind| kind.ends_with("List"));
        is_kind && self.kept.iter().any(|(key, _)| key.value == "items")
    }

    /// Whether it is one of which nobody says so.
    fn holds_items(&self) -> bool {
        let mut fields = self.kept.iter();
        let is_list = |(key, value): &(Spanned<String>, Spanned<Tree>)| {
            key.value == "items" && matches!(value.value, Tree::List(_))
        };
        self.text("kind").is_none() && fields.any(is_list)
    }

    /// What the items of an `IngressList` do not say themselves, as the API server answers; none of
    /// a plain `List`.
    ///
    /// Source: `decodeToList`, `pkg/apis/meta/v1/unstructured/helpers.go`, Kubernetes' apimachinery.
    fn of_items(&self) -> Vec<(&'static str, String)> {
        let kind = self.text("kind").and_then(|kind| kind.strip_suffix("List"));
        let Some(kind) = kind.filter(|kind| !kind.is_empty()) else {
            return Vec::new();
        };
        let version = self.text("apiVersion").unwrap_or_default();
        vec![
            ("kind", kind.to_owned()),
            ("apiVersion", version.to_owned()),
        ]
    }
}

fn yaml(text: &str) -> Result<Vec<Spanned<Tree>>, serde_saphyr::Error> {
    let broken = Broken::new(text);
    let read = |text: &str| {
        // Without aliases texts are no longer than the document, but for some escapes.
        let most = text.len().saturating_mul(4).saturating_add(16 << 20);
        let read = || serde_saphyr::from_multiple_with_options(text, options());
        let trees = tree::within(most, read);
        trees.map(|mut trees: Vec<Spanned<Tree>>| {
            for tree in &mut trees {
                plain::restore(tree, text);
                broken.restore(tree);
            }
            trees
        })
    };
    match read(&broken.text) {
        Err(error) if text.contains("\n\t") => read(&tabs::spaced(&broken.text)).map_err(|_| error),
        read => read,
    }
}

/// A cluster's whole dump is no attack: as many documents and fields as there are. What protects the
/// stack, and the limits of aliases, stay.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        budget: serde_saphyr::budget! {
            max_documents: usize::MAX,
            max_nodes: usize::MAX,
            max_events: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
        },
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
    }
}

/// Both parsers end with ` at line 1, column 2`, which stands before the reason already.
fn without_place(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut parts = line
        .split(" (defined at ")
        .flat_map(|part| part.split(" at line "));
    parts.next().unwrap_or(line).to_owned()
}
