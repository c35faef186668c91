//! Header changes that a route makes, with values taken from the request.

use crate::connection::Connection;
use crate::headers::Headers;
use std::sync::Arc;

/// What is done to a header, Envoy's `append_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Append {
    /// One more field (`APPEND_IF_EXISTS_OR_ADD`).
    AppendOrAdd,
    /// Only where there is none (`ADD_IF_ABSENT`).
    IfAbsent,
    /// The only field (`OVERWRITE_IF_EXISTS_OR_ADD`).
    OverwriteOrAdd,
    /// Only where there is one (`OVERWRITE_IF_EXISTS`).
    OverwriteIfExists,
}

/// One change of a head.
#[derive(Debug, Clone)]
pub enum HeaderEdit {
    /// Removes every field of this name.
    Remove(String),
    /// Writes a field; a template without a value writes nothing.
    Write {
        /// The field's name, lower case.
        name: String,
        /// Its value.
        value: Template,
        /// What happens to fields of this name.
        append: Append,
    },
}

/// Computes a value from the request head and the connection; `None`: nothing is written.
pub type ValueFn = dyn Fn(&Headers, &Connection) -> Option<Vec<u8>> + Send + Sync;

/// Where a value comes from.
#[derive(Clone)]
pub enum Template {
    /// Always this.
    Text(String),
    /// The first value of a request header (`%REQ(name)%`).
    Request(String),
    /// The address of the downstream, without its port
    /// (`%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%`).
    RemoteAddress,
    /// The port that the downstream connected to (`%DOWNSTREAM_LOCAL_PORT%`).
    LocalPort,
    /// Whatever the function says.
    Computed(Arc<ValueFn>),
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Request(name) => write!(f, "Request({name:?})"),
            Self::RemoteAddress => f.write_str("RemoteAddress"),
            Self::LocalPort => f.write_str("LocalPort"),
            Self::Computed(_) => f.write_str("Computed(..)"),
        }
    }
}

impl Template {
    fn value(&self, request: &Headers, connection: &Connection) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Request(name) => request.first(name).map(<[u8]>::to_vec),
            Self::RemoteAddress => Some(connection.source.ip().to_string().into_bytes()),
            Self::LocalPort => Some(connection.destination.port().to_string().into_bytes()),
            Self::Computed(compute) => compute(request, connection),
        }
    }
}

/// Applies `edits` to `head`; values are read from `request` as it was before the first.
pub(crate) fn apply(
    edits: &[HeaderEdit],
    head: &mut Headers,
    request: &Headers,
    connection: &Connection,
) {
    for edit in edits {
        match edit {
            HeaderEdit::Remove(name) => {
                head.remove(name);
            }
            HeaderEdit::Write {
                name,
                value,
                append,
            } => {
                if let Some(value) = value.value(request, connection) {
                    write(head, name, value, *append);
                }
            }
        }
    }
}

fn write(head: &mut Headers, name: &str, value: Vec<u8>, append: Append) {
    match (append, head.contains(name)) {
        (Append::AppendOrAdd, _) | (Append::IfAbsent, false) => head.add(name, value),
        (Append::OverwriteOrAdd, _) | (Append::OverwriteIfExists, true) => head.set(name, value),
        (Append::IfAbsent, true) | (Append::OverwriteIfExists, false) => {}
    }
}
