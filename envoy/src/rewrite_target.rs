//! What can be read off a `rewrite-target`, and off the paths from which it takes.

use crate::taken::TakenIngress;

/// What makes requests of an Ingress have a path without a slash, or may.
///
/// nginx sends pods such a path as it is.
///
/// Source: recorded of ingress-nginx 1.15 (`further-050`).
pub(crate) fn without_a_slash(ingress: &TakenIngress<'_>) -> Option<String> {
    let target = ingress.annotations.rewrite.target.as_str();
    let is_canary = ingress.annotations.canary.is_some();
    let is_whole =
        is_canary || target.is_empty() || target.starts_with('/') || target.contains("://");
    if is_whole {
        return None;
    }
    let captured = target.strip_prefix('$').unwrap_or_default();
    let captured = captured.trim_start_matches('{');
    let number = captured.chars().next().and_then(|digit| digit.to_digit(10));
    let Some(number) = number.and_then(|digit| usize::try_from(digit).ok()) else {
        const SLASHED: [&str; 3] = ["uri", "request_uri", "document_uri"];
        let begins = SLASHED.iter().any(|name| captured.starts_with(name));
        return (!begins).then(|| "begins with no slash".to_owned());
    };
    let mut paths = ingress.paths().map(|path| &path.path.path);
    let path = paths.find(|path| is_without_slash(path, number))?;
    Some(format!(
        "begins with no slash: in path {path:?} what ${number} captures begins with none"
    ))
}

/// How many groups `path` captures.
pub(crate) fn groups(path: &str) -> usize {
    group_ends(path).len()
}

/// Whether what `path` captures as `$number` begins with no slash: it stands behind one, or begins with other characters.
pub(crate) fn is_without_slash(path: &str, number: usize) -> bool {
    let ends = group_ends(path);
    let group = number.checked_sub(1).and_then(|at| ends.get(at));
    group.is_some_and(|(before, within)| {
        let begins = within.trim_start_matches(['(', '?', ':']);
        is_of_no_slash(begins)
            || ends_in_a_slash(without_looks(before))
                && !begins
                    .trim_start_matches('\\')
                    .starts_with(['/', '|', '$', '[', ')'])
    })
}

/// Whether a pattern begins with a class that has no slash.
fn is_of_no_slash(pattern: &str) -> bool {
    let class = pattern
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    match class {
        Some((class, rest)) => {
            let has_slash = class.contains('/') != class.starts_with('^');
            !has_slash && !class.contains('\\') && !rest.starts_with(['*', '?', '{'])
        }
        None => ["\\d", "\\w"].iter().any(|class| {
            let rest = pattern.strip_prefix(class);
            rest.is_some_and(|rest| !rest.starts_with(['*', '?', '{']))
        }),
    }
}

/// A pattern without what it looks ahead for at its end, which takes no text.
fn without_looks(pattern: &str) -> &str {
    let look = ["(?!", "(?="]
        .iter()
        .filter_map(|look| pattern.rfind(look))
        .max();
    match look.and_then(|at| pattern.split_at_checked(at)) {
        Some((before, look)) if look.ends_with(')') && look.matches(')').count() == 1 => before,
        _ => pattern,
    }
}

/// Whether a pattern ends in a slash, or in what may be one and takes it then.
fn ends_in_a_slash(pattern: &str) -> bool {
    const SLASHES: [&str; 6] = ["/", "[/]", "(/)", "(?:/)", "(/|$)", "(?:/|$)"];
    let once = pattern.trim_end_matches(['?', '*', '+']);
    let inner = once.strip_suffix("+)").map(|inner| format!("{inner})"));
    let ends = |text: &str| SLASHES.iter().any(|slash| text.ends_with(slash));
    ends(once) || inner.is_some_and(|inner| ends(&inner))
}

/// What stands before each group that captures, and what begins with it.
fn group_ends(path: &str) -> Vec<(&str, &str)> {
    let mut ends = Vec::new();
    let mut in_class = false;
    let mut rest = path.chars();
    loop {
        let before = path.len().saturating_sub(rest.as_str().len());
        let Some(character) = rest.next() else {
            return ends;
        };
        match character {
            '\\' => {
                rest.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => {
                let after = rest.as_str();
                let named = after.starts_with("?<") || after.starts_with("?P<");
                let looks = after.starts_with("?<=") || after.starts_with("?<!");
                if !after.starts_with('?') || (named && !looks) {
                    ends.push((path.get(..before).unwrap_or_default(), after));
                }
            }
            _ => {}
        }
    }
}

/// The highest `$n` of a rewrite target; nginx reads one digit.
pub(crate) fn highest_capture(target: &str) -> usize {
    let after_dollar = target.split('$').skip(1);
    after_dollar
        .filter_map(|text| text.chars().next()?.to_digit(10))
        .max()
        .and_then(|digit| usize::try_from(digit).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_as_pcre_numbers_them() {
        for (path, want) in [
            ("/app", 0),
            ("/app(/|$)(.*)", 2),
            ("/(?:a|b)/(c)", 1),
            ("/(?!admin)(.*)", 1),
            ("/(?<=x)(?<name>y)", 1),
            (r"/\((a)[(]", 1),
        ] {
            assert_eq!(groups(path), want, "{path}");
        }
    }

    #[test]
    fn what_stands_behind_a_slash_begins_with_none() {
        for (path, number, want) in [
            ("/app/(.*)", 1, true),
            ("/app(/|$)(.*)", 2, true),
            ("/app(?:/|$)(.*)", 1, true),
            ("/app(/|$)(.*)", 1, false),
            ("/app(/.*)", 1, false),
            ("/app(.*)", 1, false),
            (r"/app/(\/.*)", 1, false),
            (r"/app/(\d+)", 1, true),
            ("/app(/)?(.*)", 2, true),
            ("/app/?(.*)", 1, true),
            ("/app/*(.*)", 1, true),
            ("/app[/](.*)", 1, true),
            ("/app(?:/)(.*)", 1, true),
            ("/app(/)(.*)", 2, true),
            ("/app(/+)(.*)", 2, true),
            ("/app/(((.*)))", 1, true),
            ("/app(/[a-z]+)(.*)", 2, false),
            ("/app/([/a].*)", 1, false),
            ("/?(.*)", 1, true),
            ("/(?!api)(.*)", 1, true),
            ("/app([a-z].*)", 1, true),
            ("/app([^/]*)(.*)", 1, false),
            ("/app/([^/]*)(.*)", 1, false),
            ("/app([^/]+)(.*)", 1, true),
            (r"/app(\w+)", 1, true),
            (r"/app(\w*)", 1, false),
            ("/app/(|x)", 1, false),
            ("/app/(.*)", 2, false),
            ("/app/(.*)", 0, false),
        ] {
            assert_eq!(is_without_slash(path, number), want, "{path} {number}");
        }
    }

    #[test]
    fn captures_of_a_target_are_single_digits() {
        for (target, want) in [
            ("/", 0),
            ("/$1", 1),
            ("/$2/$10", 2),
            ("/$x$9", 9),
            ("/$", 0),
        ] {
            assert_eq!(highest_capture(target), want, "{target}");
        }
    }
}
