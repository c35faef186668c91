//! `--locations`: every host's locations in their final order, and which paths changed meaning.

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::Style;
use limpet::policy::{self, Policy};
use limpet::route::location::{Backend, Kind};
use limpet::route::{Location, VirtualHost};

use super::Settings;
use limpet_envoy::clusters;
use limpet_envoy::manifests::Manifests;
use limpet_envoy::plugin_config::{self, EndpointSource, Options, Report};
use limpet_envoy::say;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Prints them, as the core compiles them.
pub(super) fn print(manifests: &Manifests, settings: &Settings) -> anyhow::Result<ExitCode> {
    let (clusters, _) = clusters::clusters(manifests, &settings.endpoints);
    let options = Options {
        endpoints: EndpointSource::Static,
        report: Report::Off,
        strict: settings.strict,
        unmatched_is_not_found: true,
        one_virtual_host: true,
    };
    let plugin = plugin_config::plugin_config(manifests, &clusters, options);
    let (policy, remarks) = policy::read(plugin.to_string().as_bytes())?;
    for remark in remarks {
        say::note(remark);
    }
    let mut hosts: Vec<&VirtualHost> = policy.virtual_hosts().collect();
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = anstream::stdout().lock();
    for host in hosts {
        print_host(&mut out, &policy, manifests, host)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_host(
    out: &mut impl Write,
    policy: &Policy,
    manifests: &Manifests,
    host: &VirtualHost,
) -> io::Result<()> {
    let name = if host.name == "_" {
        "_ (any other host)"
    } else {
        &host.name
    };
    let regex = match host.is_regex {
        true => ": every path is a case-insensitive regular expression, anchored at its start only",
        false => "",
    };
    writeln!(out, "{BOLD}{name}{BOLD:#}{regex}")?;
    for location in &host.locations {
        let kind = match location.kind {
            Kind::Exact => "exact",
            Kind::Prefix => "prefix",
            Kind::Regex => "regex",
        };
        let target = match location.backend {
            Backend::Nobody => "404",
            Backend::Missing => "503, no such Service",
            Backend::Cluster(id) => policy
                .cluster(id)
                .map_or("?", |cluster| cluster.service.as_str()),
        };
        writeln!(
            out,
            "  {kind:<7} {:<32} {target:<28} {DIM}{}{DIM:#}",
            location.path, location.ingress
        )?;
        if let Some(change) = changed(manifests, host, location) {
            writeln!(out, "          {DIM}{change}{DIM:#}")?;
        }
    }
    Ok(())
}

/// What the path meant as written, where the host made something else of it.
fn changed(manifests: &Manifests, host: &VirtualHost, location: &Location) -> Option<String> {
    if !host.is_regex || location.is_implicit {
        return None;
    }
    let ingress = manifests
        .ingresses
        .iter()
        .find(|ingress| ingress.id() == location.ingress)?;
    let written = ingress
        .list("/spec/rules")
        .iter()
        .filter_map(|rule| rule.pointer("/http/paths")?.as_array())
        .flatten()
        .find(|path| path.get("path").and_then(|p| p.as_str()) == Some(&location.path))?;
    let path_type = written
        .get("pathType")
        .and_then(|kind| kind.as_str())
        .unwrap_or("Prefix");
    let own = ["rewrite-target", "use-regex"].iter().any(|name| {
        let pointer = format!("/metadata/annotations/nginx.ingress.kubernetes.io~1{name}");
        ingress.text(&pointer).is_some()
    });
    (!own).then(|| {
        format!(
            "changed: written as {path_type}; another Ingress of this host has rewrite-target or \
             use-regex"
        )
    })
}
