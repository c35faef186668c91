//! Pages of a Service of their own in place of answers with certain statuses: `custom-http-errors`.
//!
//! Source: the `CUSTOM_ERRORS` locations and the `error_page` lines of
//! `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx dbb11b92d. There a Service that fails is
//! asked for ever; here once.

use crate::authorizer::{Answer, Question};
use crate::cluster::ClusterId;
use crate::edit::{FieldValue, Name, Reply};
use std::sync::Arc;

/// Which answers of a location are replaced, and by whose pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorPages {
    /// Of an Ingress, not of the ConfigMap.
    pub(crate) is_own: bool,
    pub statuses: Vec<u16>,
    /// Answers of pods are replaced too, not those of the proxy alone.
    pub intercepts: bool,
    /// `None`: ingress-nginx's own default backend, which has none.
    pub service: Option<Service>,
    /// The status of what that one answers.
    pub otherwise: u16,
}

/// Who has the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// The cluster whose endpoints count.
    pub id: ClusterId,
    /// Envoy's name of the one that is asked in its place: what Envoy adds to a question is taken
    /// off there.
    pub asked: Option<String>,
}

/// The page of one request, once its status is known.
#[derive(Debug)]
pub struct Page {
    pub(crate) pages: Arc<ErrorPages>,
    /// Without X-Code; `None`: nobody has any endpoint.
    pub(crate) question: Option<Question>,
    /// The status of the answer where nobody is asked.
    pub(crate) otherwise: u16,
    pub(crate) is_head: bool,
}

/// What stands in place of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Instead {
    /// What this is answered; [`crate::stream::Stream::page`] takes it.
    Ask(Question),
    /// This.
    Reply(Reply),
}

/// A page that is longer is none: it stands in memory as a whole.
pub const LONGEST: usize = 1 << 20;

/// Fields that are of a connection or a proxy.
const NOT_OF_A_PAGE: [&str; 10] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl ErrorPages {
    /// Whether an answer with this status is replaced. `by_pod`: it is a pod's.
    pub(crate) fn covers(&self, status: u16, by_pod: bool) -> bool {
        self.statuses.contains(&status) && (self.intercepts || !by_pod)
    }
}

impl Page {
    /// What stands in place of an answer with this status.
    pub(crate) fn instead(&self, status: u16) -> Instead {
        match &self.question {
            Some(question) => {
                let mut question = question.clone();
                let code = status.to_string().into_bytes();
                question.headers.push(("x-code".to_owned(), code));
                Instead::Ask(question)
            }
            None => Instead::Reply(plain(self.otherwise)),
        }
    }

    /// The page that came. Without one it is 502, as of any Service that does not answer.
    pub(crate) fn reply(&self, answer: Answer, hidden: &[String]) -> Reply {
        if !(200..600).contains(&answer.status) {
            return plain(502);
        }
        let is_kept = |name: &str| {
            let is_own = name.starts_with([':'])
                || name.starts_with("x-envoy-")
                || name.starts_with("x-limpet-");
            !is_own && !NOT_OF_A_PAGE.contains(&name) && !hidden.iter().any(|own| own == name)
        };
        let mut body = answer.body;
        if self.is_head {
            // Envoy says the length of what is there, and leaves it out.
            let length = answer
                .headers
                .iter()
                .find(|(name, _)| name == "content-length");
            let length =
                length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
            body = vec![0; length.unwrap_or(0).min(LONGEST)];
        }
        let fields = answer.headers.into_iter();
        let fields = fields.filter(|(name, _)| is_kept(name));
        Reply {
            status: answer.status,
            headers: fields
                .map(|(name, value)| (Name::Owned(name), FieldValue::received(value)))
                .collect(),
            body,
        }
    }
}

fn plain(status: u16) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(is_head: bool) -> Page {
        Page {
            pages: Arc::new(ErrorPages {
                is_own: false,
                statuses: vec![404, 503],
                intercepts: false,
                service: None,
                otherwise: 500,
            }),
            question: None,
            otherwise: 500,
            is_head,
        }
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).into()));
        Answer {
            status,
            headers: headers.collect(),
            body: body.to_vec(),
        }
    }

    fn names(reply: &Reply) -> Vec<&str> {
        reply.headers.iter().map(|(name, _)| &**name).collect()
    }

    #[test]
    fn a_page_has_what_its_service_says_but_for_what_is_of_the_connection() {
        let fields = [
            ("content-type", "text/html"),
            ("content-length", "4"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("x-envoy-upstream-service-time", "1"),
            ("x-limpet-endpoint", "MTAuMC4wLjE6ODA="),
            ("x-powered-by", "pages"),
            ("set-cookie", "a=b\r\nx: y"),
        ];
        let hidden = ["x-powered-by".to_owned()];
        let reply = page(false).reply(answer(200, &fields, b"gone"), &hidden);
        assert_eq!((reply.status, &*reply.body), (200, &b"gone"[..]));
        assert_eq!(names(&reply), ["content-type", "set-cookie"]);
        assert_eq!(&*reply.headers[1].1, b"a=b%0D%0Ax: y");
    }

    #[test]
    fn the_page_of_a_head_is_as_long_as_it_would_be_and_no_longer_than_may_be() {
        for (said, length) in [("4", 4), ("99999999999", LONGEST), ("x", 0), ("-1", 0)] {
            let of = answer(404, &[("content-length", said)], b"");
            assert_eq!(page(true).reply(of, &[]).body.len(), length, "{said}");
        }
    }

    #[test]
    fn without_a_page_it_is_502() {
        for status in [0, 100, 199, 600, u16::MAX] {
            let reply = page(false).reply(answer(status, &[("a", "b")], b"x"), &[]);
            assert_eq!(reply, plain(502), "{status}");
        }
        assert_eq!(page(false).instead(404), Instead::Reply(plain(500)));
    }

    #[test]
    fn pods_may_be_spared() {
        let pages = page(false).pages;
        assert!(pages.covers(404, false) && !pages.covers(404, true));
        assert!(!pages.covers(500, false));
    }
}
