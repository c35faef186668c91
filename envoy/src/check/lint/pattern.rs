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

#[cfg(test)]
mod tests {
    use super::*;

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
