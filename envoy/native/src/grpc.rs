//! How a refusal is told to a gRPC client. Envoy 1.40's `send_response` always says `grpc-status: 0`,
//! a success, to it; so limpet makes the head that Envoy's own local replies have there
//! (`Utility::prepareLocalReply`).

use limpet::edit::Reply;
use std::fmt::Write;

/// Whether a request with this content type is a call, as `Grpc::Common::hasGrpcContentType` says;
/// `application/grpc-web` is not.
pub(crate) fn is_call(content_type: Option<&[u8]>) -> bool {
    let suffix = content_type.and_then(|it| it.strip_prefix(b"application/grpc"));
    suffix.is_some_and(|suffix| matches!(suffix.first(), None | Some(b'+')))
}

/// The head that ends a call; it has no body.
pub(crate) fn head(reply: &Reply) -> Vec<(&str, Vec<u8>)> {
    let mut head: Vec<(&str, Vec<u8>)> = vec![
        (":status", b"200".to_vec()),
        ("content-type", b"application/grpc".to_vec()),
        ("grpc-status", status(reply.status).into()),
    ];
    if !reply.body.is_empty() {
        head.push(("grpc-message", message(&reply.body).into_bytes()));
    }
    let of_the_body =
        |name: &str| matches!(name, "content-type" | "content-length" | "grpc-status");
    for (name, value) in &reply.headers {
        if !of_the_body(name) {
            head.push((name, value.to_vec()));
        }
    }
    head
}

/// gRPC's `http-grpc-status-mapping.md`, as Envoy's `Grpc::Utility::httpToGrpcStatus`.
fn status(http: u16) -> &'static str {
    match http {
        400 => "13",
        401 => "16",
        403 => "7",
        404 => "12",
        429 | 502..=504 => "14",
        _ => "2",
    }
}

/// Percent-encoded as gRPC's wire format asks for.
fn message(body: &[u8]) -> String {
    let mut encoded = String::with_capacity(body.len());
    for byte in body {
        if matches!(byte, b' '..=b'~') && *byte != b'%' {
            encoded.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
