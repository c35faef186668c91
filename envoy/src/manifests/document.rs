//! From one text, YAML or JSON, to the Kubernetes objects in it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

use super::error::ManifestError;

/// Where an object starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file, as the operator named it.
    pub file: String,
    /// Its first line, counted from 1; 0: not known.
    pub line: u64,
}

/// One Kubernetes object, exactly as written.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// The whole object.
    pub value: Value,
    /// Where it starts.
    pub origin: Origin,
    /// Line of each field by JSON pointer.
    lines: BTreeMap<String, u64>,
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
        format!("{}:{}", self.origin.file, self.origin.line)
    }
}

/// The JSON pointer of an annotation, by its full name.
#[must_use]
pub fn annotation_pointer(name: &str) -> String {
    format!("/metadata/annotations/{}", escaped(name))
}

/// A key as a part of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Every object in `text`; a list (`kind: List`, `IngressList`, ...) is opened.
///
/// # Errors
/// When the text is neither YAML nor JSON.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Object>, ManifestError> {
    let mut objects = Vec::new();
    for tree in trees(file, text)? {
        open(file, tree, &mut objects);
    }
    Ok(objects)
}

fn trees(file: &str, text: &str) -> Result<Vec<Spanned<Tree>>, ManifestError> {
    let yaml = serde_saphyr::from_multiple_with_options::<Spanned<Tree>>(text, options());
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml.map_err(|error| yaml_error(file, &error));
    }
    // JSON is read as JSON (YAML lacks some of its escapes, and JSON values may follow each other
    // without a separator); YAML's reader only adds the lines, where it reads the same.
    let json: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect();
    let json = match (json, yaml.is_ok()) {
        (Ok(json), _) => json,
        // YAML in braces, not JSON.
        (Err(_), true) => return Ok(yaml.unwrap_or_default()),
        (Err(error), false) => return Err(json_error(file, &error)),
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

/// A cluster's whole dump is no attack: as many documents and fields as there are. What protects the
/// stack, and the limits of aliases, stay.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: usize::MAX,
            max_nodes: usize::MAX,
            max_events: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
        },
    }
}

fn yaml_error(file: &str, error: &serde_saphyr::Error) -> ManifestError {
    let place = error.location();
    let text = error.without_snippet().to_string();
    ManifestError::Syntax {
        path: file.to_owned(),
        line: place.map_or(1, |place| place.line()),
        column: place.map_or(1, |place| place.column()),
        reason: without_place(&text),
    }
}

fn json_error(file: &str, error: &serde_json::Error) -> ManifestError {
    ManifestError::Syntax {
        path: file.to_owned(),
        line: error.line().try_into().unwrap_or(u64::MAX),
        column: error.column().try_into().unwrap_or(u64::MAX),
        reason: without_place(&error.to_string()),
    }
}

/// Both parsers end with ` at line 1, column 2`, which stands before the reason already.
fn without_place(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.split(" at line ").next().unwrap_or(line).to_owned()
}

fn open(file: &str, tree: Spanned<Tree>, objects: &mut Vec<Object>) {
    let fields = match tree.value {
        Tree::Leaf(Value::Null) => return,
        // No object, and named so when it is skipped.
        Tree::Leaf(_) => &Vec::new(),
        Tree::List(items) => {
            return items.into_iter().for_each(|item| open(file, item, objects));
        }
        Tree::Map(ref fields) => fields,
    };
    let is_list = fields.iter().any(|(key, value)| {
        key.value == "kind"
            && matches!(&value.value, Tree::Leaf(Value::String(s)) if s.ends_with("List"))
    });
    let items = is_list
        .then(|| fields.iter().position(|(key, _)| key.value == "items"))
        .flatten();
    match (tree.value, items) {
        (Tree::Map(mut fields), Some(at)) => {
            if let Tree::List(items) = fields.swap_remove(at).1.value {
                items.into_iter().for_each(|item| open(file, item, objects));
            }
        }
        (value, _) => {
            let mut lines = BTreeMap::new();
            value.record_lines("", &mut lines);
            objects.push(Object {
                value: value.to_value(),
                origin: Origin {
                    file: file.to_owned(),
                    line: tree.referenced.line(),
                },
                lines,
            });
        }
    }
}

/// A value whose parts know their lines.
#[derive(Debug)]
enum Tree {
    Leaf(Value),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl Tree {
    fn to_value(&self) -> Value {
        match self {
            Self::Leaf(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.value.to_value()).collect(),
            Self::Map(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, value)| (key.value.clone(), value.value.to_value()))
                    .collect(),
            ),
        }
    }

    fn without_lines(value: Value) -> Spanned<Self> {
        let nowhere = serde_saphyr::Location::UNKNOWN;
        let tree = match value {
            Value::Array(items) => Self::List(items.into_iter().map(Self::without_lines).collect()),
            Value::Object(fields) => Self::Map(
                fields
                    .into_iter()
                    .map(|(key, value)| {
                        (
                            Spanned::new(key, nowhere, nowhere),
                            Self::without_lines(value),
                        )
                    })
                    .collect(),
            ),
            leaf => Self::Leaf(leaf),
        };
        Spanned::new(tree, nowhere, nowhere)
    }

    fn record_lines(&self, at: &str, lines: &mut BTreeMap<String, u64>) {
        // A field is where its name is: the text of a block scalar begins a line below.
        let mut child = |key: &str, line: u64, value: &Spanned<Self>| {
            let pointer = format!("{at}/{}", escaped(key));
            value.value.record_lines(&pointer, lines);
            lines.insert(pointer, line);
        };
        match self {
            Self::Leaf(_) => {}
            Self::List(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(i, item)| child(&i.to_string(), item.referenced.line(), item));
            }
            Self::Map(fields) => fields
                .iter()
                .for_each(|(key, value)| child(&key.value, key.referenced.line(), value)),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Number(value.into())))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Number(value.into())))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }
    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::String(value.to_owned())))
    }
    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }
    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Map(fields))
    }
}
