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
    Ok(serde_saphyr::to_string_with_options(value, options)?)
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
