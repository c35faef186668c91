//! What a recorded scenario gives to limpet.

use crate::pod::Pod;
use crate::recordings;
use crate::rendered::edit_plugin;
use limpet_envoy::check::Platform;
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::losses::{LossArgs, settle};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::envoy::{EnvoySettings, render};
use serde_json::Value;
use std::collections::BTreeMap;

/// Its manifests.
pub struct Given<'s> {
    /// As recorded.
    pub scenario: &'s Value,
    /// What of it is given.
    pub manifests: Manifests,
    /// Something of it was lost, and is closed.
    pub is_closed: bool,
    /// Annotations are validated.
    pub is_strict: bool,
}

impl<'s> Given<'s> {
    /// All of it.
    ///
    /// # Panics
    /// It cannot be read.
    #[must_use]
    pub fn of(scenario: &'s Value) -> Self {
        let mut manifests = Manifests::parse("scenario", &recordings::manifests(scenario)).unwrap();
        if let Some(default) = recordings::default_backend(scenario) {
            let key = "default_backend".to_owned();
            manifests.given.insert(key, default.into());
        }
        Self {
            scenario,
            manifests,
            is_closed: false,
            is_strict: recordings::is_strict(scenario),
        }
    }

    /// The same without `--strict`.
    #[must_use]
    pub fn unvalidated(self) -> Self {
        Self {
            is_strict: false,
            ..self
        }
    }

    /// What is said of it.
    fn remarks(&self) -> Vec<String> {
        let compiled = Compiled::new(&self.manifests, &self.flags()).unwrap();
        compiled.remarks.iter().map(ToString::to_string).collect()
    }

    /// The same with `--close`.
    ///
    /// # Panics
    /// It cannot be closed.
    #[must_use]
    pub fn closed(mut self, platform: Platform) -> Self {
        let args = LossArgs {
            close: true,
            ..LossArgs::default()
        };
        let flags = self.flags();
        let lines = settle(&mut self.manifests, &flags, &args, platform).unwrap();
        self.is_closed = lines.iter().any(|line| line.starts_with("closed"));
        self
    }

    /// The flags as the controller had them, and no endpoints.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags {
            strict: self.is_strict,
            on_envoy: true,
            ..Flags::default()
        }
    }

    /// The flags, and these pods for its endpoints.
    ///
    /// # Panics
    /// A Service of it has no pod.
    #[must_use]
    pub fn flags_with(&self, pods: &BTreeMap<String, Pod>) -> Flags {
        let flag = |(name, pod): (String, Option<String>)| -> EndpointsFlag {
            let pod = pod.unwrap_or_default();
            format!("{name}={pod}").parse().unwrap()
        };
        let endpoints = addresses(self.scenario, pods).map(flag);
        Flags {
            endpoints: endpoints.collect(),
            ..self.flags()
        }
    }
}

/// Whether the validation of annotations refuses something of a scenario.
///
/// # Panics
/// It cannot be read.
#[must_use]
pub fn is_refused_in_part(scenario: &Value) -> bool {
    Given::of(scenario).remarks() != Given::of(scenario).unvalidated().remarks()
}

/// Where each Service of a scenario is: one of the pods, or where nobody is.
pub(super) fn addresses<'p>(
    scenario: &Value,
    pods: &'p BTreeMap<String, Pod>,
) -> impl Iterator<Item = (String, Option<String>)> + use<'p> {
    let serves = |endpoint: &String| {
        let nobody = endpoint.ends_with(":9") || endpoint.starts_with("192.0.2.");
        !nobody
    };
    let all = recordings::endpoints(scenario).into_iter();
    all.map(move |(name, recorded)| {
        let at = if recorded.iter().any(serves) {
            Some(pods[&name].endpoint())
        } else {
            // Nobody listens there.
            (!recorded.is_empty()).then(|| "127.0.0.1:9".to_owned())
        };
        (name, at)
    })
}

/// Whether `render envoy` writes a way to pods of its own for some Ingress: time-outs, tries, copies.
#[must_use]
pub fn asks_for_ways(compiled: &Compiled<'_>) -> bool {
    let settings = EnvoySettings {
        allow_loopback: true,
        ..EnvoySettings::default()
    };
    let mut bootstrap = render(compiled, &settings).bootstrap;
    let mut asks = false;
    edit_plugin(&mut bootstrap, |config| {
        asks = config["policies"].is_object();
    });
    asks
}
