//! What is rendered: every manifest that the tests render.

use crate::workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Manifests that are applied and rendered together.
#[derive(Debug)]
pub(super) struct Input {
    /// What the recording is called.
    pub(super) name: String,
    /// From the repository's top folder.
    pub(super) files: Vec<String>,
    /// Tests send requests to an Envoy that has its configuration.
    pub(super) is_asked: bool,
    /// Annotations are validated, as ingress-nginx does.
    pub(super) is_strict: bool,
    /// The group of the policies that are in it, which one platform alone knows.
    pub(super) policies: Option<&'static str>,
}

/// Groups of policies, each of one platform.
pub(super) const ISTIO: &str = "istio.io";
pub(super) const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io";

/// The recorded scenarios, whose ingress-nginx validated annotations.
pub(super) const REST: &str = "rest";

/// What sidecars have no part in.
pub(super) const OF_GATEWAYS: [&str; 3] = [REST, "passthrough", "client-certificates"];

impl Input {
    /// Their text, in one.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn text(&self) -> Result<String> {
        let mut all = String::new();
        for file in &self.files {
            let text = fs::read_to_string(workspace::root().join(file))?;
            all.push_str("---\n");
            all.push_str(&text);
            all.push('\n');
        }
        Ok(all)
    }
}

/// The sample, the case table's Ingresses, what was reported.
///
/// # Errors
/// A folder cannot be read.
pub(super) fn all() -> Result<Vec<Input>> {
    let mut inputs = vec![Input {
        name: "sample".to_owned(),
        files: vec!["envoy/examples/sample-ingress.yaml".to_owned()],
        is_asked: true,
        is_strict: false,
        policies: None,
    }];
    for file in files(Path::new("tests/cases/ingresses"))? {
        inputs.push(Input {
            name: format!("case-{}", stem(&file)),
            files: vec![file],
            is_asked: true,
            is_strict: false,
            policies: None,
        });
    }
    for file in files(Path::new("tests/control-planes/ingresses"))? {
        let text = fs::read_to_string(workspace::root().join(&file))?;
        let groups = [ISTIO, ENVOY_GATEWAY];
        inputs.push(Input {
            is_strict: stem(&file) == REST,
            name: stem(&file),
            files: vec![file],
            is_asked: true,
            policies: groups
                .into_iter()
                .find(|group| text.contains(&format!("{group}/v"))),
        });
    }
    for folder in entries(Path::new("tests/reports"))? {
        inputs.extend(report(&folder)?);
    }
    Ok(inputs)
}

/// Each file with an Ingress is one; ConfigMaps beside it belong to all.
fn report(folder: &Path) -> Result<Vec<Input>> {
    let (mut ingresses, mut settings) = (Vec::new(), Vec::new());
    for file in files(folder)? {
        let text = fs::read_to_string(workspace::root().join(&file))?;
        let has = |kind: &str| text.contains(&format!("kind: {kind}\n"));
        if has("Ingress") {
            ingresses.push(file);
        } else if has("ConfigMap") {
            settings.push(file);
        }
    }
    let name = stem(&folder.to_string_lossy());
    let alone = ingresses.len() == 1;
    let input = |file: String| Input {
        name: if alone {
            name.clone()
        } else {
            format!("{name}-{}", stem(&file))
        },
        files: settings.iter().cloned().chain([file]).collect(),
        is_asked: false,
        is_strict: false,
        policies: None,
    };
    Ok(ingresses.into_iter().map(input).collect())
}

fn stem(file: &str) -> String {
    let stem = Path::new(file).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn files(folder: &Path) -> Result<Vec<String>> {
    let files = entries(folder)?.into_iter();
    let files = files.map(|file| file.to_string_lossy().into_owned());
    Ok(files.filter(|file| file.ends_with(".yaml")).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    let read = workspace::root().join(folder).read_dir();
    for entry in read.with_context(|| format!("no folder {}", folder.display()))? {
        names.push(folder.join(entry?.file_name()));
    }
    names.sort();
    Ok(names)
}
