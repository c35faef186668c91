//! The tables: what a file says, and the pods that its Services have.

use limpet_envoy::manifests::Manifests;
use limpet_tests::pod::Pod;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One file of `cases/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Files of `cases/ingresses/`.
    ingresses: Vec<String>,
    /// `namespace/service` to how many pods it has.
    pods: BTreeMap<String, usize>,
    cases: Vec<Case>,
}

/// One behaviour that a user can see.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// A sentence.
    pub(super) name: String,
    /// Where it comes from: a thread, a source file, an observation.
    #[expect(dead_code, reason = "for the reader of the table")]
    source: Option<String>,
    /// Requests of one client, in order. Cookies are sent only as `cookie` says.
    pub(super) steps: Vec<Step>,
}

/// One request and what comes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// The URL; everything after the host goes out raw.
    pub(super) get: String,
    pub(super) method: Option<String>,
    /// The Cookie header. `{jar}`: what the client was given so far in this case; see
    /// [`super::placeholders`] for the others.
    pub(super) cookie: Option<String>,
    #[serde(default)]
    pub(super) headers: Vec<(String, String)>,
    pub(super) expect: Expect,
    /// What differs on Envoy, and why.
    pub(super) on_envoy: Option<OnEnvoy>,
}

/// What is not named is not compared.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) status: Option<u16>,
    /// A pod (`web-0`), a Service for any of its pods, `same` as in the step before, or `none`.
    pub(super) served_by: Option<String>,
    /// The target that reached the pod.
    pub(super) path: Option<String>,
    /// Header fields that reached the pod; `null`: none.
    #[serde(default)]
    pub(super) at_pod: BTreeMap<String, Option<String>>,
    pub(super) location: Option<String>,
    /// Every Set-Cookie, in order.
    pub(super) set_cookie: Option<Vec<String>>,
    /// What the decision record calls the session.
    pub(super) state: Option<String>,
}

/// What Envoy does otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnEnvoy {
    /// Why it cannot be as elsewhere.
    #[expect(dead_code, reason = "for the reader of the table")]
    why: String,
    /// What it answers instead; nothing: it cannot be asked.
    pub(super) status: Option<u16>,
}

/// A file with its pods started.
pub(super) struct Table {
    /// The recordings of what control planes made of its Ingresses.
    pub(super) recording: String,
    pub(super) manifests: Manifests,
    /// `namespace/service` to its pods.
    pub(super) pods: BTreeMap<String, Vec<Pod>>,
    pub(super) cases: Vec<Case>,
}

impl Table {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
        let entries = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .filter(|file| file.extension().is_some_and(|e| e == "yaml"))
            .collect();
        files.sort();
        files.into_iter().map(|file| Self::read(&file))
    }

    fn read(path: &std::path::Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let file: File =
            serde_saphyr::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/ingresses");
        let recording = match file.ingresses.as_slice() {
            [one] if one.contains("sample-ingress") => "sample".to_owned(),
            [one] => format!("case-{}", one.trim_end_matches(".yaml")),
            _ => panic!("{}: a recording is of one file", path.display()),
        };
        let paths: Vec<_> = file
            .ingresses
            .iter()
            .map(|name| format!("{folder}/{name}"))
            .collect();
        let pods = file
            .pods
            .into_iter()
            .map(|(service, count)| (service, Pod::several(count)));
        Self {
            recording,
            manifests: Manifests::load(&paths).unwrap_or_else(|why| panic!("{why}")),
            pods: pods.collect(),
            cases: file.cases,
        }
    }

    /// What `--endpoints` would say.
    pub(super) fn endpoints(&self) -> Vec<limpet_envoy::clusters::EndpointsFlag> {
        let flag = |(service, pods): (&String, &Vec<Pod>)| {
            let pods: Vec<_> = pods.iter().map(Pod::endpoint).collect();
            format!("{service}={}", pods.join(",")).parse().unwrap()
        };
        self.pods.iter().map(flag).collect()
    }

    /// The addresses of a `namespace/service`.
    pub(super) fn addresses(&self, service: &str) -> Vec<String> {
        let pods = self.pods.get(service).into_iter().flatten();
        pods.map(Pod::endpoint).collect()
    }

    /// The pod called `web-0`.
    pub(super) fn pod(&self, name: &str) -> Option<&Pod> {
        let (service, number) = name.rsplit_once('-')?;
        let (_, pods) = self
            .pods
            .iter()
            .find(|(id, _)| id.rsplit_once('/').unwrap().1 == service)?;
        pods.get(number.parse::<usize>().ok()?)
    }

    /// The pod at an address, as `web-0`.
    pub(super) fn name_of(&self, endpoint: &str) -> Option<String> {
        self.pods.iter().find_map(|(id, pods)| {
            let number = pods.iter().position(|pod| pod.endpoint() == endpoint)?;
            Some(format!("{}-{number}", id.rsplit_once('/')?.1))
        })
    }
}
