//! WebSocket and other upgrades: after the 101, bytes pass both ways.

use super::context::Counted;
use super::response_body::Ending;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::pin::pin;
use std::time::Duration;
use tokio_io_timeout::TimeoutWriter;

/// Joins both sides once both have switched; the exchange ends with the connection, or when one of them has
/// taken nothing of what there is for it for `patience`. Both may be silent as long as they like.
pub(super) fn join(
    downstream: OnUpgrade,
    upstream: OnUpgrade,
    patience: Duration,
    counted: Counted,
    ending: Ending,
) {
    tokio::task::spawn_local(async move {
        let (_counted, _ending) = (counted, ending);
        if let (Ok(downstream), Ok(upstream)) = tokio::join!(downstream, upstream) {
            let mut downstream = pin!(side(downstream, patience));
            let mut upstream = pin!(side(upstream, patience));
            // Either side may break off at any time; nobody is left to be told.
            let _ = tokio::io::copy_bidirectional(&mut downstream, &mut upstream).await;
        }
    });
}

fn side(upgraded: Upgraded, patience: Duration) -> TimeoutWriter<TokioIo<Upgraded>> {
    let mut side = TimeoutWriter::new(TokioIo::new(upgraded));
    side.set_timeout(Some(patience));
    side
}
