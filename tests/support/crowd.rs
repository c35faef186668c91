//! Many clients that keep their cookies, and what became of each of their sessions.

use crate::browser::Browser;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Clients of one page, each with a session.
#[derive(Debug)]
pub struct Crowd {
    browsers: Vec<Browser>,
    /// Where each was served last.
    homes: Vec<Option<String>>,
    page: String,
    /// Requests that were sent, ever.
    pub requests: usize,
}

/// What became of the sessions since the reload before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Answered by the same pod, no new cookie.
    pub stayed: usize,
    /// Client by number: from which pod to which, where they differ.
    pub moved: BTreeMap<usize, (String, String)>,
    /// New cookies.
    pub cookies: usize,
    /// Answers that are not a pod's 200.
    pub lost: usize,
}

impl Crowd {
    /// `size` clients without a session.
    #[must_use]
    pub fn new(size: usize, proxy: SocketAddr, host: &str, page: &str) -> Self {
        Self {
            browsers: (0..size).map(|_| Browser::new(proxy, host)).collect(),
            homes: vec![None; size],
            page: page.into(),
            requests: 0,
        }
    }

    /// Every client loads the page once.
    pub fn reload(&mut self) -> Moves {
        let mut moves = Moves::default();
        for (number, browser) in self.browsers.iter_mut().enumerate() {
            let cookies = browser.jar.received;
            let answer = browser.get(&self.page);
            self.requests += 1;
            moves.cookies += browser.jar.received - cookies;
            let served = answer
                .ok()
                .filter(|a| a.status == 200)
                .and_then(|a| a.endpoint());
            let Some(served) = served else {
                moves.lost += 1;
                continue;
            };
            match self.homes[number].replace(served.clone()) {
                Some(home) if home != served => {
                    moves.moved.insert(number, (home, served));
                }
                _ => moves.stayed += 1,
            }
        }
        moves
    }

    /// Every client goes on through another proxy.
    pub fn move_to(&mut self, proxy: SocketAddr) {
        self.browsers
            .iter_mut()
            .for_each(|browser| browser.move_to(proxy));
    }

    /// Where client `number` was served last.
    #[must_use]
    pub fn home(&self, number: usize) -> Option<&str> {
        self.homes[number].as_deref()
    }

    /// The value of the cookie called `name` that each client has.
    #[must_use]
    pub fn cookies(&self, name: &str) -> Vec<Option<String>> {
        let cookie = |browser: &Browser| browser.cookie(name).map(str::to_owned);
        self.browsers.iter().map(cookie).collect()
    }
}
