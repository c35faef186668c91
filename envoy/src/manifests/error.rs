//! Why manifests cannot be read.

/// Why manifests cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file or folder that cannot be opened or listed.
    #[error("{path}: cannot be read")]
    Read {
        /// As given, or as found in the folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder with no file that ends in .yaml, .yml or .json.
    #[error("{path}: no .yaml, .yml or .json file in this folder")]
    EmptyFolder {
        /// As given.
        path: String,
    },
    /// Nothing can be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Nothing to serve.
    #[error(
        "no networking.k8s.io/v1 Ingress among the manifests; `limpet check -f` says what was read"
    )]
    NoIngress,
}

/// A document that is neither YAML nor JSON. The others of its file are read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}:{column}: a document that cannot be read: {reason}")]
pub struct Unreadable {
    /// The file.
    pub path: String,
    /// Counted from 1.
    pub line: u64,
    /// Counted from 1.
    pub column: u64,
    /// What the parser said.
    pub reason: String,
}
