//! Clients: one request each over its own connection, and a cookie jar.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::header::{COOKIE, HOST, SET_COOKIE};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::cookie_jar::CookieJar;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the proxy.
pub(super) struct Network {
    runtime: Runtime,
    proxy: SocketAddr,
}

/// One answer.
pub(super) struct Page {
    pub(super) status: u16,
    /// The body without the line's end.
    pub(super) text: String,
    pub(super) set_cookie: Vec<String>,
}

impl Network {
    pub(super) fn new(proxy: SocketAddr) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self { runtime, proxy })
    }

    /// GET `path` of the manifest's host.
    pub(super) fn get(&self, path: &str, cookie: Option<&str>) -> anyhow::Result<Page> {
        let answer = async { tokio::time::timeout(PATIENCE, self.fetch(path, cookie)).await };
        let fetched = self.runtime.block_on(answer).context("no answer in time");
        fetched
            .and_then(|page| page)
            .with_context(|| format!("GET {path} at {}", self.proxy))
    }

    async fn fetch(&self, path: &str, cookie: Option<&str>) -> anyhow::Result<Page> {
        let socket = TcpStream::connect(self.proxy).await?;
        get(socket, "sample.example.com", path, cookie).await
    }
}

/// One GET over `socket`, in a runtime.
pub(super) async fn get<S>(
    socket: S,
    host: &str,
    path: &str,
    cookie: Option<&str>,
) -> anyhow::Result<Page>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let driver = tokio::spawn(connection);
    let mut request = Request::get(path).header(HOST, host);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    let response = sender
        .send_request(request.body(Empty::<Bytes>::new())?)
        .await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    driver.abort();
    let cookies = head.headers.get_all(SET_COOKIE).iter();
    Ok(Page {
        status: head.status.as_u16(),
        text: String::from_utf8_lossy(&body).trim_end().to_owned(),
        set_cookie: cookies
            .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
            .collect(),
    })
}

/// A client that keeps its cookies.
#[derive(Debug, Clone, Default)]
pub(super) struct Browser {
    pub(super) jar: CookieJar,
}

impl Browser {
    pub(super) fn get(&mut self, network: &Network, path: &str) -> anyhow::Result<Page> {
        let page = network.get(path, self.jar.header(path).as_deref())?;
        for cookie in &page.set_cookie {
            self.jar.keep(cookie);
        }
        Ok(page)
    }
}
