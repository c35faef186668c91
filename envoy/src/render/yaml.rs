//! Values and comments as YAML.

use serde_json::Value;

use crate::inert;

/// A value as YAML.
///
/// # Errors
/// Never for the values of this package; the serializer says what it cannot write.
pub fn to_yaml(value: &Value) -> anyhow::Result<String> {
    // Type URLs are long, and one line each.
    let options = serde_saphyr::ser_options! {
        folded_wrap_chars: 1000,
        // In a block a line stands as it is, also where the output goes to the log of a CI.
        prefer_block_scalars: !holds_a_command(value),
    };
    let mut named = value.clone();
    let mut escaped = Vec::new();
    let mark = mark(value);
    name_hostile(&mut named, &mark, &mut escaped);
    let mut text = serde_saphyr::to_string_with_options(&named, options)?;
    for (name, scalar) in escaped {
        text = text.replacen(&name, &scalar, 1);
    }
    Ok(text)
}

/// A word that is nowhere in `value`.
fn mark(value: &Value) -> String {
    let text = value.to_string();
    let marks = (0_usize..).map(|n| format!("escaped{n}x"));
    let mut free = marks.filter(|mark| !text.contains(mark));
    free.next().unwrap_or_default()
}

/// Whether a terminal or the log of a CI would obey it, or it has lines that begin with a tab, which `kubectl` takes
/// for the indentation of a block.
fn is_no_block(text: &str) -> bool {
    inert::is_hostile(text) || text.starts_with('\t') || text.contains("\n\t")
}

/// Puts a name in place of each text that may not stand as it is, and keeps it in `escaped`: a string of JSON is
/// one of YAML too.
fn name_hostile(value: &mut Value, mark: &str, escaped: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) if is_no_block(text) => *text = name_of(text, mark, escaped),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| name_hostile(item, mark, escaped)),
        Value::Object(fields) => {
            let all = std::mem::take(fields);
            for (key, mut value) in all {
                let key = if is_no_block(&key) {
                    name_of(&key, mark, escaped)
                } else {
                    key
                };
                name_hostile(&mut value, mark, escaped);
                fields.insert(key, value);
            }
        }
        _ => {}
    }
}

fn name_of(text: &str, mark: &str, escaped: &mut Vec<(String, String)>) -> String {
    let name = format!("{mark}{}x", escaped.len());
    escaped.push((name.clone(), inert::scalar(text)));
    name
}

fn holds_a_command(value: &Value) -> bool {
    match value {
        Value::String(text) => text.lines().any(inert::is_command),
        Value::Array(items) => items.iter().any(holds_a_command),
        Value::Object(fields) => fields.values().any(holds_a_command),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Lines of comment, one line each whatever is in them.
pub(super) fn comments(text: &mut String, lines: &[String]) {
    for line in lines {
        text.push_str(if line.is_empty() { "#" } else { "# " });
        text.push_str(&inert::line(line));
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // One such line in an annotation, and kubectl refused the object of all tenants.
    #[test]
    fn no_block_begins_with_a_tab() {
        for text in ["\n\tcookie", "\tcookie\n", "a\n\tb"] {
            let yaml = to_yaml(&json!({ "a": text })).unwrap();
            assert!(!yaml.contains('\t'), "{yaml}");
            let read: Value = serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(read, json!({ "a": text }));
        }
    }

    #[test]
    fn what_is_obeyed_is_escaped_in_values_and_keys() {
        let text = "right\u{202e}tfel ##[error]x ##vso[task.complete]\u{9b}2J\u{85}\r \u{1b}[0m";
        let value = json!({
            "plain": "two\nlines",
            text: [text, { "in": format!("escaped0x0x {text}\n::error::") }],
        });
        let yaml = to_yaml(&value).unwrap();
        for raw in [
            "\u{202e}", "\u{9b}", "\u{85}", "\u{1b}", "\r", "##[", "##vso[",
        ] {
            assert!(!yaml.contains(raw), "{raw:?} {yaml}");
        }
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, value);
    }
}
