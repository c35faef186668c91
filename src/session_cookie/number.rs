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
        Some((digits, exponent)) if base == 16 => (digits, exponent.parse::<i32>().ok()?),
        _ => (digits, 0),
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

/// `tostring`: C's `%.14g`, but that a half is rounded away from zero, as LuaJIT does.
#[must_use]
pub fn print(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}inf");
    }
    let (digits, exponent) = rounded(value.abs());
    let point = |at: usize| digits.split_at_checked(at).unwrap_or((&digits, ""));
    let magnitude = usize::try_from(exponent.unsigned_abs()).unwrap_or(0);
    if (0..14).contains(&exponent) {
        let (whole, fraction) = point(magnitude.saturating_add(1));
        return format!("{sign}{}", trim(&format!("{whole}.{fraction}")));
    }
    if (-4..0).contains(&exponent) {
        let zeros = "0".repeat(magnitude.saturating_sub(1));
        return format!("{sign}{}", trim(&format!("0.{zeros}{digits}")));
    }
    let (first, rest) = point(1);
    let mantissa = format!("{first}.{rest}");
    let of_exponent = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{}e{of_exponent}{magnitude:02}", trim(&mantissa))
}

/// The first 14 digits of a number that is not negative, and the exponent of the first one.
fn rounded(value: f64) -> (String, i32) {
    // A half has 15 digits and then zeros: that many are exact.
    let exact = format!("{value:.40e}");
    let (mantissa, exponent) = exact.split_once('e').unwrap_or((&exact, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit);
    let digits: Vec<u8> = digits.collect();
    let (kept, rest) = digits.split_at_checked(14).unwrap_or((&digits, &[]));
    let number = kept.iter().fold(0u64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    let up = rest.first().is_some_and(|digit| *digit >= b'5');
    match number.saturating_add(u64::from(up)) {
        100_000_000_000_000 => ("10000000000000".to_owned(), exponent.saturating_add(1)),
        number => (format!("{number:014}"), exponent),
    }
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
            ("0b1p1", None),
            ("1e3", Some("1000")),
            ("007", Some("7")),
            ("0.1", Some("0.1")),
            ("99999999999999", Some("99999999999999")),
            ("999999999999999", Some("1e+15")),
            ("123456789012345678", Some("1.2345678901235e+17")),
            ("123456789012345", Some("1.2345678901235e+14")),
            ("123456789012344.9", Some("1.2345678901234e+14")),
            ("-44282971779544.5", Some("-44282971779545")),
            ("99999999999999.5", Some("1e+14")),
            ("0.000123456789012345", Some("0.00012345678901234")),
            ("12345.678901234", Some("12345.678901234")),
            ("1e-400", Some("0")),
            ("-0", Some("-0")),
            ("1e400", Some("inf")),
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
