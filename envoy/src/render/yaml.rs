//! Values and comments as YAML.

use serde_json::Value;

/// A value as YAML.
///
/// # Errors
/// Never for the values of this package; the serializer says what it cannot write.
pub fn to_yaml(value: &Value) -> anyhow::Result<String> {
    // Type URLs are long, and one line each.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 1000 };
    Ok(serde_saphyr::to_string_with_options(value, options)?)
}

/// Lines of comment.
pub(super) fn comments(text: &mut String, lines: &[String]) {
    for line in lines {
        text.push_str(if line.is_empty() { "#" } else { "# " });
        text.push_str(line);
        text.push('\n');
    }
}
