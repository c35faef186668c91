//! What ingress-nginx really did, replayed on the native core.
//!
//! Every recorded answer agrees, or is listed in `tests/recordings/divergences.yaml` with a reason, or is
//! open. The number that agrees may only grow.

mod affinity;
mod paths;
mod sessions;
