//! JSON with keys in the order of their letters, and what is short on one line.

use serde_json::Value;

/// How long a value may be on a line of its own.
const SHORT: usize = 120;

/// The whole text.
pub(super) fn text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text.push('\n');
    text
}

fn write(text: &mut String, value: &Value, depth: usize) {
    let short = short(value);
    let entries: Vec<(Option<&str>, &Value)> = match value {
        _ if short.len() <= SHORT => Vec::new(),
        Value::Array(items) => items.iter().map(|item| (None, item)).collect(),
        Value::Object(fields) => {
            let mut all: Vec<_> = fields
                .iter()
                .map(|(key, field)| (Some(key.as_str()), field))
                .collect();
            all.sort_by_key(|(key, _)| *key);
            all
        }
        _ => Vec::new(),
    };
    if entries.is_empty() {
        return text.push_str(&short);
    }
    let (open, close) = if value.is_array() {
        ('[', ']')
    } else {
        ('{', '}')
    };
    text.push(open);
    let last = entries.len();
    for (n, (key, entry)) in (1..).zip(entries) {
        new_line(text, depth + 1);
        if let Some(key) = key {
            text.push_str(&Value::from(key).to_string());
            text.push_str(": ");
        }
        write(text, entry, depth + 1);
        if n < last {
            text.push(',');
        }
    }
    new_line(text, depth);
    text.push(close);
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', depth));
}

/// On one line.
fn short(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(short).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let mut all: Vec<(&String, &Value)> = fields.iter().collect();
            all.sort_by_key(|(key, _)| *key);
            let all = all.into_iter();
            let all =
                all.map(|(key, field)| format!("{}: {}", Value::from(key.as_str()), short(field)));
            format!("{{{}}}", all.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_on_one_line_and_what_is_written_reads_back() {
        let long = "x".repeat(SHORT);
        let value = serde_json::json!({ "b": [1, { "d": null, "c": "\n" }], "a": [long, [], {}] });
        let text = text(&value);
        assert!(text.starts_with("{\n \"a\": [\n  \"xx"), "{text}");
        assert!(
            text.ends_with("\n \"b\": [1, {\"c\": \"\\n\", \"d\": null}]\n}\n"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
