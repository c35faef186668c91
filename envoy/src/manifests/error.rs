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
    /// Text that is neither YAML nor JSON.
    #[error("{path}:{line}:{column}: {reason}")]
    Syntax {
        /// The file.
        path: String,
        /// Counted from 1.
        line: u64,
        /// Counted from 1.
        column: u64,
        /// What the parser said.
        reason: String,
    },
    /// Nothing to serve.
    #[error(
        "no networking.k8s.io/v1 Ingress among the manifests; `limpet check -f` says what was read"
    )]
    NoIngress,
}
