//! `limpet render envoy`: a complete bootstrap for Envoy alone.

mod address;
pub(in crate::render) mod client;
mod cluster;
mod eds;
mod listener;
mod matcher;
mod overload;
mod passthrough;
mod reach;
mod route;
mod settings;
mod tls;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use limpet::config::Secret;
use serde_json::{Value, json};

pub use address::Address;
pub use eds::{endpoint_file, endpoint_resource, load_assignment, write_in_place};
pub use settings::{EnvoyArgs, EnvoySettings};

use self::eds::{Readers, write_for};
use super::way::{Copies, Ways};
use super::yaml::{comments, to_yaml};
use crate::check::{self, Finding};
use crate::clusters::{Cluster, Twin};
use crate::compiled::{Compiled, Flags};
use crate::passthrough::Passthrough;
use crate::plugin_config::{Options, Report, Unmatched, plugin_config};
use crate::progress::Progress;
use crate::say;
use crate::upstream_tls::UpstreamTls;

/// What is rendered.
#[derive(Debug)]
pub struct Rendered {
    /// The bootstrap.
    pub bootstrap: Value,
    /// Files beside it, with `--eds`: path and content.
    pub files: Vec<(PathBuf, Value)>,
    /// What the operator should know.
    pub notes: Vec<String>,
    /// Who may read those files.
    readers: Readers,
}

impl Rendered {
    /// The bootstrap as it is printed; `head`: lines of comment above it.
    ///
    /// # Errors
    /// When a value cannot be written as YAML.
    pub fn text(&self, head: &[String]) -> anyhow::Result<String> {
        let mut text = String::new();
        comments(&mut text, head);
        text.push_str(&to_yaml(&self.bootstrap)?);
        Ok(text)
    }

    /// Writes the files. Where there is a private key or a cookie key among them, they are for the user alone, and
    /// so is the folder, if it is not there yet.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write_files(&self) -> anyhow::Result<()> {
        for (path, content) in &self.files {
            write_for(self.readers, path, &to_yaml(content)?)?;
        }
        Ok(())
    }
}

/// Renders a bootstrap.
#[must_use]
pub fn render(compiled: &Compiled<'_>, settings: &EnvoySettings) -> Rendered {
    let options = Options {
        report: if settings.report {
            Report::Why
        } else {
            Report::Off
        },
        unmatched: Unmatched::NotFound,
        one_virtual_host: true,
        ..Options::default()
    };
    let mut plugin = plugin_config(compiled, options);
    let mut notes = Vec::new();
    let passed = Passthrough::all(compiled);
    notes.extend(passed.iter().filter_map(Passthrough::note));
    let copies = Copies {
        refused: &|name, port| reach::refused_name(settings, name, port),
        to_services: false,
    };
    let mut of_ways = Vec::new();
    let ways = Ways::new(compiled, &copies, &compiled.otherwise, &mut of_ways);
    if let (false, Some(fields)) = (ways.of.is_empty(), plugin.as_object_mut()) {
        fields.insert("policies".to_owned(), json!(ways.of));
    }
    let pages = error_pages(compiled);
    if let (false, Some(fields)) = (pages.is_empty(), plugin.as_object_mut()) {
        let names = pages
            .iter()
            .map(|one| (one.service_port.key(), json!(one.name())));
        fields.insert("error_pages".to_owned(), names.collect());
    }
    let chain = listener::Chain {
        compiled,
        plugin: &plugin,
        ways: &ways,
        settings,
        has_certificates: client::asks(compiled),
        passed: &passed,
    };
    let most = tls::most(chain.size());
    let certificates = tls::chains(compiled, settings.tls.as_ref(), &passed, most, &mut notes);
    notes.extend(of_ways);
    let shown = compiled.upstream_tls.by_cluster.iter();
    let shown = shown.filter(|(_, said)| said.holds_a_key());
    notes.extend(shown.map(|(service, _)| {
        format!("{service}: the private key that its pods are shown is in the output")
    }));
    let listeners = chain.listeners(&certificates);
    let mut rendered_clusters: Vec<Value> = Vec::new();
    let all = compiled.clusters.iter().chain(&compiled.authorizers);
    for cluster in all.clone() {
        rendered_clusters.push(cluster::cluster(compiled, cluster, settings, &mut notes));
    }
    // What is to be said of them is said where they serve.
    let again = compiled.clusters.iter().flat_map(Cluster::speakers);
    let again: Vec<Cluster> = pages.into_iter().chain(again).collect();
    let again = again.iter();
    rendered_clusters.extend(
        again
            .clone()
            .map(|one| cluster::cluster(compiled, one, settings, &mut Vec::new())),
    );
    rendered_clusters.extend(passthrough::clusters(compiled, &passed, settings));
    rendered_clusters.extend(ways.mirrors(compiled.manifests));
    rendered_clusters.push(cluster::admin_cluster(&settings.admin));
    let known = all.clone().chain(again);
    let known: usize = known.map(|one| one.endpoints.len()).sum();
    // Those of `ssl-passthrough` are in a cluster of their own besides.
    let endpoints = known.saturating_mul(if passed.is_empty() { 1 } else { 2 });
    let may_grow = settings.eds.is_some() || settings.dns;
    let longest = overload::longest_answer(endpoints, may_grow);
    let mut bootstrap = json!({
        "node": { "id": "limpet", "cluster": "limpet" },
        "admin": { "address": settings.admin.to_envoy() },
        "overload_manager": overload::manager(settings),
        "static_resources": { "listeners": listeners, "clusters": rendered_clusters },
        "layered_runtime": { "layers": [{ "name": "limpet", "static_layer": {
            // nginx serves what stands before a `#`.
            "envoy.reloadable_features.http_reject_path_with_fragment": false,
            "http.async_response_buffer_limit": longest,
        } }] },
    });
    let files = match &settings.eds {
        Some(folder) => eds::move_to_files(&mut bootstrap, folder, all, settings),
        None => Vec::new(),
    };
    let keys = compiled.config.cookie_keys.iter().flatten();
    let mut written = keys.filter(|key| matches!(key, Secret::Value(_)));
    let has_secret = written.next().is_some()
        || !compiled.config.secrets.is_empty()
        || certificates.iter().any(tls::Chain::holds_a_key)
        || compiled
            .upstream_tls
            .by_cluster
            .values()
            .any(UpstreamTls::holds_a_key);
    let readers = if has_secret {
        Readers::Owner
    } else {
        Readers::AsUsual
    };
    if readers == Readers::Owner && !files.is_empty() {
        notes.push(
            "the files of --eds have private keys or cookie keys in them and are readable for this user alone: \
             Envoy has to run as the same"
                .to_owned(),
        );
    }
    Rendered {
        bootstrap,
        files,
        notes,
        readers,
    }
}

/// Those that have pages of `custom-http-errors`, once more: what Envoy adds to the module's
/// questions is taken off there.
#[must_use]
pub fn error_pages(compiled: &Compiled<'_>) -> Vec<Cluster> {
    let has_pages = |cluster: &&Cluster| {
        let core = compiled.cluster(&cluster.service_port);
        core.is_some_and(|core| core.has_pages)
    };
    let asked = compiled.clusters.iter().filter(has_pages);
    asked.map(|cluster| cluster.twin(Twin::Pages)).collect()
}

/// Prints the bootstrap; notes go to standard error.
///
/// # Errors
/// When the manifests cannot be read or a file cannot be written.
pub fn run(args: &EnvoyArgs) -> anyhow::Result<ExitCode> {
    let progress = Progress::of("rendering");
    let flags = Flags {
        on_envoy: true,
        ..args.render.manifests.flags(&args.endpoints)
    };
    let (manifests, mut head) = args
        .render
        .load(&flags, check::Platform::Envoy, |_, _| Ok(()))?;
    let compiled = Compiled::new(&manifests, &flags)?;
    let settings = &args.settings;
    let rendered = render(&compiled, settings);
    let mut others = check::to_each_other(&compiled);
    others.extend(check::closed(&compiled));
    let others: Vec<String> = others.iter().map(Finding::located).collect();
    drop(progress);
    let notes = others.iter().chain(&rendered.notes).cloned();
    for note in compiled.all_notes().chain(notes) {
        say::note(note);
    }
    for remark in compiled.ignored() {
        say::note(remark);
    }
    rendered.write_files()?;
    for (path, _) in &rendered.files {
        say::note(format_args!("{} written", path.display()));
    }
    head.extend(others.iter().map(|note| format!("note: {note}")));
    std::io::stdout()
        .write_all(rendered.text(&head)?.as_bytes())
        .context("the output cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
