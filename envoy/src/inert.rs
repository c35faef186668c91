//! Text from manifests, where comments, terminals and the logs of a CI would obey it.

use std::fmt::Write as _;

/// What starts a command anywhere in a line.
const COMMANDS: [&str; 2] = ["##[", "##vso["];

/// In one line, for comments and messages: what would break the line, move a cursor, turn the
/// reading direction or start a workflow command is written out (`\n`, `\u{1b}`).
#[must_use]
pub fn line(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for character in text.chars() {
        if is_obeyed(character) {
            let _ = write!(inert, "{}", character.escape_default());
        } else {
            inert.push(character);
        }
    }
    // Source: `ActionCommand.TryParse` (GitHub) and "Logging commands" (Azure Pipelines): such a
    // command may stand anywhere in a line.
    for command in COMMANDS {
        inert = inert.replace(command, &command.replacen("##", "#\\u{23}", 1));
    }
    inert
}

/// JSON in whose strings such characters, and what starts a command, stand as escapes of JSON, whoever reads what it is in:
/// yaml-cpp, with which Envoy reads YAML, makes no UTF-8 of YAML's own escape for U+0085.
#[must_use]
pub fn json(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for character in text.chars() {
        if is_obeyed(character) && character != '\n' {
            let _ = write!(inert, "\\u{:04x}", u32::from(character));
        } else {
            inert.push(character);
        }
    }
    for command in COMMANDS {
        inert = inert.replace(command, &command.replacen("##", "#\\u0023", 1));
    }
    inert
}

/// Whether text has in it what is obeyed wherever it stands: more than ends of lines and tabs.
#[must_use]
pub fn is_hostile(text: &str) -> bool {
    let mut characters = text.chars();
    characters.any(|one| is_obeyed(one) && !"\n\t".contains(one))
        || COMMANDS.iter().any(|command| text.contains(command))
}

/// A string of JSON, and so of YAML, in which none of that is left.
#[must_use]
pub fn scalar(text: &str) -> String {
    json(&serde_json::Value::from(text).to_string())
}

/// For messages of several lines on terminals and in logs: the line breaks stay, and no line is a
/// workflow command.
#[must_use]
pub fn lines(text: &str) -> String {
    let inert = text.split('\n').map(|one| {
        let inert = line(one);
        if is_command(&inert) {
            inert.replacen("::", "\\u{3a}:", 1)
        } else {
            inert
        }
    });
    inert.collect::<Vec<_>>().join("\n")
}

/// In one line, as a word of a shell: for flags that somebody may copy.
#[must_use]
pub fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", line(text).replace('\'', r"'\''"))
}

/// Whether a line starts as a workflow command does.
///
/// Source: `ActionCommand.TryParseV2`, `src/Runner.Common/ActionCommand.cs`, actions/runner.
#[must_use]
pub fn is_command(line: &str) -> bool {
    line.trim_start().starts_with("::")
}

/// Controls (C0, C1), the separators that break lines elsewhere, and what turns or hides text.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_is_obeyed() {
        for (text, inert) in [
            (
                "a\n---\nkind: ClusterRoleBinding",
                "a\\n---\\nkind: ClusterRoleBinding",
            ),
            (
                "a\rb\u{85}c\u{2028}d\u{2029}e\u{b}f",
                "a\\rb\\u{85}c\\u{2028}d\\u{2029}e\\u{b}f",
            ),
            (
                "\u{1b}[2J\u{9b}2J\u{7f}\u{0}",
                "\\u{1b}[2J\\u{9b}2J\\u{7f}\\u{0}",
            ),
            ("right\u{202e}tfel", "right\\u{202e}tfel"),
            (
                "x ##[error]y ##vso[task.complete]",
                "x #\\u{23}[error]y #\\u{23}vso[task.complete]",
            ),
            ("größe: \"日本\" %C3 a::b", "größe: \"日本\" %C3 a::b"),
        ] {
            assert_eq!(line(text), inert);
        }
    }

    #[test]
    fn a_word_is_one_of_the_shell() {
        for (text, word) in [
            ("internal-nginx", "internal-nginx"),
            ("k8s.io/ingress-nginx", "k8s.io/ingress-nginx"),
            ("", "''"),
            ("x $(touch y); z", "'x $(touch y); z'"),
            ("it's `id`\n", r"'it'\''s `id`\n'"),
        ] {
            assert_eq!(super::word(text), word);
        }
    }

    #[test]
    fn no_line_of_several_is_a_command() {
        let text = "first\n ::error::second\n\u{1b}]0;title\u{7}\n::set-output name=x::y";
        let inert =
            "first\n \\u{3a}:error::second\n\\u{1b}]0;title\\u{7}\n\\u{3a}:set-output name=x::y";
        assert_eq!(lines(text), inert);
    }

    #[test]
    fn json_stays_what_it_is() {
        let value = serde_json::json!({ "a\u{85}b": "c\u{2028}d\u{1b}\n\"\u{feff}\u{a0} ##vso[x] ##[error]" });
        let text = json(&format!("{value:#}"));
        assert!(!text.contains(['\u{85}', '\u{2028}', '\u{feff}']), "{text}");
        assert!(!text.contains("##"), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
