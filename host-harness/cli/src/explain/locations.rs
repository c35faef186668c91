//! `--locations`: every host's locations in their final order, and which paths changed meaning.

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Color, Style};
use limpet::route::location::{Backend, Kind};
use limpet::route::{Location, VirtualHost};

use super::{Explanation, Request, Settings};
use limpet_envoy::compiled::Compiled;
use limpet_envoy::inert;
use limpet_envoy::manifests::Manifests;
use limpet_envoy::say;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const TAKEN: Style = Style::new()
    .bold()
    .fg_color(Some(Color::Ansi(AnsiColor::Green)));

/// A request, and what became of it.
pub(super) struct Taken<'t> {
    pub(super) request: &'t Request,
    pub(super) answer: &'t Explanation,
}

/// One line of a host's table.
struct Row {
    is_taken: bool,
    cells: [String; 4],
    /// What the path meant as written.
    changed: Option<String>,
}

/// What stands above the columns.
const HEAD: [&str; 4] = ["match", "path", "goes to", "ingress"];

/// Prints them, as the core compiles them; for a request those of its host, the one that takes it
/// marked.
pub(super) fn print(
    manifests: &Manifests,
    settings: &Settings,
    taken: Option<&Taken<'_>>,
) -> anyhow::Result<ExitCode> {
    let compiled = Compiled::new(manifests, &settings.flags())?;
    for remark in &compiled.remarks {
        say::note(remark);
    }
    let policy = &compiled.policy;
    let mut hosts: Vec<&VirtualHost> = policy.virtual_hosts().collect();
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(taken) = taken {
        hosts = of_request(hosts, taken.request);
    }
    let mut out = anstream::stdout().lock();
    for host in hosts {
        print_host(&mut out, &compiled, host, taken)?;
    }
    if let Some(taken) = taken
        && taken.answer.location.is_none()
    {
        writeln!(
            out,
            "none of them takes it: {}",
            taken.answer.why.join("; ")
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The host that takes the request: by its name, by a wildcard, or the default server.
fn of_request<'h>(hosts: Vec<&'h VirtualHost>, request: &Request) -> Vec<&'h VirtualHost> {
    let authority = request.authority.as_ref().map(ToString::to_string);
    let name = authority.unwrap_or_default().to_ascii_lowercase();
    let name = name.split(':').next().unwrap_or_default().to_owned();
    let wildcard = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
    let called = |wanted: &str| {
        hosts
            .iter()
            .find(|host| host.name.eq_ignore_ascii_case(wanted))
    };
    let found = called(&name).or_else(|| called(wildcard.as_deref()?));
    let found = found.or_else(|| hosts.iter().find(|host| host.is_default()));
    found.map_or_else(|| hosts.clone(), |host| vec![*host])
}

fn print_host(
    out: &mut impl Write,
    compiled: &Compiled<'_>,
    host: &VirtualHost,
    taken: Option<&Taken<'_>>,
) -> io::Result<()> {
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
    let rows = rows(compiled, host, taken);
    let widths: Vec<usize> = HEAD
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = rows.iter().filter_map(|row| row.cells.get(column));
            let longest = cells.map(|cell| cell.chars().count()).max();
            longest.unwrap_or(0).max(head.len()).min(60)
        })
        .collect();
    let line = |cells: [&str; 4]| {
        let cells = cells.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:<width$}  "))
            .collect();
        line.trim_end().to_owned()
    };
    writeln!(out, "     {DIM}{}{DIM:#}", line(HEAD))?;
    for row in rows {
        let text = line(row.cells.each_ref().map(String::as_str));
        if row.is_taken {
            writeln!(out, "  {TAKEN}=> {text}{TAKEN:#}")?;
        } else {
            writeln!(out, "     {text}")?;
        }
        if let Some(change) = row.changed {
            writeln!(out, "       {DIM}{change}{DIM:#}")?;
        }
    }
    Ok(())
}

fn rows(compiled: &Compiled<'_>, host: &VirtualHost, taken: Option<&Taken<'_>>) -> Vec<Row> {
    let mut is_open = taken.is_some();
    let rows = host.locations.iter().map(|location| {
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
        let is_taken = is_open && taken.is_some_and(|taken| taken.is_by(location));
        is_open &= !is_taken;
        Row {
            is_taken,
            cells: [kind, &location.path, target, &location.ingress].map(inert::line),
            changed: changed(compiled, host, location).map(|change| inert::line(&change)),
        }
    });
    rows.collect()
}

impl Taken<'_> {
    /// Whether this is the location of the decision. One path may be there as Exact and as
    /// Prefix: the former takes itself alone.
    fn is_by(&self, location: &Location) -> bool {
        let text = self.request.path.to_string();
        let path = text.split('?').next().unwrap_or_default();
        self.answer.location.as_deref() == Some(location.path.as_str())
            && self.answer.ingress.as_deref().unwrap_or_default() == location.ingress
            && (location.kind != Kind::Exact || path == location.path)
    }
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
