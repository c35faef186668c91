//! A page beside the application: which pod answers whom, and why.
//!
//! `front` stands before the proxy and hands on what is not the page's; `ledger` joins what a
//! client sent and got with what the proxy and the module say of it, and tells the page; `fleet`
//! is what its buttons work on. Nothing here decides anything about sessions.

mod crowd;
mod events;
pub(crate) mod fleet;
pub(crate) mod forward;
mod front;
mod guard;
mod history;
pub(crate) mod ledger;
pub(crate) mod lens;
mod places;
mod shifts;
mod site;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use limpet_envoy::compiled::Compiled;
use tokio::runtime::Runtime;

use crowd::Crowd;
use fleet::Fleet;
use forward::Way;
use front::Front;
use guard::Guard;
use ledger::Ledger;
use lens::Lens;
use places::Places;
use site::Site;

/// Where the page is to be, before there is a proxy behind it.
pub(crate) struct Address {
    listener: TcpListener,
    address: SocketAddr,
    base: String,
}

/// What the page shows.
pub(crate) struct Scene<'s> {
    pub(crate) compiled: &'s Compiled<'s>,
    /// Where the proxy listens.
    pub(crate) proxy: SocketAddr,
    /// Such as `Envoy 1.40.0`.
    pub(crate) name: String,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) lens: Lens,
}

/// The page, for as long as this is there.
pub(crate) struct Page {
    _runtime: Runtime,
}

/// A path that the page may have.
///
/// # Errors
/// What was expected.
pub(crate) fn path(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    if path.starts_with('/') && path.chars().all(plain) {
        Ok(path.to_owned())
    } else {
        Err(format!(
            "{text:?} is no path for the page; expected one such as /limpet"
        ))
    }
}

impl Address {
    /// Listens, for this machine alone: who sees the page may stop the pods.
    ///
    /// # Errors
    /// When the address is taken, or others could reach it.
    pub(crate) fn take(listen: SocketAddr, base: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(
            listen.ip().is_loopback(),
            "the page is for this machine alone, and {} is not: --listen 127.0.0.1:{}",
            listen.ip(),
            listen.port()
        );
        let context = || cannot_listen(listen);
        let listener = TcpListener::bind(listen).with_context(context)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            base: base.to_owned(),
        })
    }

    /// Where to find the page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.address, self.base)
    }

    /// Where to find the application.
    pub(crate) fn application(&self) -> SocketAddr {
        self.address
    }

    /// Serves.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn serve(self, scene: Scene<'_>) -> anyhow::Result<Page> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("page")
            .enable_all()
            .build()?;
        let places = Places::of(scene.compiled);
        let way = Way {
            proxy: scene.proxy,
            ledger: Arc::clone(&scene.ledger),
        };
        let crowd = Crowd::new(way.clone());
        let site = Arc::new(Site {
            base: self.base,
            proxy: scene.name,
            guard: Guard::new(places.hosts.clone()),
            places,
            fleet: scene.fleet,
            ledger: scene.ledger,
            crowd: Arc::clone(&crowd),
            lens: scene.lens,
        });
        let front = Arc::new(Front {
            site: Arc::clone(&site),
            way,
        });
        let entered = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        runtime.spawn(front.serve(listener));
        runtime.spawn(crowd.play());
        runtime.spawn(tick(site));
        drop(entered);
        Ok(Page { _runtime: runtime })
    }
}

/// Tells every page once a second how things are.
async fn tick(site: Arc<Site>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        site.ledger.tell(&site.fleet, true);
    }
}

/// What is said of an address that somebody else has.
pub(crate) fn cannot_listen(address: SocketAddr) -> String {
    format!("cannot listen on {address} (--listen IP:PORT names another address)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_path_of_plain_characters() {
        assert_eq!(path("/limpet/"), Ok("/limpet".into()));
        assert_eq!(path("/a/b-c_d.e"), Ok("/a/b-c_d.e".into()));
        for wrong in ["", "/", "limpet", "/a?b", "/a b", "/\"><script>"] {
            assert!(path(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_page_is_for_this_machine_alone() {
        let open = "0.0.0.0:0".parse().unwrap();
        assert!(Address::take(open, "/limpet").is_err());
    }
}
