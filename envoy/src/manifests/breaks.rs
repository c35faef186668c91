//! Letters that end a line in YAML 1.1, which `kubectl` writes, and are letters as any other in YAML 1.2: what stands
//! behind one is on a line of its own, with its own indentation, and may be the next field.
//!
//! Source: `is_break`, `yamlprivateh.go`, `yaml_emitter_write_literal_scalar`, `emitterc.go`, and
//! `yaml_parser_scan_block_scalar`, `scannerc.go`, go.yaml.in/yaml v2.4.

use std::borrow::Cow;

use serde_json::Value;
use serde_saphyr::Spanned;

use super::tree::Tree;

/// Line separator, paragraph separator. Of the third, U+0085, `kubectl` writes nothing.
const BREAKS: [char; 2] = ['\u{2028}', '\u{2029}'];

/// A text whose lines end where `kubectl` ends them.
#[derive(Debug)]
pub(super) struct Broken<'t> {
    pub(super) text: Cow<'t, str>,
    /// What stands before the end of a line for each of them; none: there are none.
    marks: Option<[char; 2]>,
}

impl<'t> Broken<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        if !text.contains(BREAKS) {
            let text = Cow::Borrowed(text);
            return Self { text, marks: None };
        }
        let mut free = ('\u{e000}'..='\u{f8ff}').filter(|letter| !text.contains(*letter));
        let marks = free.next().zip(free.next());
        let marks = marks.map(<[char; 2]>::from);
        let mut broken = String::with_capacity(text.len());
        for letter in text.chars() {
            let at = BREAKS.iter().position(|one| *one == letter);
            let Some(at) = at else {
                broken.push(letter);
                continue;
            };
            // An empty line is one whatever ends it: a letter there would be the end of what is indented.
            let mark = marks.as_ref().and_then(|marks| marks.get(at));
            let line = broken.trim_end_matches(' ');
            if let (Some(mark), false) = (mark, line.is_empty() || line.ends_with('\n')) {
                broken.push(*mark);
            }
            broken.push('\n');
        }
        Self {
            text: broken.into(),
            marks,
        }
    }

    /// Puts the letters back into what was read.
    pub(super) fn restore(&self, tree: &mut Spanned<Tree>) {
        match (&mut tree.value, self.marks) {
            (_, None) => {}
            (Tree::Leaf(Value::String(text)), Some(marks)) => put_back(text, marks),
            (Tree::Leaf(_), _) => {}
            (Tree::List(items), _) => items.iter_mut().for_each(|item| self.restore(item)),
            (Tree::Map(fields), Some(marks)) => {
                for (key, value) in &mut fields.kept {
                    put_back(&mut key.value, marks);
                    self.restore(value);
                }
            }
        }
    }
}

/// What ended the line was folded into a space, or fell away where the text ends.
fn put_back(text: &mut String, marks: [char; 2]) {
    if !text.contains(marks) {
        return;
    }
    for (mark, letter) in marks.into_iter().zip(BREAKS) {
        for end in ["\n", " ", ""] {
            *text = text.replace(&format!("{mark}{end}"), &letter.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Broken;

    #[test]
    fn a_line_separator_ends_a_line() {
        for (text, expected) in [
            ("a: b\n", "a: b\n"),
            ("a: |-\n  x\n\u{2028}  y: z\n", "a: |-\n  x\n\n  y: z\n"),
            ("a: |+\n  x\u{2029}b: c\n", "a: |+\n  x\u{e001}\nb: c\n"),
            ("a: x\u{2028}\u{2028}  y\n", "a: x\u{e000}\n\n  y\n"),
            ("\u{2028}a: \u{e000}\n", "\na: \u{e000}\n"),
        ] {
            assert_eq!(Broken::new(text).text, expected, "{text:?}");
        }
    }

    // One of 65 KB took 2 GB.
    #[test]
    fn empty_lines_take_no_more_than_they_are() {
        let text = format!(
            "a: |2-\n{}{}x\n",
            "\u{2028}\n".repeat(50_000),
            " ".repeat(50_000)
        );
        assert!(Broken::new(&text).text.len() <= text.len());
    }
}
