//! Hostile text in every string of the input: what is rendered has the objects that it has without.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::compiled::{Compiled, Flags};
use crate::inert;
use crate::manifests::Manifests;
use crate::render::envoy::{EnvoySettings, render};
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::yaml::to_yaml;

/// Ends a comment, a scalar and a document; an object, a control sequence, a workflow command.
const HOSTILE: &str = "x\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
    metadata: {name: owned}\n---\n'\"\r# \u{1b}[2J\u{85}\u{2028}\n  ::error::owned\n##[error]owned";

const INPUT: &str = include_str!("hostile.yaml");

/// A platform, and what is rendered for it.
type Text = (&'static str, String);

/// What an operator would apply, by platform; where something cannot be rendered, nothing is.
fn rendered(documents: &[Value]) -> Vec<Text> {
    let text: Vec<String> = documents.iter().map(Value::to_string).collect();
    let manifests = Manifests::parse("hostile.json", &text.join("\n")).unwrap();
    let sidecar = IstioArgs {
        sidecar: true,
        ..IstioArgs::default()
    };
    let envoy = |change: fn(&mut EnvoySettings)| {
        let compiled = Compiled::new(&manifests, &Flags::default())?;
        let mut settings = EnvoySettings::default();
        change(&mut settings);
        let rendered = render(&compiled, &settings);
        let files = rendered.files.iter().map(|(_, content)| content);
        let all = [&rendered.bootstrap].into_iter().chain(files);
        let texts: anyhow::Result<Vec<String>> = all.map(to_yaml).collect();
        texts.map(|texts| texts.join("---\n"))
    };
    [
        ("envoy --dns", envoy(|settings| settings.dns = true)),
        (
            "envoy --eds",
            envoy(|settings| settings.eds = Some("/xds".into())),
        ),
        ("istio", istio::text(&manifests, &IstioArgs::default())),
        ("istio --sidecar", istio::text(&manifests, &sidecar)),
        (
            "envoy-gateway",
            envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()),
        ),
    ]
    .into_iter()
    .filter_map(|(platform, text)| Some((platform, text.ok()?)))
    .collect()
}

/// The objects of a text: kind, namespace and name, or the keys of a part of Envoy's configuration.
fn objects(text: &str) -> BTreeSet<String> {
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let identity = |object: &Value| match object.get("kind") {
        Some(kind) => format!("{kind} {}", object["metadata"]),
        None => {
            let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
            format!("{keys:?}")
        }
    };
    objects.iter().map(identity).collect()
}

/// The JSON pointer of every string, and of every object: it may get a further key.
fn places(value: &Value, at: &str, strings: &mut Vec<String>, maps: &mut Vec<String>) {
    match value {
        Value::String(_) => strings.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), strings, maps);
            }
        }
        Value::Object(fields) => {
            maps.push(at.to_owned());
            for (key, field) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(field, &format!("{at}/{key}"), strings, maps);
            }
        }
        _ => {}
    }
}

/// The objects of each platform.
type Known = BTreeMap<&'static str, BTreeSet<String>>;

fn known(texts: &[Text]) -> Known {
    let texts = texts.iter();
    texts
        .map(|(platform, text)| (*platform, objects(text)))
        .collect()
}

/// That `documents` render to objects that are in `plain` or `harmless` for their platform, and that
/// nobody obeys the text.
fn assert_tame(documents: &[Value], plain: &Known, harmless: impl Fn() -> Vec<Text>, what: &str) {
    for (platform, text) in rendered(documents) {
        let mut more = objects(&text);
        let without = |known: &Known, more: &mut BTreeSet<String>| {
            let known = known.get(platform);
            more.retain(|object| !known.is_some_and(|known| known.contains(object)));
        };
        without(plain, &mut more);
        if !more.is_empty() {
            without(&known(&harmless()), &mut more);
        }
        assert_eq!(more, BTreeSet::new(), "{platform}: {what}\n{text}");
        for line in text.lines() {
            let is_obeyed = inert::is_command(line) || line.contains(|c: char| c.is_control());
            assert!(!is_obeyed, "{platform}: {what}: {line:?}");
        }
    }
}

#[test]
fn hostile_text_in_any_string_of_the_input_makes_no_object_and_no_command() {
    let documents: Vec<Value> = serde_saphyr::from_multiple(INPUT).unwrap();
    let plain = known(&rendered(&documents));
    assert_eq!(plain.len(), 5, "the input renders everywhere");
    let mut tried = 0;
    for (index, document) in documents.iter().enumerate() {
        let (mut strings, mut maps) = (Vec::new(), Vec::new());
        places(document, "", &mut strings, &mut maps);
        for pointer in strings {
            let with = |text: &str| {
                let mut documents = documents.clone();
                *documents[index].pointer_mut(&pointer).unwrap() = json!(text);
                documents
            };
            let harmless = || rendered(&with("harmless"));
            let what = format!("document {index}, {pointer}");
            assert_tame(&with(HOSTILE), &plain, harmless, &what);
            tried += 1;
        }
        for pointer in maps {
            let mut documents = documents.clone();
            let fields = documents[index].pointer_mut(&pointer).unwrap();
            let fields = fields.as_object_mut().unwrap();
            fields.insert(HOSTILE.to_owned(), json!("x"));
            let what = format!("document {index}, a key in {pointer:?}");
            assert_tame(&documents, &plain, Vec::new, &what);
            tried += 1;
        }
    }
    assert!(tried > 140, "only {tried} places");
}
