//! Letters that break a line in YAML 1.1, which `kubectl` writes, and are letters as any other in YAML 1.2: it writes them
//! at the beginning of a line, before the indentation, where a reader of today would see the end of a text.
//!
//! Source: `yaml_emitter_write_literal_scalar` and `is_break`, `emitterc.go` and `yamlprivateh.go`, go.yaml.in/yaml v2.4.

use std::borrow::Cow;

/// Next line, line separator, paragraph separator.
const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// The text with the indentation of each line before such letters.
#[must_use]
pub(super) fn indented(text: &str) -> Cow<'_, str> {
    if !text.contains(BREAKS) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // A line that holds nothing else is indented as its neighbours are, whichever is more.
    let below = lines.iter().rev().scan(0, |below, line| {
        let here = *below;
        *below = indentation(line).unwrap_or(here);
        Some(here)
    });
    let mut below: Vec<usize> = below.collect();
    below.reverse();
    let mut above = 0_usize;
    let mut indented = String::with_capacity(text.len());
    for (line, below) in lines.into_iter().zip(below) {
        let rest = line.trim_start_matches(BREAKS);
        let breaks = line.strip_suffix(rest).unwrap_or_default();
        if breaks.is_empty() {
            above = of_block(line)
                .or_else(|| indentation(line))
                .unwrap_or(above);
            indented.push_str(line);
            continue;
        }
        let text = rest.trim_start_matches(' ');
        let own = rest.strip_suffix(text).unwrap_or_default();
        if text.trim_end_matches(['\r', '\n']).is_empty() {
            indented.push_str(&" ".repeat(above.max(below)));
        } else {
            above = own.len();
        }
        indented.push_str(own);
        indented.push_str(breaks);
        indented.push_str(text);
    }
    Cow::Owned(indented)
}

/// Of a line with letters of its own.
fn indentation(line: &str) -> Option<usize> {
    let text = line.trim_start_matches(BREAKS);
    let rest = text.trim_start_matches(' ');
    let is_empty = rest.trim_end_matches(['\r', '\n']).is_empty();
    (!is_empty).then(|| text.len().saturating_sub(rest.len()))
}

/// Of the text below, where a block begins with this line.
fn of_block(line: &str) -> Option<usize> {
    let head = line.trim_end();
    let head = head.strip_suffix(['+', '-']).unwrap_or(head);
    let head = head
        .strip_suffix(|one: char| one.is_ascii_digit())
        .unwrap_or(head);
    let head = head.strip_suffix(['|', '>'])?;
    let field = head.trim_start_matches([' ', '-']);
    let of_items = head.trim_start_matches(' ');
    // A field of an item stands behind its `- `.
    let parent = if field.is_empty() { of_items } else { field };
    Some(head.len().saturating_sub(parent.len()).saturating_add(2))
}

#[cfg(test)]
mod tests {
    use super::indented;

    #[test]
    fn lines_of_kubectl_that_begin_with_such_a_letter_keep_their_indentation() {
        for (text, expected) in [
            ("a: b\n", "a: b\n"),
            (
                "a: |-\n  x\n\u{2028}  y: z\nb: c\n",
                "a: |-\n  x\n  \u{2028}y: z\nb: c\n",
            ),
            (
                "a: |2-\n\u{2029}\u{85}\n  y\nb: c\n",
                "a: |2-\n  \u{2029}\u{85}\n  y\nb: c\n",
            ),
            (
                "a: |-\n  y\n\u{2028}\nb: c\n",
                "a: |-\n  y\n  \u{2028}\nb: c\n",
            ),
            ("a: |2+\n\u{2028}\nb: c\n", "a: |2+\n  \u{2028}\nb: c\n"),
            (
                "- a: |2+\n\u{2028}\n  b: c\n",
                "- a: |2+\n    \u{2028}\n  b: c\n",
            ),
            ("- |2+\n\u{2028}\n- b\n", "- |2+\n  \u{2028}\n- b\n"),
            ("a: x\u{2028}  y\n", "a: x\u{2028}  y\n"),
            ("\u{2028}a: b\n", "\u{2028}a: b\n"),
        ] {
            assert_eq!(indented(text), expected, "{text:?}");
        }
    }
}
