//! Requests handed on to the proxy, each over a connection of its own: by its address the proxy's
//! record of it is known again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, COOKIE, HOST, HeaderName, SET_COOKIE};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

use super::ledger::{Asked, Ledger, Visitor};

/// Fields between two neighbours alone.
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("te"),
    HeaderName::from_static("transfer-encoding"),
    HeaderName::from_static("upgrade"),
];

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
        mut request: Request<B>,
    ) -> anyhow::Result<Response<Incoming>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        remove_hops(request.headers_mut());
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
                remove_hops(response.headers_mut());
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
    tokio::spawn(connection); // ends with the response
    Ok(sender.send_request(request).await?)
}

fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

fn remove_hops(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}
