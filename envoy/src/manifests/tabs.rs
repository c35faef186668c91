//! Tabs at the beginning of lines within braces, which `kubectl` takes and YAML's letter does not.
//!
//! Source: `yaml_parser_scan_to_next_token`, `scannerc.go`, go-yaml v2.

/// The text with spaces before such tabs. Braces within the text of a block are taken for braces.
#[must_use]
pub(super) fn spaced(text: &str) -> String {
    let mut flow = Flow::default();
    let mut spaced = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if flow.depth > 0 && flow.quote.is_none() && line.starts_with('\t') {
            spaced.push_str(&" ".repeat(flow.indent.saturating_add(1)));
        }
        spaced.push_str(line);
        flow.read(line);
    }
    spaced
}

/// How deep in braces and brackets the text is.
#[derive(Debug, Default)]
struct Flow {
    depth: usize,
    /// The indentation of the line that the outermost brace is in.
    indent: usize,
    /// The quote that is open.
    quote: Option<char>,
}

impl Flow {
    fn read(&mut self, line: &str) {
        // Where a value may begin, a brace or a quote is one; within a word it is a letter.
        let mut may_begin = true;
        let mut before = ' ';
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            let is_apart = letters.peek().is_none_or(|next| next.is_whitespace());
            if let Some(quote) = self.quote {
                if letter == '\\' && quote == '"' {
                    letters.next();
                } else if letter == quote {
                    self.quote = None;
                    may_begin = letters.peek() == Some(&quote);
                }
            } else {
                match letter {
                    '#' if before.is_whitespace() => return,
                    '"' | '\'' if may_begin => self.quote = Some(letter),
                    '{' | '[' if may_begin => self.open(line),
                    '}' | ']' if self.depth > 0 => {
                        self.depth = self.depth.saturating_sub(1);
                        may_begin = false;
                    }
                    ',' if self.depth > 0 => may_begin = true,
                    ':' if self.depth > 0 && matches!(before, '"' | '\'') => may_begin = true,
                    ':' | '-' | '?' if is_apart => may_begin = true,
                    _ => may_begin &= letter.is_whitespace(),
                }
            }
            before = letter;
        }
    }

    fn open(&mut self, line: &str) {
        if self.depth == 0 {
            self.indent = line.len().saturating_sub(line.trim_start().len());
        }
        self.depth = self.depth.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tabs_within_braces_get_spaces() {
        for (text, expected) in [
            ("a: {\n\tb: c\n}\n\td: e\n", "a: {\n \tb: c\n}\n\td: e\n"),
            ("a:\n  b: [\n\tc\n  ]\n", "a:\n  b: [\n   \tc\n  ]\n"),
            (
                "- {\n\tb: '}''{',\n\tc: [\n\t\"\\\"]\"\n\t] }\n\tx",
                "- {\n \tb: '}''{',\n \tc: [\n \t\"\\\"]\"\n \t] }\n\tx",
            ),
            ("a: /x(/|$)[a-z]{2\n\tb", "a: /x(/|$)[a-z]{2\n\tb"),
            ("a: b # {\n\tc", "a: b # {\n\tc"),
            ("{\"a\":{\n\t\"b\":1}}\n\tc", "{\"a\":{\n \t\"b\":1}}\n\tc"),
        ] {
            assert_eq!(spaced(text), expected);
        }
    }
}
