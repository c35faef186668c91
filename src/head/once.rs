//! Fields that nginx takes once: a head with two of them is answered 400.
//!
//! Envoy joins most fields of one name by a comma before a filter sees them. Only what no client writes into one field is
//! known again: `If-Match` and `If-None-Match` have lists, and a list is all that can be seen.
//!
//! Source: `ngx_http_headers_in`, `ngx_http_process_unique_header_line` of nginx 1.27.1; Envoy 1.40 was asked.

use crate::edit::Headers;

/// Such fields, and how many commas one of them may have; a date has one.
const ONCE: [(&[u8], usize); 3] = [
    (b"expect", 0),
    (b"if-modified-since", 1),
    (b"if-unmodified-since", 1),
];

/// Whether a client has sent a field twice of which nginx takes one.
pub fn has_two_of_one(headers: &Headers) -> bool {
    headers.iter().any(|(name, value)| {
        if *name == b"authorization" {
            return are_credentials_of_two(value);
        }
        let row = ONCE.iter().find(|(once, _)| once == name);
        row.is_some_and(|(_, most)| value.iter().filter(|byte| **byte == b',').count() > *most)
    })
}

/// No credentials go on behind a comma as those of Basic and Bearer begin.
#[inline(never)]
fn are_credentials_of_two(value: &[u8]) -> bool {
    let mut others = value.split(|byte| *byte == b',').skip(1);
    others.any(|part| {
        let scheme = part.split(|byte| *byte == b' ').next();
        scheme.is_some_and(|scheme| {
            scheme.eq_ignore_ascii_case(b"basic") || scheme.eq_ignore_ascii_case(b"bearer")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    #[test]
    fn two_fields_are_known_by_what_no_client_writes_into_one() {
        const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
        let dates = format!("{DATE},{DATE}");
        for (name, value, want) in [
            ("authorization", "Basic YTpi", false),
            ("authorization", "Basic YTpi,Bearer t", true),
            ("authorization", "Bearer t,Basic YTpi", true),
            ("authorization", "Bearer t,BASIC YTpi", true),
            ("authorization", "Bearer a,b", false),
            ("authorization", "Basic YTpi, Bearer t", false),
            (
                "authorization",
                "Digest username=\"a,b\",realm=\"c\"",
                false,
            ),
            ("authorization", "Digest username=\"a\",BASIC YTpi", true),
            ("authorization", "Negotiate abc", false),
            ("authorization", "", false),
            ("authorization", ",", false),
            ("if-modified-since", DATE, false),
            ("if-modified-since", dates.as_str(), true),
            ("if-unmodified-since", dates.as_str(), true),
            ("if-none-match", "\"a\",\"b\"", false),
            ("expect", "100-continue", false),
            ("expect", "100-continue,100-continue", true),
        ] {
            let head = [(":path", "/"), (name, value)];
            assert_eq!(has_two_of_one(&fields(&head)), want, "{name}: {value}");
        }
    }
}
