//! Connections from the downstream, and what each request is answered.

use super::context::{Context, Counted};
use super::incoming::Incoming;
use super::movement::{Movement, Moving, UnderWay};
use super::response_body::ResponseBody;
use super::target::RawTarget;
use super::{forward, message};
use crate::connection::Connection;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Envoy's limit, `max_request_headers_kb`, is 60; hyper's counts the request line too.
const LONGEST_HEAD: usize = 64 * 1024;

type Answered = Result<Response<ResponseBody>, Infallible>;

/// Serves one connection to its end.
pub(super) async fn serve(context: Rc<Context>, stream: TcpStream, source: SocketAddr) {
    let _counted = Counted::new(Rc::clone(&context));
    let _ = stream.set_nodelay(true); // slower without, not wrong
    let mut first = [0; 3];
    let peeked = stream.peek(&mut first);
    let Ok(Ok(_)) = tokio::time::timeout(context.config.idle_timeout, peeked).await else {
        return;
    };
    let connection = Connection {
        source,
        destination: stream.local_addr().unwrap_or(context.local_addr),
        ..Connection::default()
    };
    if first == *b"PRI" {
        serve_http2(context, stream, connection).await;
    } else {
        serve_http1(context, stream, connection).await;
    }
}

async fn serve_http1(context: Rc<Context>, stream: TcpStream, connection: Connection) {
    let target = RawTarget::default();
    let (movement, idle_timeout) = (Movement::new(), context.config.idle_timeout);
    let io = Moving::new(stream, Arc::clone(&movement));
    let io = TokioIo::new(Incoming::new(io, target.clone()));
    let mut stopped = context.stopped.clone();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(256);
    let moving = Arc::clone(&movement);
    let service = service_fn(move |request| {
        let (context, connection, target) =
            (Rc::clone(&context), connection.clone(), target.clone());
        let answer = answer(context, connection, target, request);
        watched(Arc::clone(&moving), answer)
    });
    let mut serving = pin!(http.serve_connection(io, service).with_upgrades());
    tokio::select! {
        _ = serving.as_mut() => return,
        () = movement.ceased(idle_timeout) => return,
        _ = stopped.changed() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await; // the downstream's loss
}

async fn serve_http2(context: Rc<Context>, stream: TcpStream, connection: Connection) {
    let mut stopped = context.stopped.clone();
    let connection = Connection {
        protocol: "HTTP/2".to_owned(),
        ..connection
    };
    let (movement, idle_timeout) = (Movement::new(), context.config.idle_timeout);
    let io = TokioIo::new(Moving::new(stream, Arc::clone(&movement)));
    let moving = Arc::clone(&movement);
    let service = service_fn(move |request| {
        let answer = answer(
            Rc::clone(&context),
            connection.clone(),
            RawTarget::default(),
            request,
        );
        watched(Arc::clone(&moving), answer)
    });
    let mut http = http2::Builder::new(LocalExecutor);
    // What `limpet render envoy` bounds: what one connection may keep in memory.
    http.max_concurrent_streams(128)
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(1 << 20)
        .max_send_buf_size(64 << 10);
    let mut serving = pin!(http.serve_connection(io, service));
    tokio::select! {
        _ = serving.as_mut() => return,
        () = movement.ceased(idle_timeout) => return,
        _ = stopped.changed() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

/// The same answer, of which its connection hears.
async fn watched(movement: Arc<Movement>, answer: impl Future<Output = Answered>) -> Answered {
    let under_way = UnderWay::new(movement);
    let answer = answer.await;
    answer.map(|response| response.map(|body| body.told(under_way)))
}

async fn answer(
    context: Rc<Context>,
    mut connection: Connection,
    target: RawTarget,
    request: Request<hyper::body::Incoming>,
) -> Answered {
    let sent = target.take();
    let bodyless = hyper::body::Body::is_end_stream(request.body());
    if bodyless && !message::is_upgrade(request.headers()) {
        target.expect_line();
    }
    if request.version() == Version::HTTP_10 {
        "HTTP/1.0".clone_into(&mut connection.protocol);
    }
    let default_host = context.config.default_host.as_deref();
    let (mut parts, body) = request.into_parts();
    let said = context.config.scheme_header.as_ref();
    let said = said.and_then(|name| parts.headers.remove(name));
    let is_https = said.is_some_and(|scheme| scheme == "https");
    let scheme = if is_https { "https" } else { "http" };
    let head = message::request_head(&parts, sent.as_deref(), default_host, scheme);
    // Both as Envoy does: `missing_host_header`, and `http_reject_path_with_fragment`.
    let fragment = head.first(":path").is_some_and(|path| path.contains(&b'#'));
    if !head.contains(":authority") || fragment {
        return Ok(refusal(StatusCode::BAD_REQUEST));
    }
    // No route has Envoy's `connect_matcher`.
    if parts.method == Method::CONNECT {
        return Ok(refusal(StatusCode::NOT_FOUND));
    }
    // Every other upgrade is refused by Envoy, which is told of `websocket` alone.
    if message::is_upgrade(&parts.headers) && !message::is_websocket(&parts.headers) {
        return Ok(refusal(StatusCode::FORBIDDEN));
    }
    let request = Request::from_parts(parts, body);
    Ok(forward::run(context, connection, head, request, target).await)
}

/// An answer that the filters do not see.
pub(super) fn refusal(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::local(Vec::new(), None));
    *response.status_mut() = status;
    response
}

/// Runs HTTP/2 streams on the worker's thread.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
