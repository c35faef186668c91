//! gRPC as a proxy sees it: calls over HTTP/2 with messages both ways, a status in the trailers.

use crate::pod;
use crate::wait::PATIENCE;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::net::{SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// A server that gives every message back as it comes, under the name of the pod in `x-pod`, and
/// ends with the status 0.
#[derive(Debug)]
pub struct GrpcPod {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl GrpcPod {
    /// A pod on a loopback address of its own.
    #[must_use]
    pub fn start() -> Self {
        let any_port = SocketAddrV4::new(pod::next_address(), 0);
        let listener = wait_for(TcpListener::bind(any_port)).expect("a loopback address");
        let address = listener.local_addr().unwrap();
        Self {
            address,
            accepting: runtime().spawn(serve(listener, address)),
        }
    }

    /// Its name as an endpoint: `ip:port`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for GrpcPod {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(listener: TcpListener, address: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        let answer = move |request: Request<Incoming>| async move {
            let echo = Echo(Some(request.into_body()));
            Response::builder()
                .header("content-type", "application/grpc")
                .header("x-pod", address.to_string())
                .body(echo)
        };
        let service = hyper::service::service_fn(answer);
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
    }
}

/// The body of a request on its way back, `None` once its end has been told.
struct Echo(Option<Incoming>);

impl Body for Echo {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(request) = &mut self.0 else {
            return Poll::Ready(None);
        };
        match ready!(Pin::new(request).poll_frame(cx)) {
            Some(frame) => Poll::Ready(Some(frame)),
            None => {
                self.0 = None;
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }
}

/// What a client still has to say.
struct Messages(UnboundedReceiver<Bytes>);

impl Body for Messages {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|m| m.map(|m| Ok(Frame::data(m))))
    }
}

/// A call that has been answered by a head, and goes on until it is ended.
#[derive(Debug)]
pub struct Call {
    messages: UnboundedSender<Bytes>,
    answer: Incoming,
    /// The head of the answer.
    pub head: hyper::http::response::Parts,
}

impl Call {
    /// Calls `host` through the proxy at `to`, on a connection of its own, with these fields besides.
    ///
    /// # Panics
    /// No head comes back.
    #[must_use]
    pub fn start(to: SocketAddr, host: &str, fields: &[(&str, &str)]) -> Self {
        Self::try_start(to, host, fields).expect("a head")
    }

    /// As [`Call::start`]; `None`: no head came back.
    #[must_use]
    pub fn try_start(to: SocketAddr, host: &str, fields: &[(&str, &str)]) -> Option<Self> {
        let (messages, body) = unbounded_channel();
        let mut request = Request::post(format!("http://{host}/shop.Cart/Add"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Messages(body)).unwrap();
        let (head, answer) = wait_for(async move {
            let stream = TokioIo::new(TcpStream::connect(to).await.ok()?);
            let opened = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
            let (mut send, connection) = opened.ok()?;
            tokio::spawn(connection);
            Some(send.send_request(request).await.ok()?.into_parts())
        })?;
        Some(Self {
            messages,
            answer,
            head,
        })
    }

    /// Says one message, and gives what came back once as much has.
    ///
    /// # Panics
    /// The answer ends before.
    pub fn say(&mut self, message: &[u8]) -> Vec<u8> {
        self.try_say(message).expect("an answer to the message")
    }

    /// As [`Call::say`]; `None`: the answer has ended.
    pub fn try_say(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let framed = [&[0], &length[..], message].concat();
        self.messages.send(framed.clone().into()).ok()?;
        let mut back = Vec::new();
        while back.len() < framed.len() {
            back.extend_from_slice(self.next()?.ok()?.data_ref()?);
        }
        Some(back.split_off(framed.len() - message.len()))
    }

    /// Says that nothing more comes; gives the trailers of the answer.
    #[must_use]
    pub fn end(mut self) -> Option<HeaderMap> {
        drop(std::mem::replace(&mut self.messages, unbounded_channel().0));
        let mut trailers = None;
        while let Some(frame) = self.frame() {
            trailers = frame.into_trailers().ok();
        }
        trailers
    }

    /// A field of the head.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        let value = self.head.headers.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    }

    fn frame(&mut self) -> Option<Frame<Bytes>> {
        self.next().map(|frame| frame.expect("a frame"))
    }

    fn next(&mut self) -> Option<hyper::Result<Frame<Bytes>>> {
        let answer = &mut self.answer;
        wait_for(std::future::poll_fn(|cx| {
            Pin::new(&mut *answer).poll_frame(cx)
        }))
    }
}

fn wait_for<T>(step: impl Future<Output = T>) -> T {
    let limited = async { tokio::time::timeout(PATIENCE, step).await };
    runtime().block_on(limited).expect("in time")
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    })
}
