//! Requests handed on to the proxy, each over a connection of its own: by its address the proxy's
//! record of it is known again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, COOKIE, HOST, HeaderName, HeaderValue, SET_COOKIE, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

use super::ledger::{Asked, Ledger, Visitor};

/// Fields between two neighbours alone; the last two ask for another protocol.
const HOP_BY_HOP: [HeaderName; 6] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("te"),
    HeaderName::from_static("transfer-encoding"),
    CONNECTION,
    UPGRADE,
];

/// Says that what comes stands for what came by https: the page is there without TLS.
pub(crate) const SCHEME: HeaderName = HeaderName::from_static("limpet-page-scheme");

/// The way to the proxy.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) proxy: SocketAddr,
    pub(super) ledger: Arc<Ledger>,
}

impl Way {
    /// The proxy's answer to `request` from `client`, which is noted.
    pub(super) async fn send<B>(
        &self,
        client: IpAddr,
        visitor: Visitor,
        is_https: bool,
        mut request: Request<B>,
    ) -> anyhow::Result<Response<Incoming>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let asks_for_another = request.headers().contains_key(UPGRADE);
        remove_hops(request.headers_mut(), asks_for_another);
        request.headers_mut().remove(&SCHEME);
        if is_https {
            let https = HeaderValue::from_static("https");
            request.headers_mut().insert(SCHEME, https);
        }
        let socket = TcpSocket::new_v4()?;
        // The proxy sees who asks, where that is an address of this machine.
        let source = match client {
            IpAddr::V4(address) if address.is_loopback() => address,
            _ => Ipv4Addr::LOCALHOST,
        };
        socket.bind((source, 0).into())?;
        let stream = socket.connect(self.proxy).await?;
        let from = stream.local_addr()?;
        let asked = Asked {
            method: request.method().to_string(),
            is_https,
            host: values(request.headers(), &HOST).concat(),
            path: request.uri().path().to_owned(),
            cookies: values(request.headers(), &COOKIE),
        };
        self.ledger.expect(from, visitor, asked);
        let sent = exchange(stream, request).await;
        match sent {
            Ok(mut response) => {
                self.ledger
                    .answered(from, values(response.headers(), &SET_COOKIE));
                let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                remove_hops(response.headers_mut(), switches);
                Ok(response)
            }
            Err(error) => {
                self.ledger.failed(from);
                Err(error)
            }
        }
    }
}

async fn exchange<B>(
    stream: tokio::net::TcpStream,
    request: Request<B>,
) -> anyhow::Result<Response<Incoming>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await?;
    tokio::spawn(connection.with_upgrades()); // ends with the response
    Ok(sender.send_request(request).await?)
}

fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

fn remove_hops(headers: &mut HeaderMap, but_for_an_upgrade: bool) {
    for name in &HOP_BY_HOP {
        if !(but_for_an_upgrade && [CONNECTION, UPGRADE].contains(name)) {
            headers.remove(name);
        }
    }
}

/// Joins both sides once both have switched protocols.
pub(super) fn join(client: OnUpgrade, proxy: OnUpgrade) {
    tokio::spawn(async move {
        if let (Ok(client), Ok(proxy)) = tokio::join!(client, proxy) {
            let (mut client, mut proxy) = (TokioIo::new(client), TokioIo::new(proxy));
            // Either side may break off at any time; nobody is left to be told.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut proxy).await;
        }
    });
}
