//! WebSocket and other upgrades: after the 101, bytes pass both ways.

use super::context::Counted;
use super::response_body::Ending;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

/// Joins both sides once both have switched; the exchange ends with the connection.
pub(super) fn join(downstream: OnUpgrade, upstream: OnUpgrade, counted: Counted, ending: Ending) {
    tokio::task::spawn_local(async move {
        let (_counted, _ending) = (counted, ending);
        if let (Ok(downstream), Ok(upstream)) = tokio::join!(downstream, upstream) {
            let (mut downstream, mut upstream) = (TokioIo::new(downstream), TokioIo::new(upstream));
            // Either side may break off at any time; nobody is left to be told.
            let _ = tokio::io::copy_bidirectional(&mut downstream, &mut upstream).await;
        }
    });
}
