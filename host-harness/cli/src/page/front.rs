//! What stands before the proxy: the page at its path, everything else handed on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderName, HeaderValue, SET_COOKIE, UPGRADE, USER_AGENT};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::forward::{SCHEME, Way, join};
use super::guard::{TOKEN, is_loopback, name};
use super::ledger::Visitor;
use super::site::{Answer, Site, full};

/// A page says its number in it.
const PAGE: HeaderName = HeaderName::from_static("limpet-page");

/// A page says in it which host it asks for.
const PAGE_HOST: HeaderName = HeaderName::from_static("limpet-page-host");

/// How a request goes on to the proxy.
struct Onward {
    visitor: Visitor,
    is_https: bool,
    /// It came for this machine's own address, not for a host of the manifests.
    is_here: bool,
    request: Request<Incoming>,
}

/// The page, and the way for everything else.
pub(super) struct Front {
    pub(super) site: Arc<Site>,
    pub(super) way: Way,
}

impl Front {
    /// Serves for ever.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, client)) => {
                    tokio::spawn(Arc::clone(&self).connection(stream, client));
                }
                // Out of file descriptors, mostly: accepting again at once would spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, client: SocketAddr) {
        let service = service_fn(|request| {
            let front = Arc::clone(&self);
            async move { Ok::<_, Infallible>(front.answer(request, client).await) }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let serving = http.serve_connection(TokioIo::new(stream), service);
        let _ = serving.with_upgrades().await; // the client's loss
    }

    async fn answer(&self, request: Request<Incoming>, client: SocketAddr) -> Response<Answer> {
        let is_the_pages = self.site.has(request.uri().path());
        if is_the_pages && self.site.guard.knows_host(request.headers()) {
            return Arc::clone(&self.site).answer(request).await;
        }
        let Onward {
            visitor,
            is_https,
            is_here,
            mut request,
        } = self.prepare(request);
        let upgrade = request.headers().contains_key(UPGRADE);
        let upgrade = upgrade.then(|| hyper::upgrade::on(&mut request));
        let sent = self
            .way
            .send(client.ip().to_canonical(), visitor, is_https, request);
        match sent.await {
            Ok(mut response) => {
                if is_here {
                    without_domain(response.headers_mut());
                }
                if let Some(client) =
                    upgrade.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS)
                {
                    join(client, hyper::upgrade::on(&mut response));
                }
                response.map(|body| body.map_err(Into::into).boxed_unsync())
            }
            Err(error) => {
                let mut response = Response::new(full(format!("no answer: {error:#}\n")));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        }
    }

    /// The request as the proxy gets it: for a host of the manifests, and with nothing in it that
    /// is the page's.
    fn prepare(&self, mut request: Request<Incoming>) -> Onward {
        let path = request.uri().path_and_query().cloned();
        if let Some(path) = path {
            *request.uri_mut() = Uri::from(path);
        }
        let headers = request.headers_mut();
        headers.remove(TOKEN);
        let page = headers.remove(PAGE);
        let asked = headers.remove(PAGE_HOST).filter(|_| page.is_some());
        let scheme = headers.remove(SCHEME).filter(|_| page.is_some());
        let page = page.and_then(|page| Some(page.to_str().ok()?.chars().take(40).collect()));
        let here = headers.get(HOST).and_then(|host| host.to_str().ok());
        let here = here.map(name).unwrap_or_default();
        let is_here = is_loopback(here) || here.eq_ignore_ascii_case("localhost");
        let first = self.site.places.first().filter(|_| is_here);
        let is_https = match (&page, first) {
            (Some(_), _) => scheme.is_some_and(|scheme| scheme == "https"),
            (None, first) => first.is_some_and(|first| first.https),
        };
        let host = asked.or_else(|| HeaderValue::from_str(&first?.host).ok());
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            headers.insert(HOST, host);
        }
        let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
        let agent = String::from_utf8_lossy(agent.unwrap_or_default()).into_owned();
        let visitor = page.map_or(Visitor::Somebody { agent }, Visitor::Page);
        Onward {
            visitor,
            is_https,
            is_here,
            request,
        }
    }
}

/// A browser that asked for this machine by its address keeps no cookie of the manifests' hosts.
fn without_domain(headers: &mut HeaderMap) {
    let is_domain = |part: &str| {
        let name = part.split('=').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("domain")
    };
    let cookies = headers.iter_mut().filter(|(name, _)| **name == SET_COOKIE);
    for (_, field) in cookies {
        let bare = field.to_str().ok().map(|text| {
            let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
            let kept = attributes.split(';').filter(|part| !is_domain(part));
            std::iter::once(pair)
                .chain(kept)
                .collect::<Vec<_>>()
                .join(";")
        });
        if let Some(bare) = bare.and_then(|bare| HeaderValue::try_from(bare).ok()) {
            *field = bare;
        }
    }
}
