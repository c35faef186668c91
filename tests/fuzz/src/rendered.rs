//! What `limpet render` makes of hostile manifests, read back.

use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::inert;
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::envoy::{EnvoySettings, render};
use limpet_envoy::render::envoy_gateway::{self, EnvoyGatewayArgs};
use limpet_envoy::render::istio::{self, IstioArgs};
use limpet_envoy::render::served::Served;
use limpet_envoy::render::yaml::to_yaml;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static DOCUMENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let text = include_str!("../../../envoy/src/render/tests/hostile.yaml");
    serde_saphyr::from_multiple(text).unwrap()
});

/// Document and JSON pointer of every string.
static PLACES: LazyLock<Vec<(usize, String)>> = LazyLock::new(|| {
    let mut places = Vec::new();
    for (at, document) in DOCUMENTS.iter().enumerate() {
        strings(document, String::new(), &mut |pointer| {
            places.push((at, pointer))
        });
    }
    places
});

/// The kinds that are rendered where nobody is hostile.
static KINDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let all = (0..PLATFORMS).filter_map(|which| rendered_for(which, &DOCUMENTS));
    let values = all.flat_map(|platform| platform.meant);
    values.filter_map(|value| kind(&value)).collect()
});

/// A byte that says for whom it is rendered; then texts with a byte 0 between them, each behind a byte
/// that says where in the manifests it stands.
pub fn rendered(data: &[u8]) {
    let Some((which, texts)) = data.split_first() else {
        return;
    };
    let mut documents = DOCUMENTS.clone();
    for chunk in texts.split(|byte| *byte == 0).take(4) {
        let Some((place, text)) = chunk.split_first() else {
            continue;
        };
        let (at, pointer) = &PLACES[usize::from(*place) % PLACES.len()];
        let text = String::from_utf8_lossy(text).into_owned();
        *documents[*at].pointer_mut(pointer).unwrap() = text.into();
    }
    let Some(Rendered { meant, text }) = rendered_for(*which % PLATFORMS, &documents) else {
        return;
    };
    let read = serde_saphyr::from_multiple::<Value>(&text);
    let read = read.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(
        read, meant,
        "it is read otherwise than it is meant:\n{text}"
    );
    for kind in meant.iter().filter_map(kind) {
        assert!(KINDS.contains(&kind), "a {kind}\n{text}");
    }
    for line in text.lines() {
        let is_told = |character: char| character.is_control() && character != '\t';
        let is_obeyed = inert::is_command(line) || line.contains(is_told);
        assert!(!is_obeyed, "{line:?}");
    }
}

/// What is rendered for a platform.
struct Rendered {
    /// The objects.
    meant: Vec<Value>,
    /// What is printed.
    text: String,
}

/// Platforms, those with other flags among them.
const PLATFORMS: u8 = 5;

/// `None`: what cannot be rendered is not.
fn rendered_for(which: u8, documents: &[Value]) -> Option<Rendered> {
    let text: Vec<String> = documents.iter().map(Value::to_string).collect();
    let manifests = Manifests::parse("hostile.json", &text.join("\n")).ok()?;
    let compiled = Compiled::new(&manifests, &Flags::default()).ok()?;
    let served = Served::new(&compiled);
    let (resources, text) = match which {
        0 | 1 => {
            let args = IstioArgs {
                sidecar: which == 1,
                ..IstioArgs::default()
            };
            let text = istio::text(&manifests, &args).ok()?;
            (istio::resources(&served, &args), text)
        }
        2 => {
            let args = EnvoyGatewayArgs::default();
            let text = envoy_gateway::text(&manifests, &args).ok()?;
            let served = Served::on_envoy_gateway(&compiled);
            (envoy_gateway::resources(&served, &args), text)
        }
        _ => {
            let settings = EnvoySettings {
                dns: which == 3,
                eds: (which == 4).then(|| "/xds".into()),
                ..EnvoySettings::default()
            };
            let rendered = render(&compiled, &settings);
            let files = rendered.files.into_iter().map(|(_, content)| content);
            let meant: Vec<Value> = [rendered.bootstrap].into_iter().chain(files).collect();
            let texts = meant.iter().map(to_yaml).collect::<Result<Vec<_>, _>>();
            let text = texts.expect("values can be written").join("---\n");
            return Some(Rendered { meant, text });
        }
    };
    let meant = resources.into_iter().map(|resource| resource.value);
    Some(Rendered {
        meant: meant.collect(),
        text,
    })
}

/// `None`: a part of Envoy's configuration.
fn kind(object: &Value) -> Option<String> {
    Some(format!("{} {}", object.get("apiVersion")?, object["kind"]))
}

fn strings(value: &Value, at: String, found: &mut dyn FnMut(String)) {
    match value {
        Value::String(_) => found(at),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                strings(item, format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                strings(field, format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}
