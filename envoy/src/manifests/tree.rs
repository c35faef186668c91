//! A document whose parts know their lines.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

/// A value whose parts know their lines.
#[derive(Debug)]
pub(super) enum Tree {
    /// Neither a list nor a map.
    Leaf(Value),
    /// A list.
    List(Vec<Spanned<Tree>>),
    /// A map.
    Map(Fields),
}

/// A map, each key once: where one is written twice the last one is kept, as `kubectl` does.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// In the order written.
    pub kept: Vec<(Spanned<String>, Spanned<Tree>)>,
    /// The keys that are written twice.
    pub twice: Vec<Twice>,
}

/// A key that is written twice in one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Twice {
    /// The key.
    pub key: String,
    /// The line of the one that has no effect.
    pub first: u64,
    /// The line of the one that has.
    pub last: u64,
}

/// What is known of the lines of a document.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Those of each field, by JSON pointer.
    pub of: BTreeMap<String, u64>,
    /// Every key that is written twice.
    pub twice: Vec<Twice>,
}

impl Fields {
    fn push(
        &mut self,
        at: &mut HashMap<String, usize>,
        key: Spanned<String>,
        value: Spanned<Tree>,
    ) {
        let known = at.get(&key.value).copied();
        match known.and_then(|at| self.kept.get_mut(at)) {
            Some(field) => {
                self.twice.push(Twice {
                    key: key.value.clone(),
                    first: field.0.referenced.line(),
                    last: key.referenced.line(),
                });
                *field = (key, value);
            }
            None => {
                at.insert(key.value.clone(), self.kept.len());
                self.kept.push((key, value));
            }
        }
    }
}

impl Fields {
    /// The string under `name`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut fields = self.kept.iter();
        let (_, value) = fields.find(|(key, _)| key.value == name)?;
        match &value.value {
            Tree::Leaf(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

impl Tree {
    /// Gives each map of this list the fields that it does not have.
    pub(super) fn inherit(&mut self, inherited: &[(&'static str, String)]) {
        let Self::List(items) = self else { return };
        for item in items {
            let (referenced, defined) = (item.referenced, item.defined);
            let Self::Map(fields) = &mut item.value else {
                continue;
            };
            for (name, text) in inherited {
                if fields.kept.iter().any(|(key, _)| key.value == *name) {
                    continue;
                }
                let key = Spanned::new((*name).to_owned(), referenced, defined);
                let text = Self::Leaf(Value::String(text.clone()));
                fields
                    .kept
                    .push((key, Spanned::new(text, referenced, defined)));
            }
        }
    }

    /// The value alone.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Leaf(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.value.to_value()).collect(),
            Self::Map(fields) => {
                let fields = fields.kept.iter();
                let fields = fields.map(|(key, value)| (key.value.clone(), value.value.to_value()));
                Value::Object(fields.collect())
            }
        }
    }

    /// Of a value whose lines nobody knows.
    pub(super) fn without_lines(value: Value) -> Spanned<Self> {
        let nowhere = serde_saphyr::Location::UNKNOWN;
        let tree = match value {
            Value::Array(items) => Self::List(items.into_iter().map(Self::without_lines).collect()),
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(key, value)| {
                    let key = Spanned::new(key, nowhere, nowhere);
                    (key, Self::without_lines(value))
                });
                Self::Map(Fields {
                    kept: fields.collect(),
                    twice: Vec::new(),
                })
            }
            leaf => Self::Leaf(leaf),
        };
        Spanned::new(tree, nowhere, nowhere)
    }

    /// Records what is known of its lines; `at` is where it stands.
    pub(super) fn record(&self, at: &str, lines: &mut Lines) {
        if let Self::Map(fields) = self {
            lines.twice.extend(fields.twice.iter().cloned());
        }
        // A field is where its name is: the text of a block scalar begins a line below.
        let mut child = |key: &str, line: u64, value: &Spanned<Self>| {
            let pointer = format!("{at}/{}", escaped(key));
            value.value.record(&pointer, lines);
            lines.of.insert(pointer, line);
        };
        match self {
            Self::Leaf(_) => {}
            Self::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    child(&i.to_string(), item.referenced.line(), item);
                }
            }
            Self::Map(fields) => {
                for (key, value) in &fields.kept {
                    child(&key.value, key.referenced.line(), value);
                }
            }
        }
    }
}

/// A key as a part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

thread_local! {
    /// How many bytes of texts may still be read on this thread.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Reads with so many bytes of texts at most: an alias copies what it stands for each time.
pub(super) fn within<T>(bytes: usize, read: impl FnOnce() -> T) -> T {
    LEFT.set(bytes);
    let read = read();
    LEFT.set(usize::MAX);
    read
}

fn copied<E: de::Error>(text: &str) -> Result<String, E> {
    let left = LEFT.get().checked_sub(text.len());
    LEFT.set(left.ok_or_else(|| E::custom("aliases repeat too much text"))?);
    Ok(text.to_owned())
}

/// A field's name.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_string(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Key, E> {
        copied(text).map(Key)
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
    fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
        copied(value).map(|text| Tree::Leaf(Value::String(text)))
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
        let mut fields = Fields::default();
        let mut at = HashMap::new();
        while let Some((key, value)) = access.next_entry::<Spanned<Key>, _>()? {
            let key = Spanned::new(key.value.0, key.referenced, key.defined);
            fields.push(&mut at, key, value);
        }
        Ok(Tree::Map(fields))
    }
}
