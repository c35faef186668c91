//! Paths of regex hosts as limpet translates them, beside PCRE, which nginx has: what they take, and
//! what their groups are.
#![no_main]

use limpet_fuzz::{Matching, is_plain_path};
use pcre2::bytes::RegexBuilder;
use serde_json::json;

/// A word between quotes of nginx's configuration, read as `ngx_conf_read_token` does.
fn unquoted(word: &str) -> Option<String> {
    let mut out = String::new();
    let mut bytes = word.chars().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = match (byte, bytes.peek()) {
            ('"', _) | ('\\', None) => return None,
            ('\\', Some('t')) => '\t',
            ('\\', Some('r')) => '\r',
            ('\\', Some('n')) => '\n',
            ('\\', Some(quoted @ ('"' | '\'' | '\\'))) => *quoted,
            _ => {
                out.push(byte);
                continue;
            }
        };
        bytes.next();
        out.push(escaped);
    }
    Some(out)
}

/// Whether groups may repeat until a round that matches nothing at some places alone, or groups
/// within them may: those are left as the crate has them.
fn is_unknown(pattern: &str) -> bool {
    let is_endless = [")*", ")+", ",}"].iter().any(|end| pattern.contains(end));
    let at_places = ["^", "$", "\\"].iter().any(|text| pattern.contains(text));
    is_endless && (at_places || pattern.matches('(').count() > 1)
}

/// Whether it has what is a repetition to PCRE2 10.43 and newer, and text to nginx's PCRE: `{,2}`, `{ 2 }`.
fn is_newer(pattern: &str) -> bool {
    pattern.replace(' ', "").contains("{,") || (pattern.contains('{') && pattern.contains(' '))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some((pattern, path)) = text.split_once('\n') else {
        return;
    };
    // A newline of the path is the end of a text to `$`, and to `.` nothing.
    let subject = path.replace("%0a", "\n");
    if !is_plain_path(&path.replace("%0a", "")) {
        return;
    }
    let target = json!({ "rewrite-target": "/1=$1:2=$2:3=$3:" });
    let Some(ours) = Matching::of(pattern, path, &target) else {
        return;
    };
    let Some(pattern) = unquoted(pattern).filter(|pattern| !is_newer(pattern)) else {
        return;
    };
    let location = RegexBuilder::new()
        .caseless(true)
        .build(&format!("^{pattern}"));
    let rewrite = RegexBuilder::new().build(&format!("(?i){pattern}"));
    let (Ok(location), Ok(rewrite)) = (location, rewrite) else {
        return;
    };
    // An error is its limit of steps: nginx answers 500.
    let Ok(takes) = location.is_match(subject.as_bytes()) else {
        return;
    };
    assert_eq!(ours.takes, takes, "{pattern:?} {subject:?}");
    let Ok(Some(groups)) = rewrite.captures(subject.as_bytes()) else {
        return;
    };
    if !takes || subject.contains('\n') || is_unknown(&pattern) {
        return;
    }
    let group = |number: usize| {
        let group = groups.get(number).map(|found| found.as_bytes());
        String::from_utf8_lossy(group.unwrap_or_default())
    };
    let rewritten = format!("/1={}:2={}:3={}:", group(1), group(2), group(3));
    let ours = ours.rewritten.map(|path| String::from_utf8(path).unwrap());
    assert_eq!(ours, Some(rewritten), "{pattern:?} {subject:?}");
});
