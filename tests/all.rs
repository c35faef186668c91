//! All tests in one binary: each further one would link wasmtime again.
