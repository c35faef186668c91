//! A report as one page that a team can be sent: nothing is loaded, nothing runs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::annotations::{Judged, Verdict};
use super::finding::{Finding, Level};
use super::groups::groups;
use super::platform::Platform;
use super::print;
use super::report::Report;
use crate::inert;

/// All that is known of one Ingress.
#[derive(Default)]
struct Entry<'r> {
    annotations: Vec<&'r Judged>,
    findings: Vec<&'r Finding>,
}

/// Writes the page.
pub(super) fn page(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut entries: BTreeMap<&str, Entry<'_>> = BTreeMap::new();
    for judged in &report.annotations {
        let entry = entries.entry(&judged.ingress).or_default();
        entry.annotations.push(judged);
    }
    let mut others: Vec<&Finding> = Vec::new();
    for finding in &report.findings {
        match &finding.ingress {
            Some(ingress) => entries.entry(ingress).or_default().findings.push(finding),
            None => others.push(finding),
        }
    }
    out.write_all(include_str!("html/head.html").as_bytes())?;
    writeln!(
        out,
        "<p class=\"verdict {}\">{}</p>\n<p>{}</p>\n<p class=\"help\">{}</p>",
        word(report.exit_status()),
        text(print::verdict(report)),
        text(&print::counts(report)),
        text(&about(report)),
    )?;
    contents(out, &entries)?;
    for (number, (name, entry)) in entries.iter().enumerate() {
        ingress(out, number, name, entry)?;
    }
    settings(out, report, &others)?;
    list(
        out,
        "Defaults that go away, unless the proxy is told",
        report.defaults.iter().copied(),
    )?;
    list(out, "Notes", report.notes.iter().map(String::as_str))?;
    out.write_all(b"</main>\n</body>\n</html>\n")
}

/// What was asked, so that whoever is sent the page can ask again.
fn about(report: &Report) -> String {
    let platform = report
        .on
        .map_or("no platform in particular", Platform::name);
    let version = env!("CARGO_PKG_VERSION");
    format!("Moving from ingress-nginx to {platform}, said by limpet check {version}.")
}

fn word(exit_status: u8) -> &'static str {
    match exit_status {
        0 => "good",
        1 => "warning",
        _ => "error",
    }
}

/// A row for each Ingress: how many of its annotations are what.
fn contents(out: &mut impl Write, entries: &BTreeMap<&str, Entry<'_>>) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Ingress</th><th scope=\"col\">to mend</th>\
         <th scope=\"col\">lost or left to others</th><th scope=\"col\">differs</th>\
         <th scope=\"col\">honoured</th></tr></thead>\n<tbody>"
    )?;
    for (number, (name, entry)) in entries.iter().enumerate() {
        let count = |wanted: &[Verdict]| {
            let annotations = entry.annotations.iter();
            annotations
                .filter(|one| wanted.contains(&one.verdict))
                .count()
        };
        let grave = entry.findings.iter().filter(|one| one.level > Level::Note);
        writeln!(
            out,
            "<tr><td><a href=\"#i{number}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            text(name),
            grave.count(),
            count(&[
                Verdict::Refused,
                Verdict::Elsewhere,
                Verdict::Retired,
                Verdict::Unknown
            ]),
            count(&[Verdict::Differs]),
            count(&[Verdict::Honoured]),
        )?;
    }
    writeln!(out, "</tbody>\n</table></div>")
}

fn ingress(out: &mut impl Write, number: usize, name: &str, entry: &Entry<'_>) -> io::Result<()> {
    writeln!(out, "<section>\n<h2 id=\"i{number}\">{}</h2>", text(name))?;
    // What somebody has to decide comes first, what needs nobody last.
    let (grave, notes): (Vec<&Finding>, Vec<&Finding>) = entry
        .findings
        .iter()
        .partition(|one| one.level > Level::Note);
    findings(out, "To mend", &grave)?;
    for (verdict, title) in [
        (Verdict::Refused, "Refused, or closed"),
        (Verdict::Elsewhere, "Lost, or left to others"),
        (Verdict::Unknown, "Unknown"),
        (Verdict::Retired, "Retired"),
        (Verdict::Differs, "Honoured, with a difference"),
        (Verdict::Honoured, "Honoured"),
    ] {
        let of_it = entry
            .annotations
            .iter()
            .filter(|one| one.verdict == verdict);
        let of_it: Vec<&&Judged> = of_it.collect();
        if of_it.is_empty() {
            continue;
        }
        let is_short = verdict == Verdict::Honoured;
        let class = if is_short { " class=\"short\"" } else { "" };
        writeln!(out, "<h3>{title}</h3>\n<ul{class}>")?;
        for judged in of_it {
            let difference = if judged.difference.is_empty() {
                String::new()
            } else {
                format!(": {}", text(judged.difference))
            };
            let link = link(&judged.file, judged.line);
            writeln!(
                out,
                "<li><code>{}</code>{difference} {link}</li>",
                text(&judged.annotation)
            )?;
        }
        writeln!(out, "</ul>")?;
    }
    findings(out, "What to know", &notes)?;
    writeln!(out, "</section>")
}

fn findings(out: &mut impl Write, title: &str, findings: &[&Finding]) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h3>{title}</h3>\n<ul class=\"findings\">")?;
    for group in groups(findings.iter().copied()) {
        let Some((finding, others)) = group.split_first() else {
            continue;
        };
        let level = finding.level.word();
        writeln!(
            out,
            "<li class=\"{level}\"><b>{level}</b> {} {}",
            text(&finding.message()),
            link(&finding.file, finding.line)
        )?;
        for other in others {
            let value = other.quoted().map(|value| text(&value));
            let place = link(&other.file, other.line);
            write!(out, "<br>{} {place}", value.unwrap_or_default())?;
        }
        for line in &finding.help {
            writeln!(out, "<br><span class=\"help\">{}</span>", text(line))?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "</ul>")
}

/// What is about no Ingress alone, ingress-nginx's ConfigMap among it.
fn settings(out: &mut impl Write, report: &Report, others: &[&Finding]) -> io::Result<()> {
    if report.settings.is_empty() && others.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>All Ingresses</h2>")?;
    if !report.settings.is_empty() {
        writeln!(out, "<h3>Keys of ingress-nginx’s ConfigMap</h3>\n<ul>")?;
        for key in &report.settings {
            let word = match key.verdict {
                Verdict::Honoured => "honoured",
                Verdict::Differs => "honoured, with a difference",
                Verdict::Refused => "refused, or closed",
                Verdict::Elsewhere => "lost, or left to others",
                Verdict::Retired => "retired",
                Verdict::Unknown => "unknown",
            };
            let difference = text(key.difference);
            let link = link(&key.file, key.line);
            let name = text(&key.key);
            writeln!(
                out,
                "<li><code>{name}</code>: {word}. {difference} {link}</li>"
            )?;
        }
        writeln!(out, "</ul>")?;
    }
    findings(out, "What to know", others)?;
    writeln!(out, "</section>")
}

fn list<'l>(
    out: &mut impl Write,
    title: &str,
    lines: impl ExactSizeIterator<Item = &'l str>,
) -> io::Result<()> {
    if lines.len() == 0 {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>{title}</h2>\n<ul>")?;
    for line in lines {
        writeln!(out, "<li>{}</li>", text(line))?;
    }
    writeln!(out, "</ul>\n</section>")
}

/// The place in a file, which is a link where the file is one.
fn link(file: &str, line: u64) -> String {
    let place = text(&format!("{file}:{line}"));
    if file.is_empty() {
        return String::new();
    }
    if line == 0 || matches!(file, "-" | "<stdin>" | "standard input") {
        return format!("<span class=\"place\">{place}</span>");
    }
    // Beneath the page or at an absolute path: never a scheme, whatever the file is called.
    let path: String = file.bytes().map(escaped).collect();
    let here = if file.starts_with('/') { "" } else { "./" };
    format!("<a class=\"place\" href=\"{here}{path}#L{line}\">{place}</a>")
}

/// Source: RFC 3986, 2.3: what stands for itself, and the slash.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// Text of the manifests as text of the page.
fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in inert::line(text).chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Manifests;

    fn page_of(file: &str, manifest: &str) -> String {
        let manifests = Manifests::parse(file, manifest).unwrap();
        let report = Report::new(&manifests, false, None);
        let mut out = Vec::new();
        page(&mut out, &report).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_ingress_has_its_part_with_links_to_the_lines() {
        let manifest = include_str!("../../examples/sample-ingress.yaml");
        let page = page_of("examples/sample-ingress.yaml", manifest);
        assert!(
            page.contains("<h2 id=\"i0\">default/sample-ingress</h2>"),
            "{page}"
        );
        assert!(page.contains("<code>session-cookie-name</code>"), "{page}");
        assert!(
            page.contains("href=\"./examples/sample-ingress.yaml#L"),
            "{page}"
        );
        assert!(page.ends_with("</html>\n"));
        let at = |part: &str| page.find(part).expect(part);
        assert!(at("<h3>To mend</h3>") < at("<h3>Honoured, with a difference</h3>"));
        assert!(at("<h3>Honoured, with a difference</h3>") < at("<h3>Honoured</h3>"));
        assert!(page.contains("to no platform in particular"), "{page}");
    }

    #[test]
    fn what_manifests_say_is_text_and_never_markup() {
        let evil = "<script>alert(1)</script>";
        let manifest = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: '{evil}'\n  annotations:\n    \
             nginx.ingress.kubernetes.io/affinity: '\"><img src=x onerror=alert(1)>'\n    \
             nginx.ingress.kubernetes.io/{evil}: x\n    \
             nginx.ingress.kubernetes.io/server-snippet: '{evil}'\n"
        );
        let page = page_of("javascript:alert(1)//'\"><b>.yaml", &manifest);
        for markup in [
            "<script",
            "<img",
            "<b>.yaml",
            "href=\"javascript:",
            "href='",
        ] {
            assert!(!page.contains(markup), "{markup}: {page}");
        }
        assert!(page.contains("&lt;script&gt;"), "{page}");
        assert!(page.contains("href=\"./javascript%3Aalert"), "{page}");
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        assert!(page.contains(policy), "{page}");
    }
}
