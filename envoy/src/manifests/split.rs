//! From one text to its documents: what is wrong with one is no matter of the others.

/// One document, which may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Document<'t> {
    /// How many lines stand above it.
    pub lines_above: u64,
    /// What stands in it; a `---` that says more than that included.
    pub text: &'t str,
}

/// Every document. Source: `YAMLReader.Read`, `k8s.io/apimachinery/pkg/util/yaml/decoder.go`; YAML
/// also lets a document begin on the line of the `---`, and directives stand above it.
#[must_use]
pub(super) fn split(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut from, mut lines_above, mut end) = (0_usize, 0_u64, 0_usize);
    for (line_number, line) in (0_u64..).zip(text.split_inclusive('\n')) {
        let start = end;
        end = end.saturating_add(line.len());
        let Some(rest) = line.strip_prefix("---").filter(|rest| is_apart(rest)) else {
            continue;
        };
        let before = text.get(from..start).unwrap_or_default();
        if is_of_directives(before) {
            continue;
        }
        documents.push(Document {
            lines_above,
            text: before,
        });
        let is_bare = rest.trim().is_empty();
        from = if is_bare { end } else { start };
        lines_above = line_number.saturating_add(u64::from(is_bare));
    }
    documents.push(Document {
        lines_above,
        text: text.get(from..).unwrap_or_default(),
    });
    documents
}

/// `---x` is a word.
fn is_apart(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])
}

/// Whether nothing stands there but directives, which need the `---` below them.
fn is_of_directives(text: &str) -> bool {
    let is_one = |line: &str| line.starts_with('%');
    text.lines().any(is_one)
        && text
            .lines()
            .all(|line| is_one(line) || line.starts_with('#') || line.trim().is_empty())
}
