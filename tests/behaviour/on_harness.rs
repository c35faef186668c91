//! The rows on the harness.
