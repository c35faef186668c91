//! What can be read off a path that is a regex, without running it.

/// The characters that mean something; the full stop is left out: it stands in many a plain path.
const MARKS: [char; 12] = ['\\', '^', '$', '*', '+', '?', '(', ')', '[', ']', '{', '|'];

/// Whether `path` was written as a regex.
pub(super) fn is_regex(path: &str) -> bool {
    path.contains(MARKS)
}

/// The part of `path` before the first character that means something.
pub(super) fn literal_prefix(path: &str) -> &str {
    let end = path.find(MARKS).unwrap_or(path.len());
    path.get(..end).unwrap_or(path)
}

/// How many groups `path` captures.
pub(super) fn groups(path: &str) -> usize {
    let mut count: usize = 0;
    let mut in_class = false;
    let mut rest = path.chars();
    while let Some(character) = rest.next() {
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
                    count = count.saturating_add(1);
                }
            }
            _ => {}
        }
    }
    count
}

/// The highest `$n` of a rewrite target; nginx reads one digit.
pub(super) fn highest_capture(target: &str) -> usize {
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

    #[test]
    fn the_literal_prefix_ends_where_the_regex_begins() {
        for (path, want) in [
            ("/a.b/c", "/a.b/c"),
            ("/a(b)", "/a"),
            ("/(x)", "/"),
            (r"/a\.b", "/a"),
        ] {
            assert_eq!(literal_prefix(path), want);
            assert_eq!(is_regex(path), path != want, "{path}");
        }
    }
}
