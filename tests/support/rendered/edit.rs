//! Changing the plugin configurations in what was rendered.

use serde_json::Value;

/// Calls `edit` on every plugin configuration in a bootstrap or a listeners' file, as a text.
pub fn edit_plugin_text(value: &mut Value, edit: &mut dyn FnMut(&mut Value)) {
    if value["@type"] == "type.googleapis.com/google.protobuf.StringValue" {
        return edit(&mut value["value"]);
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|v| edit_plugin_text(v, edit)),
        Value::Array(elements) => elements.iter_mut().for_each(|v| edit_plugin_text(v, edit)),
        _ => {}
    }
}

/// As [`edit_plugin_text`], as the object that the text is.
///
/// # Panics
/// It is not JSON.
pub fn edit_plugin(value: &mut Value, mut edit: impl FnMut(&mut Value)) {
    edit_plugin_text(value, &mut |text| {
        let mut config = serde_json::from_str(text.as_str().unwrap()).unwrap();
        edit(&mut config);
        *text = config.to_string().into();
    });
}
