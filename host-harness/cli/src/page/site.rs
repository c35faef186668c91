//! The page itself: its files, its stream of events, and what its buttons do.

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::crowd::Crowd;
use super::fleet::{Change, Fleet};
use super::guard::Guard;
use super::ledger::Ledger;
use super::lens::{Lens, Question};
use super::places::Places;

/// Any body that is sent to a browser.
pub(super) type Answer = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The longest text that a button sends.
const LONGEST: usize = 64 * 1024;

/// Nothing from elsewhere, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What a browser is told with each answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// The page and what it works on.
pub(super) struct Site {
    /// The path that it is served at, without a slash at its end.
    pub(super) base: String,
    /// Which proxy stands behind it.
    pub(super) proxy: String,
    pub(super) guard: Guard,
    pub(super) places: Places,
    pub(super) fleet: Arc<Fleet>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) crowd: Arc<Crowd>,
    pub(super) lens: Lens,
}

/// What a button asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Action {
    Stop {
        pod: usize,
    },
    Start {
        pod: usize,
    },
    Drain {
        pod: usize,
    },
    Add {
        deployment: String,
    },
    Clients {
        count: usize,
        #[serde(default)]
        https: bool,
        host: String,
        path: String,
    },
    Dismiss,
    Forget {
        page: String,
    },
    Explain {
        #[serde(default)]
        https: bool,
        host: String,
        path: String,
        /// `None`: the browser's own.
        cookie: Option<String>,
    },
}

impl Site {
    /// Whether it is served under this path.
    pub(super) fn has(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&self.base);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The answer to a request that comes under one of this machine's names.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Answer> {
        let path = request.uri().path().to_owned();
        let name = path.strip_prefix(&self.base).unwrap_or_default();
        let is_read = request.method() == Method::GET;
        let mut response = match name {
            "/do" if request.method() == Method::POST => self.act(request).await,
            "/do" => refused(StatusCode::METHOD_NOT_ALLOWED, "POST"),
            _ if !is_read => refused(StatusCode::METHOD_NOT_ALLOWED, "GET"),
            "" | "/" => text("text/html; charset=utf-8", self.html()),
            "/page.css" => text("text/css; charset=utf-8", include_str!("page.css").into()),
            "/page.js" => text(
                "text/javascript; charset=utf-8",
                include_str!("page.js").into(),
            ),
            "/icon.svg" => text("image/svg+xml", include_str!("icon.svg").into()),
            "/places" => json_of(StatusCode::OK, &json!(self.places.places)),
            "/events" => self.events(),
            _ => refused(StatusCode::NOT_FOUND, "GET"),
        };
        for (name, value) in HEADERS {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn html(&self) -> String {
        // All three are made here: letters, digits and a few marks.
        include_str!("page.html")
            .replace("{base}", &self.base)
            .replace("{token}", self.guard.token())
            .replace("{proxy}", &self.proxy)
    }

    fn events(&self) -> Response<Answer> {
        let stream = self.ledger.listen(&self.fleet);
        let body = stream.map_err(|never| match never {}).boxed_unsync();
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    async fn act(self: Arc<Self>, request: Request<Incoming>) -> Response<Answer> {
        if !self.guard.is_the_page(request.headers()) {
            let why = json!({ "error": "this is not the page: load it again" });
            return json_of(StatusCode::FORBIDDEN, &why);
        }
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LONGEST).collect().await else {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, "POST");
        };
        let action = match serde_json::from_slice(&body.to_bytes()) {
            Ok(action) => action,
            Err(error) => {
                let why = json!({ "error": error.to_string() });
                return json_of(StatusCode::BAD_REQUEST, &why);
            }
        };
        let expires = match action {
            Action::Forget { .. } => self.expirations(),
            _ => Vec::new(),
        };
        // Pods are started and modules configured: not on this thread.
        let site = Arc::clone(&self);
        let done = tokio::task::spawn_blocking(move || site.perform(action, &head.headers)).await;
        let done = done.context("it broke off").and_then(|done| done);
        self.ledger.tell(&self.fleet, false);
        let mut response = match done {
            Ok(answer) => json_of(StatusCode::OK, &answer),
            Err(error) => json_of(
                StatusCode::CONFLICT,
                &json!({ "error": format!("{error:#}") }),
            ),
        };
        for cookie in expires {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    fn perform(&self, action: Action, headers: &HeaderMap) -> anyhow::Result<Value> {
        match action {
            Action::Stop { pod } => self.changed(|fleet| fleet.stop(pod)),
            Action::Start { pod } => self.changed(|fleet| fleet.start(pod)),
            Action::Drain { pod } => self.changed(|fleet| fleet.drain(pod)),
            Action::Add { deployment } => self.changed(|fleet| fleet.add(&deployment)),
            Action::Clients {
                count,
                https,
                host,
                path,
            } => {
                self.crowd.add(count, https, &host, &path)?;
                Ok(json!({}))
            }
            Action::Dismiss => {
                self.crowd.dismiss();
                Ok(json!({}))
            }
            Action::Forget { page } => {
                self.ledger.forget(&page);
                Ok(json!({}))
            }
            Action::Explain {
                https: is_https,
                host,
                path,
                cookie,
            } => {
                let own = headers.get(COOKIE).and_then(|field| field.to_str().ok());
                let cookie = cookie.unwrap_or_else(|| own.unwrap_or_default().to_owned());
                let question = Question {
                    is_https,
                    host,
                    path,
                    cookie,
                };
                self.lens.answer(&self.fleet, &question)
            }
        }
    }

    fn changed(
        &self,
        change: impl FnOnce(&Fleet) -> anyhow::Result<Change>,
    ) -> anyhow::Result<Value> {
        let change = change(&self.fleet)?;
        self.ledger.changed(&change, &self.places.sessions);
        Ok(json!({ "done": change.what }))
    }

    /// Ends every session cookie of the manifests.
    fn expirations(&self) -> Vec<HeaderValue> {
        let cookies = self.places.cookies.iter();
        let expired = cookies.map(|(name, path)| format!("{name}=; Path={path}; Max-Age=0"));
        expired
            .filter_map(|cookie| HeaderValue::try_from(cookie).ok())
            .collect()
    }
}

fn text(kind: &'static str, body: String) -> Response<Answer> {
    let mut response = Response::new(full(body));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn json_of(status: StatusCode, value: &Value) -> Response<Answer> {
    let mut response = text("application/json", value.to_string());
    *response.status_mut() = status;
    response
}

fn refused(status: StatusCode, allowed: &'static str) -> Response<Answer> {
    let mut response = text("text/plain; charset=utf-8", format!("{status}\n"));
    *response.status_mut() = status;
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(ALLOW, allowed);
    response
}

/// A body that is there already.
pub(super) fn full(body: String) -> Answer {
    Full::new(Bytes::from(body))
        .map_err(|never| match never {})
        .boxed_unsync()
}
