//! `--locations`: every host's locations in their final order, and which paths changed meaning.

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::Style;
use limpet::route::location::{Backend, Kind};
use limpet::route::{Location, VirtualHost};

use super::Settings;
use limpet_envoy::compiled::Compiled;
use limpet_envoy::inert;
use limpet_envoy::manifests::Manifests;
use limpet_envoy::say;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Prints them, as the core compiles them.
pub(super) fn print(manifests: &Manifests, settings: &Settings) -> anyhow::Result<ExitCode> {
    let compiled = Compiled::new(manifests, &settings.flags())?;
    for remark in &compiled.remarks {
        say::note(remark);
    }
    let policy = &compiled.policy;
    let mut hosts: Vec<&VirtualHost> = policy.virtual_hosts().collect();
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = anstream::stdout().lock();
    for host in hosts {
        print_host(&mut out, &compiled, host)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_host(out: &mut impl Write, compiled: &Compiled<'_>, host: &VirtualHost) -> io::Result<()> {
    let name = if host.is_default() {
        "_ (any other host)"
    } else {
        &host.name
    };
    let regex = if host.is_regex {
        ": every path is a case-insensitive regular expression, anchored at its start only"
    } else {
        ""
    };
    writeln!(out, "{BOLD}{}{BOLD:#}{regex}", inert::line(name))?;
    for location in host.locations.iter() {
        let kind = match location.kind {
            Kind::Exact => "exact",
            Kind::Prefix => "prefix",
            Kind::Regex => "regex",
        };
        let target = match location.backend {
            Backend::Nobody => "404",
            Backend::Missing => "503, no such Service",
            Backend::Cluster(id) => compiled
                .policy
                .cluster(id)
                .map_or("?", |cluster| cluster.service.as_str()),
        };
        writeln!(
            out,
            "  {kind:<7} {:<32} {target:<28} {DIM}{}{DIM:#}",
            inert::line(&location.path),
            inert::line(&location.ingress)
        )?;
        if let Some(change) = changed(compiled, host, location) {
            writeln!(out, "          {DIM}{}{DIM:#}", inert::line(&change))?;
        }
    }
    Ok(())
}

/// What the path meant as written, where the host made something else of it.
fn changed(compiled: &Compiled<'_>, host: &VirtualHost, location: &Location) -> Option<String> {
    if !host.is_regex || location.is_implicit {
        return None;
    }
    let mut ingresses = compiled.ingresses.iter();
    let ingress = ingresses.find(|one| one.id() == location.ingress)?;
    if ingress.annotations.rewrite.asks_for_regex() {
        return None;
    }
    let path = ingress
        .paths()
        .find(|path| path.path.path == location.path)?;
    let path_type = ingress.object.text(&format!("{}/pathType", path.pointer));
    Some(format!(
        "changed: written as {}; another Ingress of this host has rewrite-target or use-regex",
        path_type.unwrap_or("Prefix")
    ))
}
