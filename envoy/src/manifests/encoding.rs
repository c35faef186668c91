//! From the bytes of a file to text, as `kubectl` reads them.

/// UTF-16 by its byte order mark (PowerShell writes it), or by the zero bytes of its first letter;
/// else UTF-8, where what is none becomes U+FFFD.
///
/// Source: `FileVisitor.Visit`, `k8s.io/cli-runtime/pkg/resource/visitor.go`.
#[must_use]
pub(super) fn decode(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => utf16(bytes, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    without_marks(text)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// A byte order mark may begin every line: files that were put behind each other have more than one.
///
/// Source: `yaml_parser_scan_to_next_token`, `scannerc.go`, go-yaml v2.
fn without_marks(text: String) -> String {
    const MARK: char = '\u{feff}';
    if !text.contains(MARK) {
        return text;
    }
    text.split_inclusive('\n')
        .map(|line| line.trim_start_matches(MARK))
        .collect()
}
