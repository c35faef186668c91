//! Texts without quotes: which of them are numbers, booleans or nothing, and which are texts. `kubectl` writes its
//! output by its own rules, and what it leaves without quotes is a text, whatever YAML's newer letter makes of it.
//!
//! Source: `resolve`, `resolve.go`, go.yaml.in/yaml v2.4.

use serde_json::Value;
use serde_saphyr::Spanned;

use super::tree::Tree;

/// What is a boolean or nothing there; other spellings of these words are texts.
const WORDS: [&str; 28] = [
    "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "n", "N", "no", "No",
    "NO", "false", "False", "FALSE", "off", "Off", "OFF", "", "~", "null", "Null", "NULL", "<<",
];

/// Numbers there that no JSON has.
const NOT_FINITE: [&str; 12] = [
    ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf",
    "-.INF",
];

/// Makes a text again of each part of `tree`, which was read from `text`, that is one to `kubectl`.
pub(super) fn restore(tree: &mut Spanned<Tree>, text: &str) {
    let span = tree.defined.span();
    match &mut tree.value {
        Tree::Leaf(leaf @ (Value::Bool(_) | Value::Number(_) | Value::Null)) => {
            let place = || {
                let from = usize::try_from(span.byte_offset()?).ok()?;
                let length = usize::try_from(span.byte_len()?).ok()?;
                text.get(from..from.checked_add(length)?)
            };
            if let Some(raw) = place().map(str::trim).filter(|raw| is_text(raw)) {
                *leaf = Value::String(raw.to_owned());
            }
        }
        Tree::Leaf(_) => {}
        Tree::List(items) => items.iter_mut().for_each(|item| restore(item, text)),
        Tree::Map(fields) => {
            let values = fields.kept.iter_mut();
            values.for_each(|(_, value)| restore(value, text));
        }
    }
}

/// Whether what stands there without quotes is a text. What begins with a sign of YAML's own was not read from
/// letters alone.
fn is_text(raw: &str) -> bool {
    let is_sign = raw.starts_with(['!', '&', '*', '"', '\'', '|', '>', '{', '[', '#']);
    !is_sign && !WORDS.contains(&raw) && !is_number(raw)
}

fn is_number(raw: &str) -> bool {
    let plain = raw.replace('_', "");
    let bare = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let has_sign = bare.len() < plain.len();
    let in_base = |prefixes: [&str; 2], radix| {
        let mut digits = prefixes.iter().filter_map(|one| bare.strip_prefix(one));
        digits.any(|digits| match has_sign {
            true => i64::from_str_radix(digits, radix).is_ok(),
            false => u64::from_str_radix(digits, radix).is_ok(),
        })
    };
    NOT_FINITE.contains(&raw)
        || in_base(["0x", "0X"], 16)
        || in_base(["0o", "0O"], 8)
        || in_base(["0b", "0B"], 2)
        || (is_float(bare) && plain.parse::<f64>().is_ok_and(f64::is_finite))
}

/// Digits, of which a point may be one, and then perhaps an exponent.
fn is_float(bare: &str) -> bool {
    let (number, exponent) = match bare.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (bare, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_mantissa = is_digits(&format!("{whole}{part}"));
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    is_mantissa && exponent.is_none_or(is_digits)
}

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn what_kubectl_leaves_without_quotes_is_a_text() {
        for (raw, expected) in [
            ("1e400", true),
            ("7e47312", true),
            (&*"9".repeat(400), true),
            ("0x1ffffffffffffffff", true),
            ("oN", true),
            ("tRue", true),
            ("nUll", true),
            ("+.NaN", true),
            ("-.nan", true),
            ("+0xffffffffffffffff", true),
            ("0xffffffffffffffff", false),
            ("1.2.3", true),
            ("e5", true),
            ("on", false),
            ("true", false),
            ("~", false),
            ("", false),
            ("3600", false),
            ("-1", false),
            ("1_000", false),
            ("08", false),
            ("0x1F", false),
            ("1e5", false),
            ("1.5E+3", false),
            (".5", false),
            ("5.", false),
            ("-.INF", false),
            ("*anchor", false),
        ] {
            assert_eq!(is_text(raw), expected, "{raw}");
        }
    }
}
