//! One answer for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{ByteString, Decision, Explanation, Request};
use limpet_envoy::inert;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Prints question and answer. Styles are written always; the stream drops them where no terminal
/// shows them.
pub(super) fn print(
    out: &mut impl Write,
    request: &Request,
    answer: &Explanation,
) -> io::Result<()> {
    let show = |value: &Option<ByteString>, default: &str| {
        value
            .as_ref()
            .map_or_else(|| default.to_owned(), ToString::to_string)
    };
    writeln!(
        out,
        "{BOLD}{} {}://{}{}{BOLD:#}",
        show(&request.method, "GET"),
        show(&request.scheme, "http"),
        show(&request.authority, ""),
        request.path
    )?;
    let (word, colour) = match answer.outcome {
        Decision::Forward => ("forwarded", AnsiColor::Green),
        Decision::Redirect => ("redirected", AnsiColor::Cyan),
        Decision::NotFound => ("not found", AnsiColor::Yellow),
        // A preflight that is let in, say.
        Decision::Reject if is_fine(answer) => ("answered", AnsiColor::Green),
        Decision::Reject => ("refused", AnsiColor::Red),
    };
    let colour = colour.on_default();
    row(out, "", &format!("{colour}{word}{colour:#}"))?;
    for (label, value) in rows(answer) {
        row(out, label, &value)?;
    }
    if let Some(client) = &answer.client {
        let assumed = match request.client {
            Some(_) => "",
            None => " (assumed: --client gives another)",
        };
        row(out, "client", &format!("{client}{assumed}"))?;
    }
    for (index, reason) in answer.why.iter().enumerate() {
        let label = if index == 0 { "why" } else { "" };
        row(out, label, &inert::line(reason))?;
    }
    if let Some(upstream) = &answer.upstream {
        for (index, (name, value)) in upstream.headers.iter().enumerate() {
            let label = if index == 0 { "the pod saw" } else { "" };
            row(out, label, &format!("{DIM}{name}: {value}{DIM:#}"))?;
        }
    }
    Ok(())
}

/// Whether limpet answers what was asked for.
fn is_fine(answer: &Explanation) -> bool {
    answer.response.status.is_some_and(|status| status < 400)
}

/// What was decided, a label and a value each.
pub(crate) fn rows(answer: &Explanation) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let mut add = |label, value: Option<String>| {
        rows.extend(value.map(|value| (label, inert::line(&value))));
    };
    add("ingress", answer.ingress.clone());
    add("location", answer.location.clone());
    add("cluster", answer.cluster.clone());
    if let Some(upstream) = &answer.upstream {
        add(
            "endpoint",
            Some(
                upstream
                    .endpoint
                    .clone()
                    .unwrap_or_else(|| "nobody".to_owned()),
            ),
        );
        let host = upstream
            .authority
            .as_ref()
            .map(|host| format!("  (host {host})"));
        add(
            "asked for",
            Some(format!("{}{}", upstream.path, host.unwrap_or_default())),
        );
    }
    if let Some(affinity) = &answer.affinity {
        let cookie = affinity.cookie.as_deref().unwrap_or("?");
        let asked = affinity
            .override_host
            .as_ref()
            .map(|host| format!(", asked for {host}"));
        let asked = asked.unwrap_or_default();
        add(
            "session",
            Some(format!("cookie {cookie}: {}{asked}", affinity.state)),
        );
    }
    add(
        "status",
        answer.response.status.map(|status| status.to_string()),
    );
    add(
        "location:",
        answer.response.location.as_ref().map(ToString::to_string),
    );
    for cookie in &answer.response.set_cookie {
        add("set-cookie:", Some(cookie.to_string()));
    }
    rows
}

fn row(out: &mut impl Write, label: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {DIM}{label:<12}{DIM:#} {value}")
}
