//! The part of JSON Schema that resource definitions use.

use serde_json::{Map, Value};

/// Everything in `value` that `schema` does not allow, each with its place.
pub(super) fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    walk(schema, value, "", &mut all);
    all
}

fn walk(schema: &Value, value: &Value, at: &str, all: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else {
        return;
    };
    let mut wrong = |what: String| all.push(format!("{at}: {value} {what}"));
    if let Some(types) = schema.get("type")
        && !is_of(types, value)
    {
        return wrong(format!("is no {types}"));
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        wrong(format!("is none of {allowed:?}"));
    }
    let bounds = [
        (
            "minLength",
            "maxLength",
            value.as_str().map(|text| text.chars().count() as f64),
        ),
        (
            "minItems",
            "maxItems",
            value.as_array().map(|items| items.len() as f64),
        ),
        (
            "minProperties",
            "maxProperties",
            value.as_object().map(|o| o.len() as f64),
        ),
        ("minimum", "maximum", value.as_f64()),
    ];
    for (least, most, size) in bounds {
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        if size
            .zip(bound(least))
            .is_some_and(|(size, least)| size < least)
        {
            wrong(format!("is below {least}"));
        }
        if size
            .zip(bound(most))
            .is_some_and(|(size, most)| size > most)
        {
            wrong(format!("is above {most}"));
        }
    }
    if let (Some(pattern), Some(text)) = (schema.get("pattern"), value.as_str()) {
        let pattern = pattern.as_str().unwrap();
        if !regex::Regex::new(pattern).unwrap().is_match(text) {
            wrong(format!("does not match {pattern}"));
        }
    }
    branches(schema, value, at, all);
    if let (Some(items), Some(item)) = (value.as_array(), schema.get("items")) {
        for (index, value) in items.iter().enumerate() {
            walk(item, value, &format!("{at}/{index}"), all);
        }
    }
    if let Some(object) = value.as_object() {
        fields(schema, object, at, all);
    }
}

fn fields(
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
    all: &mut Vec<String>,
) {
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if !object.contains_key(name.as_str().unwrap()) {
            all.push(format!("{at}: {name} is missing"));
        }
    }
    let known = schema.get("properties").and_then(Value::as_object);
    for (name, value) in object {
        let at = format!("{at}/{name}");
        match (
            known.and_then(|known| known.get(name)),
            schema.get("additionalProperties"),
        ) {
            (Some(schema), _) => walk(schema, value, &at, all),
            (None, Some(Value::Bool(false))) => all.push(format!("{at}: no such field")),
            (None, Some(schema)) => walk(schema, value, &at, all),
            (None, None) => {}
        }
    }
}

fn branches(schema: &Map<String, Value>, value: &Value, at: &str, all: &mut Vec<String>) {
    let fits = |branch: &Value| errors(branch, value).is_empty();
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    if list("oneOf").is_some_and(|l| l.iter().filter(|branch| fits(branch)).count() != 1) {
        all.push(format!(
            "{at}: {value} fits not exactly one of {:?}",
            list("oneOf")
        ));
    }
    if list("anyOf").is_some_and(|l| !l.iter().any(fits)) {
        all.push(format!("{at}: {value} fits none of {:?}", list("anyOf")));
    }
    if list("allOf").is_some_and(|l| !l.iter().all(fits)) {
        all.push(format!(
            "{at}: {value} does not fit all of {:?}",
            list("allOf")
        ));
    }
    if schema.get("not").is_some_and(fits) {
        all.push(format!("{at}: {value} fits {}", schema["not"]));
    }
}

fn is_of(types: &Value, value: &Value) -> bool {
    let one = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => panic!("type {kind}"),
    };
    match types {
        Value::String(kind) => one(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| one(kind.as_str().unwrap())),
        _ => panic!("{types}"),
    }
}
