//! Bytes as JSON text: one code point U+0000..U+00FF each, both ways.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// A string of bytes, any bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ByteString(pub Vec<u8>);

impl ByteString {
    /// Says whether these bytes are that text.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0 == text.as_bytes()
    }
}

impl From<&str> for ByteString {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for ByteString {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ByteString {
    /// As people read it: UTF-8 where it is, else escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !text.chars().any(char::is_control) => f.write_str(text),
            _ => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

impl fmt::Debug for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for ByteString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = self.0.iter().copied().map(char::from).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for ByteString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.chars()
            .map(|c| {
                u8::try_from(u32::from(c)).map_err(|_| {
                    D::Error::custom(format!(
                        "{c:?} (U+{:04X}) is not a byte; expected code points U+0000 to U+00FF",
                        u32::from(c)
                    ))
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_one_code_point_both_ways() {
        let bytes = ByteString((0..=255).collect());
        let json = serde_json::to_string(&bytes).unwrap();
        assert_eq!(serde_json::from_str::<ByteString>(&json).unwrap(), bytes);
        assert_eq!(
            serde_json::from_str::<ByteString>("\"\u{e9}\"").unwrap().0,
            [0xe9]
        );
        let error = serde_json::from_str::<ByteString>("\"\u{20ac}\"").unwrap_err();
        assert!(error.to_string().contains("U+20AC"), "{error}");
    }
}
