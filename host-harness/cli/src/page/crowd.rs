//! Clients that are played here: each keeps its cookies and comes back every other second.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::header::{COOKIE, HOST, SET_COOKIE};

use super::forward::Way;
use super::ledger::Visitor;
use crate::cookie_jar::CookieJar;

/// How many there may be.
const MOST: usize = 60;

/// How long a client waits before it comes back.
const ROUND: Duration = Duration::from_secs(2);

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// All of them.
pub(super) struct Crowd {
    way: Way,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    clients: Vec<Client>,
    started: usize,
    next: usize,
}

#[derive(Clone)]
struct Client {
    name: String,
    is_https: bool,
    host: String,
    path: String,
    jar: CookieJar,
}

impl Crowd {
    pub(super) fn new(way: Way) -> Arc<Self> {
        Arc::new(Self {
            way,
            clients: Mutex::default(),
        })
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// More of them, who ask for this.
    pub(super) fn add(
        &self,
        count: usize,
        is_https: bool,
        host: &str,
        path: &str,
    ) -> anyhow::Result<()> {
        request(host, path, None)?;
        let mut clients = self.clients();
        anyhow::ensure!(
            clients.clients.len().saturating_add(count) <= MOST,
            "{MOST} clients are enough"
        );
        for _ in 0..count {
            clients.started += 1;
            let client = Client {
                name: format!("client {}", clients.started),
                is_https,
                host: host.to_owned(),
                path: path.to_owned(),
                jar: CookieJar::default(),
            };
            clients.clients.push(client);
        }
        let count = clients.clients.len();
        drop(clients);
        self.way.ledger.clients(count, &[]);
        Ok(())
    }

    /// Sends all of them home.
    pub(super) fn dismiss(&self) {
        let gone = std::mem::take(&mut self.clients().clients);
        let names: Vec<String> = gone.into_iter().map(|client| client.name).collect();
        self.way.ledger.clients(0, &names);
    }

    /// Plays them, one after the other, for ever.
    pub(super) async fn play(self: Arc<Self>) {
        loop {
            let (turn, count) = self.turn();
            if let Some(client) = turn {
                let visit = tokio::time::timeout(PATIENCE, self.visit(&client));
                if let Ok(Ok(set_cookie)) = visit.await {
                    self.keep(&client.name, &set_cookie);
                } // else it comes back later
            }
            let count = u32::try_from(count.max(1)).unwrap_or(1);
            tokio::time::sleep(ROUND / count.max(10)).await;
        }
    }

    fn turn(&self) -> (Option<Client>, usize) {
        let mut clients = self.clients();
        let count = clients.clients.len();
        // A few keep the pace of ten, so that nobody waits for them to come.
        clients.next = (clients.next + 1) % count.max(10);
        (clients.clients.get(clients.next).cloned(), count)
    }

    async fn visit(&self, client: &Client) -> anyhow::Result<Vec<String>> {
        let cookies = client.jar.header(&client.path);
        let request = request(&client.host, &client.path, cookies)?;
        let visitor = Visitor::Played(client.name.clone());
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let sent = self.way.send(address, visitor, client.is_https, request);
        let response = sent.await?;
        let (head, body) = response.into_parts();
        body.collect().await?;
        let fields = head.headers.get_all(SET_COOKIE).iter();
        Ok(fields
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect())
    }

    fn keep(&self, name: &str, set_cookie: &[String]) {
        let mut clients = self.clients();
        let client = clients.clients.iter_mut().find(|one| one.name == name);
        if let Some(client) = client {
            for cookie in set_cookie {
                client.jar.keep(cookie);
            }
        }
    }
}

fn request(
    host: &str,
    path: &str,
    cookies: Option<String>,
) -> anyhow::Result<Request<Empty<Bytes>>> {
    anyhow::ensure!(path.starts_with('/'), "a path begins with a slash");
    let mut request = Request::get(path).header(HOST, host);
    if let Some(cookies) = cookies {
        request = request.header(COOKIE, cookies);
    }
    let request = request.body(Empty::new());
    request.with_context(|| format!("http://{host}{path} is no address"))
}
