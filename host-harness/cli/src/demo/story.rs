//! The story: every claim of the first manifest, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context;
use limpet_envoy::clusters::Endpoint;
use sha1::{Digest, Sha1};

use super::browser::{Browser, Network, Page};
use super::report::Report;
use crate::page::fleet::Fleet;
use crate::pods::Pod;

/// How often a page is reloaded.
const RELOADS: usize = 20;

/// How long a change of the endpoint list may take to be known everywhere.
const SPREAD: Duration = Duration::from_secs(15);

/// Both applications of the manifest.
const PATHS: [&str; 2] = ["/app1/", "/app2/"];

pub(super) struct Story<'s> {
    pub(super) fleet: &'s Fleet,
    pub(super) network: &'s Network,
    pub(super) pods: &'s [Pod],
    pub(super) report: &'s mut Report,
}

/// One client of the story.
struct Client {
    name: String,
    browser: Browser,
    /// The number of its replica.
    home: usize,
}

/// What a client saw over its reloads.
#[derive(Default)]
struct Seen {
    replicas: BTreeSet<usize>,
    times_set: usize,
}

impl Story<'_> {
    pub(super) fn play(&mut self) -> anyhow::Result<()> {
        self.requests_without_a_cookie_are_spread()?;
        self.the_cookie_is_ingress_nginxs()?;
        let mut clients = self.clients()?;
        self.everybody_stays(
            &mut clients,
            "each stays where it was, and gets no second cookie",
        )?;
        self.other_paths_are_nobodys()?;
        let gone = clients.first().context("no client")?.home;
        self.a_replica_goes(gone, &mut clients)?;
        self.it_comes_back(gone, &mut clients)
    }

    fn requests_without_a_cookie_are_spread(&mut self) -> anyhow::Result<()> {
        self.report.chapter("Requests without a cookie");
        for path in PATHS {
            let mut pages: BTreeMap<String, usize> = BTreeMap::new();
            for _ in 0..RELOADS {
                *pages.entry(self.network.get(path, None)?.text).or_default() += 1;
            }
            let cells: Vec<String> = pages
                .iter()
                .map(|(page, times)| format!("{page}: {times} times"))
                .collect();
            self.report.row(path, &cells);
            let expected: BTreeSet<String> = self.pods.iter().map(|pod| pod.page(path)).collect();
            let seen: BTreeSet<String> = pages.into_keys().collect();
            let claim = format!("{path} is served by every replica");
            self.report
                .claim(&claim, seen == expected, &format!("{seen:?}"))?;
        }
        Ok(())
    }

    fn the_cookie_is_ingress_nginxs(&mut self) -> anyhow::Result<()> {
        self.report.chapter("The cookie");
        let page = self.network.get("/app1/", None)?;
        let pod = self.pod(self.replica("/app1/", &page)?)?;
        let expected = format!(
            "route={}; Path=/; HttpOnly",
            sha1_hex(&pod.address.to_string())
        );
        self.report
            .row(&format!("{}", pod.address), &page.set_cookie);
        self.report.claim(
            "it is route=<sha1 of ip:port, 40 hex>; Path=/; HttpOnly, once",
            page.set_cookie == [expected],
            &format!("{:?}", page.set_cookie),
        )
    }

    /// Three clients with a cookie jar, of which two at least live on different replicas.
    fn clients(&mut self) -> anyhow::Result<Vec<Client>> {
        self.report.chapter("Three clients with a cookie jar");
        let mut clients: Vec<Client> = Vec::new();
        for name in ["client 1", "client 2", "client 3"] {
            let mut client = self.client(name)?;
            let deadline = Instant::now() + SPREAD;
            while clients.len() == 2 && clients.iter().all(|other| other.home == client.home) {
                anyhow::ensure!(
                    Instant::now() < deadline,
                    "no client lands on the other replica"
                );
                client = self.client(name)?;
            }
            let cookie = client.browser.jar.header("/").unwrap_or_default();
            let shown: String = cookie.chars().take("route=".len() + 6).collect();
            self.report.row(
                name,
                &[format!("replica {}", client.home), format!("{shown}...")],
            );
            clients.push(client);
        }
        Ok(clients)
    }

    fn client(&self, name: &str) -> anyhow::Result<Client> {
        let mut browser = Browser::default();
        let page = browser.get(self.network, "/app1/")?;
        let home = self.replica("/app1/", &page)?;
        Ok(Client {
            name: name.to_owned(),
            browser,
            home,
        })
    }

    fn everybody_stays(&mut self, clients: &mut [Client], claim: &str) -> anyhow::Result<()> {
        for client in clients {
            let seen = self.reload(client)?;
            let claim = format!("{}, {} reloads of each page: {claim}", client.name, RELOADS);
            let stayed = seen.replicas == BTreeSet::from([client.home]) && seen.times_set == 0;
            self.report.claim(&claim, stayed, &seen.to_string())?;
        }
        Ok(())
    }

    fn other_paths_are_nobodys(&mut self) -> anyhow::Result<()> {
        self.report.chapter("A path that no rule names");
        let status = self.network.get("/other", None)?.status;
        self.report
            .claim("/other is 404", status == 404, &status.to_string())
    }

    fn a_replica_goes(&mut self, gone: usize, clients: &mut [Client]) -> anyhow::Result<()> {
        self.report
            .chapter(&format!("Replica {gone} leaves the endpoint list"));
        let left: Vec<Endpoint> = self
            .pods
            .iter()
            .filter(|pod| pod.number != gone)
            .map(Pod::endpoint)
            .collect();
        self.fleet.list(&left)?;
        let scout = clients.first().context("no client")?.browser.clone();
        self.wait("its going to be known", |story| {
            let page = scout.clone().get(story.network, "/app1/")?;
            Ok(!page.set_cookie.is_empty())
        })?;
        for client in clients {
            let had_to_move = client.home == gone;
            let seen = self.reload(client)?;
            let new_home = seen.replicas.first().copied().unwrap_or_default();
            let moved_once = seen.replicas.len() == 1 && new_home != gone && seen.times_set == 1;
            let stayed = seen.replicas == BTreeSet::from([client.home]) && seen.times_set == 0;
            let (claim, holds) = if had_to_move {
                ("moves once, gets one new cookie, and stays", moved_once)
            } else {
                ("stays where it was", stayed)
            };
            self.report.claim(
                &format!("{} {claim}", client.name),
                holds,
                &seen.to_string(),
            )?;
            client.home = new_home;
        }
        Ok(())
    }

    fn it_comes_back(&mut self, back: usize, clients: &mut [Client]) -> anyhow::Result<()> {
        self.report.chapter(&format!("Replica {back} comes back"));
        let all: Vec<Endpoint> = self.pods.iter().map(Pod::endpoint).collect();
        self.fleet.list(&all)?;
        self.wait("new clients to land there", |story| {
            let page = story.network.get("/app1/", None)?;
            Ok(story.replica("/app1/", &page)? == back)
        })?;
        self.everybody_stays(clients, "nobody moves back")
    }

    /// Reloads both pages; a page that is no replica's is an error.
    fn reload(&self, client: &mut Client) -> anyhow::Result<Seen> {
        let set_before = client.browser.jar.received;
        let mut seen = Seen::default();
        for _ in 0..RELOADS {
            for path in PATHS {
                let page = client.browser.get(self.network, path)?;
                seen.replicas.insert(self.replica(path, &page)?);
            }
        }
        seen.times_set = client.browser.jar.received - set_before;
        Ok(seen)
    }

    fn wait(
        &self,
        what: &str,
        mut is_so: impl FnMut(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        self.report.progress(&format!("waiting for {what}"));
        let deadline = Instant::now() + SPREAD;
        while !is_so(self)? {
            anyhow::ensure!(Instant::now() < deadline, "waited {SPREAD:?} for {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The number of the replica that made this page.
    fn replica(&self, path: &str, page: &Page) -> anyhow::Result<usize> {
        let pod = self.pods.iter().find(|pod| pod.page(path) == page.text);
        let pod =
            pod.with_context(|| format!("{path} answered {}: {:?}", page.status, page.text))?;
        Ok(pod.number)
    }

    fn pod(&self, number: usize) -> anyhow::Result<&Pod> {
        self.pods
            .iter()
            .find(|pod| pod.number == number)
            .context("no such replica")
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "replicas {:?}, {} new cookies",
            self.replicas, self.times_set
        )
    }
}

fn sha1_hex(text: &str) -> String {
    Sha1::digest(text.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
