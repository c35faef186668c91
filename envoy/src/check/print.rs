//! A report as text, as JSON, as annotations of a GitHub workflow; `html` has it as a page.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::alternatives;
use super::annotations::Verdict;
use super::finding::{AS_BEFORE, Finding, IDLE, Level, VALIDATION};
use super::groups::groups;
use super::report::Report;
use crate::inert;
use crate::manifests::few;

/// How many further places of one note are told.
const PLACES: usize = 8;

/// How much of one kind is told of one Ingress, or of one file beside them: whoever writes it must not hide what is told
/// of others.
const OF_ONE: usize = 100;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// For people. Styles are written always; the stream drops them where no terminal shows them.
pub(crate) fn text(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for note in few(&report.notes) {
        writeln!(out, "{DIM}note: {}{DIM:#}", inert::line(&note))?;
    }
    let mut helped: HashMap<&[String], &str> = HashMap::new();
    let mut told: BTreeMap<(&String, &str, Level), usize> = BTreeMap::new();
    for group in groups(report.findings.iter()) {
        let Some((finding, others)) = group.split_first() else {
            continue;
        };
        let whose = finding.ingress.as_ref().unwrap_or(&finding.file);
        let of_this = told
            .entry((whose, finding.code, finding.level))
            .or_default();
        *of_this = of_this.saturating_add(1);
        if *of_this > OF_ONE {
            continue;
        }
        let before = helped.get(&*finding.help).copied();
        one(out, finding, others, before)?;
        if before.is_none() && !finding.help.is_empty() {
            helped.insert(&finding.help, &finding.field);
        }
    }
    for ((whose, code, level), count) in told {
        let more = count.saturating_sub(OF_ONE);
        if more > 0 {
            let (style, word, whose) = (style(level), level.word(), inert::line(whose));
            writeln!(
                out,
                "{style}{word}[{code}]{style:#}: {BOLD}{more} more{BOLD:#}, which --json lists"
            )?;
            writeln!(out, "  {DIM}-->{DIM:#} {whose}\n")?;
        }
    }
    differences(out, report)?;
    defaults(out, report)?;
    summary(out, report)
}

/// `others` say the same of other places; `helped`: the field of an earlier finding with the same
/// advice.
fn one(
    out: &mut impl Write,
    finding: &Finding,
    others: &[&Finding],
    helped: Option<&str>,
) -> io::Result<()> {
    let style = style(finding.level);
    let (word, code) = (finding.level.word(), finding.code);
    writeln!(
        out,
        "{style}{word}[{code}]{style:#}: {BOLD}{}{BOLD:#}",
        inert::line(&finding.message())
    )?;
    place(out, finding, "")?;
    for other in others.iter().take(PLACES) {
        let value = other.quoted().map(|value| format!(": {value}"));
        place(out, other, &value.unwrap_or_default())?;
    }
    let more = others.len().saturating_sub(PLACES);
    if more > 0 {
        writeln!(out, "  {DIM}-->{DIM:#} and {more} more, which --json lists")?;
    }
    match helped {
        Some(field) => {
            let field = inert::line(field);
            writeln!(out, "   {DIM}={DIM:#} as above for {field}")?;
        }
        None => {
            for line in &finding.help {
                writeln!(out, "   {DIM}={DIM:#} {}", inert::line(line))?;
            }
        }
    }
    writeln!(out)
}

/// Where a finding is; `rest` stands behind it.
fn place(out: &mut impl Write, finding: &Finding, rest: &str) -> io::Result<()> {
    if finding.file.is_empty() {
        return Ok(());
    }
    let ingress = finding.ingress.as_ref();
    let ingress = ingress.map(|id| format!(" ingress {}", inert::line(id)));
    writeln!(
        out,
        "  {DIM}-->{DIM:#} {}:{}{}{}",
        inert::line(&finding.file),
        finding.line,
        ingress.unwrap_or_default(),
        inert::line(rest)
    )
}

/// Each annotation and key that is honoured with a difference, once, but for those that a finding
/// tells.
fn differences(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let told = report.findings.iter().filter(|f| f.level > Level::Note);
    let told: HashSet<&str> = told.map(|finding| finding.field.as_str()).collect();
    let annotations = report.annotations.iter();
    let annotations =
        annotations.map(|judged| (judged.verdict, &judged.annotation, judged.difference));
    let settings = report.settings.iter();
    let settings = settings.map(|judged| (judged.verdict, &judged.key, judged.difference));
    let differing: BTreeSet<(&String, &str)> = annotations
        .chain(settings)
        .filter(|(verdict, name, _)| *verdict == Verdict::Differs && !told.contains(name.as_str()))
        .map(|(_, name, difference)| (name, difference))
        .collect();
    for (name, difference) in &differing {
        let name = inert::line(name);
        writeln!(out, "{name}: honoured, with a difference: {difference}")?;
    }
    if differing.is_empty() {
        return Ok(());
    }
    writeln!(out)
}

/// What nobody wrote and everybody had.
fn defaults(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if report.ingresses == 0 || report.defaults.is_empty() {
        return Ok(());
    }
    writeln!(out, "defaults that go away, unless the proxy is told:")?;
    for line in &report.defaults {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)
}

/// How many Ingresses and annotations there are, and what becomes of them.
pub(super) fn counts(report: &Report) -> String {
    let verdicts = report.verdicts();
    let count = |verdict| verdicts.get(&verdict).copied().unwrap_or(0);
    let refused = match count(Verdict::Refused) {
        0 => String::new(),
        refused => format!(", {refused} refused"),
    };
    format!(
        "{}, {}: {} honoured, {} honoured with a difference, {} not \
         limpet's business, {} retired, {} unknown{refused}",
        counted(report.ingresses, "Ingress", "es"),
        counted(report.annotations.len(), "annotation", "s"),
        count(Verdict::Honoured),
        count(Verdict::Differs),
        count(Verdict::Elsewhere),
        count(Verdict::Retired),
        count(Verdict::Unknown),
    )
}

fn summary(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{}", counts(report))?;
    let style = style(match report.exit_status() {
        0 => Level::Note,
        1 => Level::Warning,
        _ => Level::Error,
    });
    let losses = report.losses().count();
    if losses > 0 {
        writeln!(
            out,
            "{}: render refuses, unless told --accept-loss NAME or --close",
            counted(losses, "loss", "es"),
        )?;
    }
    writeln!(out, "{style}{}{style:#}", verdict(report))
}

/// All of it in a sentence.
pub(super) fn verdict(report: &Report) -> &'static str {
    let verdicts = report.annotations.iter().map(|judged| judged.verdict);
    let mut verdicts = verdicts.chain(report.settings.iter().map(|judged| judged.verdict));
    match (report.exit_status(), report.ingresses) {
        (0, _) if verdicts.any(|verdict| verdict == Verdict::Differs) => {
            "everything will behave as under ingress-nginx, but for the differences and defaults above"
        }
        (0, _) if report.findings.iter().any(|one| one.code == VALIDATION) => {
            "everything will behave as under an ingress-nginx that does not validate annotations, but for the defaults \
             above: see the notes"
        }
        (0, _) if report.findings.iter().any(did_nothing) => {
            "nothing is lost that did anything under ingress-nginx, but for the defaults above: see the notes"
        }
        (0, _) => "everything will behave as under ingress-nginx, but for the defaults above",
        (1, _) => "something will behave differently: see the warnings",
        (_, 0) => "no Ingress was read: nothing to serve",
        _ => "something cannot be used: see the errors",
    }
}

/// Whether it is on what has a job, and did nothing.
fn did_nothing(finding: &Finding) -> bool {
    let has_job = || alternatives::job(&finding.field, "").is_some();
    finding.code == IDLE || (finding.code == AS_BEFORE && has_job())
}

/// `2 Ingresses`.
fn counted(count: usize, noun: &str, plural: &str) -> String {
    let ending = if count == 1 { "" } else { plural };
    format!("{count} {noun}{ending}")
}

fn style(level: Level) -> Style {
    let colour = match level {
        Level::Note => AnsiColor::Cyan,
        Level::Warning => AnsiColor::Yellow,
        Level::Error => AnsiColor::Red,
    };
    Style::new().bold().fg_color(Some(colour.into()))
}

/// For programs.
pub(super) fn json(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let text = json!({
        "ingresses": report.ingresses,
        "annotations": report.annotations,
        "settings": report.settings,
        "defaults": report.defaults,
        "findings": report.findings,
        "notes": report.notes,
        "exit_status": report.exit_status(),
    });
    writeln!(out, "{}", inert::json(&format!("{text:#}")))
}

/// For GitHub: each finding on its line of the pull request.
///
/// Source: GitHub Actions, "Workflow commands", notice, warning and error messages.
pub(super) fn github(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for finding in &report.findings {
        let command = match finding.level {
            Level::Note => "notice",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let mut message = inert::line(&finding.message());
        for line in &finding.help {
            message.push('\n');
            message.push_str(&inert::line(line));
        }
        writeln!(
            out,
            "::{command} file={},line={},title={}::{}",
            property(&inert::line(&finding.file)),
            finding.line,
            property(finding.code),
            data(&message)
        )?;
    }
    Ok(())
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::manifests::Manifests;

    // 240,000 unknown annotations of one tenant printed 33 MB, and what was told of others stood between them.
    #[test]
    fn of_one_ingress_no_more_is_told_than_anybody_reads() {
        let ingress = |name: &str, annotations: usize| {
            let mut text = format!(
                "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  annotations:\n"
            );
            for number in 0..annotations {
                let _ = writeln!(text, "    nginx.ingress.kubernetes.io/zz{number}: v");
            }
            let backend = "{service: {name: web, port: {number: 80}}}";
            let path = format!("{{path: /, pathType: Prefix, backend: {backend}}}");
            let rule = format!("{{host: {name}.test, http: {{paths: [{path}]}}}}");
            text + &format!("spec: {{ingressClassName: nginx, rules: [{rule}]}}\n")
        };
        let all = ingress("many", 250) + &ingress("few", 2);
        let manifests = Manifests::parse("m.yaml", &all).unwrap();
        let mut printed = Vec::new();
        text(&mut printed, &Report::new(&manifests, false, None)).unwrap();
        let printed = anstream::adapter::strip_bytes(&printed).into_vec();
        let printed = String::from_utf8(printed).unwrap();
        let of = |name: &str| {
            printed
                .matches(&format!("ingress default/{name}\n"))
                .count()
        };
        assert_eq!(of("few"), 2, "{printed}");
        assert_eq!(of("many"), OF_ONE);
        let more = "warning[unknown]: 150 more, which --json lists\n  --> default/many\n";
        assert!(printed.contains(more), "{printed}");
    }
}
