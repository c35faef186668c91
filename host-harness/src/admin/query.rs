//! What is asked for behind the `?`.

use regex::Regex;

/// A parsed query; keys that nobody knows are ignored, as in Envoy.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) format: Option<String>,
    filter: Option<Regex>,
}

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, regex::Error> {
        let mut parsed = Self::default();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("format", value)) => parsed.format = Some(decode(value)),
                Some(("filter", value)) => parsed.filter = Some(Regex::new(&decode(value))?),
                _ => {}
            }
        }
        Ok(parsed)
    }

    /// Whether the filter is found anywhere in `name`; without one everything is wanted.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.is_match(name))
    }
}

/// Percent-decoding; a broken escape stays as it is, and so does `+`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let value = escaped
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*first));
        let skip = if value.is_some() { 2 } else { 0 };
        rest = after.get(skip..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_decoded_and_searched_anywhere() {
        let query = Query::parse("format=json&usedonly&filter=%5E(a%7Cb%5C.c)%24").unwrap();
        assert_eq!(query.format.as_deref(), Some("json"));
        for (name, wanted) in [("a", true), ("b.c", true), ("bxc", false), ("aa", false)] {
            assert_eq!(query.wants(name), wanted, "{name}");
        }
        assert!(Query::parse("filter=hc").unwrap().wants("my-hc-oh"));
        assert!(Query::parse("filter=(").is_err());
        assert_eq!(decode("%4"), "%4");
    }
}
