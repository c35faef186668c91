//! One crate's modules, and whose items each of them names.

use super::tokens;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What the root module is called.
pub(super) const ROOT: &str = "the crate's root";

/// A path such as `crate::a::b`, from the crate's root, without `crate`.
type Segments = Vec<String>;

/// The modules of a crate by their paths; the root is the empty one.
pub(super) struct Modules(BTreeMap<Segments, Module>);

struct Module {
    children: BTreeSet<String>,
    /// What it names: by `use`, or by a path in its code.
    named: Vec<Segments>,
    /// `pub use`: the name it has here, and what it is.
    passed_on: BTreeMap<String, Segments>,
}

impl Modules {
    /// Reads a crate from its root file on.
    pub(super) fn read(root: &Path) -> Self {
        let mut modules = Self(BTreeMap::new());
        modules.add_file(Vec::new(), root, root.parent().unwrap());
        modules
    }

    fn add_file(&mut self, path: Segments, file: &Path, folder: &Path) {
        let source = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.add(path, &tokens::of(&source), folder, file.parent().unwrap());
    }

    /// Adds a module and those beneath it: in `folder`, or where a `#[path]` seen from `beside`
    /// says.
    fn add(&mut self, path: Segments, tokens: &[String], folder: &Path, beside: &Path) {
        let mut children = BTreeSet::new();
        let mut own = Vec::with_capacity(tokens.len());
        let mut at = 0;
        while at < tokens.len() {
            let end = tokens.get(at + 2).map_or("", String::as_str);
            if tokens[at] != "mod" || !matches!(end, ";" | "{") {
                own.push(tokens[at].clone());
                at += 1;
                continue;
            }
            let name = tokens[at + 1].clone();
            let child = [path.as_slice(), std::slice::from_ref(&name)].concat();
            let length = tokens::item(&tokens[at..]);
            if end == "{" {
                let body = &tokens[at + 3..at + length - 1];
                self.add(child, body, &folder.join(&name), &folder.join(&name));
            } else if let Some(elsewhere) = placed(&own) {
                let file = beside.join(elsewhere);
                self.add_file(child, &file, file.parent().unwrap());
            } else {
                let file = folder.join(format!("{name}.rs"));
                self.add_file(child, &file, &folder.join(&name));
            }
            children.insert(name);
            at += length;
        }
        let module = Module::of(&path, children, &own);
        self.0.insert(path, module);
    }

    /// Every module with the others whose items it names.
    pub(super) fn edges(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut edges = BTreeMap::new();
        for (path, module) in &self.0 {
            let named = module.named.iter().filter_map(|named| self.home(named, 0));
            let others = named.filter(|home| home != path);
            edges.insert(text(path), others.map(|home| text(&home)).collect());
        }
        edges
    }

    /// The module where the item of a path is at home, however it is passed on; `None`: the
    /// path is a module's own, or no path of this crate.
    fn home(&self, named: &[String], depth: usize) -> Option<Segments> {
        assert!(depth < 20, "{named:?} is passed on in a circle");
        let mut at = Segments::new();
        for (index, segment) in named.iter().enumerate() {
            let module = &self.0[&at];
            if module.children.contains(segment) {
                at.push(segment.clone());
            } else if let Some(known) = module.passed_on.get(segment) {
                let known = [known.as_slice(), &named[index + 1..]].concat();
                return self.home(&known, depth + 1);
            } else {
                return Some(at);
            }
        }
        None
    }
}

/// The `..` of a `#[path = ".."]` among the attributes just before.
fn placed(before: &[String]) -> Option<&str> {
    let end = before
        .iter()
        .rposition(|token| matches!(token.as_str(), ";" | "{" | "}"));
    let attributes = &before[end.map_or(0, |end| end + 1)..];
    let mut triples = attributes.windows(3);
    let found = triples.find(|triple| triple[0] == "path" && triple[1] == "=")?;
    Some(found[2].trim_matches('"'))
}

fn text(path: &[String]) -> String {
    match path {
        [] => ROOT.to_owned(),
        _ => path.join("::"),
    }
}

impl Module {
    fn of(path: &[String], children: BTreeSet<String>, tokens: &[String]) -> Self {
        let mut module = Self {
            children,
            named: Vec::new(),
            passed_on: BTreeMap::new(),
        };
        // Names that stand for a path here, and the code without its `use`s.
        let mut imported: BTreeMap<String, Segments> = BTreeMap::new();
        let mut code: Vec<&str> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if tokens[at] != "use" {
                code.push(&tokens[at]);
                at += 1;
                continue;
            }
            let end = at + tokens[at..].iter().position(|end| end == ";").unwrap();
            let public = is_public(&code);
            for (name, used) in tree(&tokens[at + 1..end]) {
                let Some(used) = module.path_from_root(path, &used, &BTreeMap::new()) else {
                    continue;
                };
                if public {
                    module.passed_on.insert(name, used);
                } else {
                    module.named.push(used.clone());
                    imported.insert(name, used);
                }
            }
            at = end + 1;
        }
        let mut at = 0;
        while at < code.len() {
            let mut end = at + 1;
            while end + 1 < code.len() && code[end] == "::" && is_word(code[end + 1]) {
                end += 2;
            }
            let segments: Segments = code[at..end].iter().step_by(2).map(|&s| s.into()).collect();
            let follows = at > 0 && matches!(code[at - 1], "::" | ".");
            if is_word(code[at]) && !follows {
                if let Some(known) = module.passed_on.get(&segments[0]) {
                    module.named.push([known, &segments[1..]].concat());
                } else if segments.len() > 1
                    && let Some(named) = module.path_from_root(path, &segments, &imported)
                {
                    module.named.push(named);
                }
            }
            at = end;
        }
        module
    }

    /// A path as it is written here, from the crate's root; `None`: it is another crate's.
    fn path_from_root(
        &self,
        path: &[String],
        written: &[String],
        imported: &BTreeMap<String, Segments>,
    ) -> Option<Segments> {
        let (first, rest) = written.split_first()?;
        let mut start = match first.as_str() {
            "crate" => Vec::new(),
            "self" => path.to_vec(),
            "super" => path[..path.len().checked_sub(1)?].to_vec(),
            child if self.children.contains(child) => [path, &[child.to_owned()]].concat(),
            name => imported.get(name)?.clone(),
        };
        let mut rest = rest.iter().peekable();
        while rest.next_if(|word| *word == "super").is_some() {
            start.pop()?;
        }
        start.extend(rest.cloned());
        Some(start)
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Whether code that ends so makes the next `use` visible to others.
fn is_public(code: &[&str]) -> bool {
    matches!(code, [.., "pub"] | [.., "pub", "(", _, ")"])
}

/// What a `use` names: each name with its path.
fn tree(tokens: &[String]) -> Vec<(String, Segments)> {
    let brace = tokens.iter().position(|token| token == "{");
    let Some(brace) = brace else {
        let (path, name) = match tokens.iter().position(|token| token == "as") {
            Some(at) => (&tokens[..at], tokens.get(at + 1)),
            None => (tokens, None),
        };
        let words = path.iter().filter(|token| *token != "::");
        let mut path: Segments = words.cloned().collect();
        if path.len() > 1 {
            path.pop_if(|last| last == "self");
        }
        let name = name.or(path.last()).cloned().unwrap_or_default();
        return vec![(name, path)];
    };
    let mut depth = 0;
    let inner = &tokens[brace + 1..tokens.len() - 1];
    let parts = inner.split(|token| {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0 && token == ","
    });
    let whole = parts.map(|part| [&tokens[..brace], part].concat());
    whole
        .filter(|part| part.len() > brace)
        .flat_map(|part| tree(&part))
        .collect()
}
