//! Numbers as LuaJIT reads and prints them: ingress-nginx's lifetimes go through both.

/// `tonumber`: surrounding space, a sign, decimal or hexadecimal (`0x`), a fraction, an
/// exponent. `None` for anything else.
///
/// Source: `lj_strscan_scan` (LuaJIT 2.1), as observed (`0x10` is 16, `0abc` is nothing).
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let hex = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let binary = digits.strip_prefix("0b").or(digits.strip_prefix("0B"));
    let value = match (hex, binary) {
        (Some(digits), _) => radix(digits, 16)?,
        (_, Some(digits)) => radix(digits, 2)?,
        _ => digits.parse().ok()?,
    };
    Some(sign * value)
}

/// Digits with a fraction and, in base 16, an exponent of 2.
fn radix(digits: &str, base: u32) -> Option<f64> {
    let (digits, exponent) = match digits.split_once(['p', 'P']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || base != 16 && digits.contains('.') {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * f64::from(base) + f64::from(digit.to_digit(base)?);
    }
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * f64::from(exponent.checked_sub(places)?).exp2())
}

/// `tostring`: C's `%.14g`.
#[must_use]
pub fn print(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:.13e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..14).contains(&exponent) {
        let places = usize::try_from(13i32.saturating_sub(exponent)).unwrap_or(0);
        return trim(&format!("{value:.places$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs())
}

/// Without the zeros that end a fraction.
fn trim(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_luajit() {
        for (text, printed) in [
            ("0", Some("0")),
            ("3600", Some("3600")),
            ("-1", Some("-1")),
            (" 60", Some("60")),
            ("1.5", Some("1.5")),
            ("0x10", Some("16")),
            ("-0x1F", Some("-31")),
            ("0x1p4", Some("16")),
            ("0x.8", Some("0.5")),
            ("0b101", Some("5")),
            ("1e3", Some("1000")),
            ("007", Some("7")),
            ("0.1", Some("0.1")),
            ("99999999999999", Some("99999999999999")),
            ("999999999999999", Some("1e+15")),
            ("123456789012345678", Some("1.2345678901235e+17")),
            ("99999999999999999999", Some("1e+20")),
            ("0.00001", Some("1e-05")),
            ("", None),
            ("0abc", None),
            ("5abc", None),
            ("0x", None),
            ("--1", None),
            ("1 2", None),
            ("1_000", None),
        ] {
            assert_eq!(parse(text).map(print).as_deref(), printed, "{text:?}");
        }
    }
}
