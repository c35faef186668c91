//! The admin on a socket.

use crate::admin;
use crate::environment::Environment;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Serves until the worker ends.
pub(super) async fn serve(listener: TcpListener, environment: Environment) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(connection(stream, environment.clone()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn connection(stream: TcpStream, environment: Environment) {
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let path = request.uri().path_and_query();
        let answer = admin::answer(&environment, path.map_or("/", |path| path.as_str()));
        async move {
            let mut response = http::Response::new(Full::new(Bytes::from(answer.body)));
            super::message::write_head(&mut response, &answer.head);
            Ok::<_, Infallible>(response)
        }
    });
    let http = hyper::server::conn::http1::Builder::new();
    let _ = http.serve_connection(TokioIo::new(stream), service).await; // the client's loss
}
