//! A client that keeps its cookies, as a browser does.

use crate::http::{Connection, Request, Response, latin1};
use std::io;
use std::net::SocketAddr;

/// One cookie of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// The name, case kept.
    pub name: String,
    /// The value, not decoded.
    pub value: String,
    /// The attributes as written, after the value: `Path=/; HttpOnly`.
    pub attributes: String,
}

impl Cookie {
    /// Reads a `Set-Cookie` value.
    #[must_use]
    pub fn parse(set_cookie: &str) -> Self {
        let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Self {
            name: name.trim().into(),
            value: value.trim().into(),
            attributes: attributes.trim().into(),
        }
    }

    /// The value of an attribute, `""` for one without; `None` if it is not there.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.split(';').find_map(|attribute| {
            let (n, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            n.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn path(&self) -> &str {
        self.attribute("path")
            .filter(|path| path.starts_with('/'))
            .unwrap_or("/")
    }

    /// RFC 6265, 5.1.4.
    fn matches(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path());
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path().ends_with('/')
        })
    }
}

/// One client of one host, with one connection and one cookie jar.
#[derive(Debug)]
pub struct Browser {
    proxy: SocketAddr,
    host: String,
    connection: Option<Connection>,
    /// The cookies it holds, oldest first.
    pub jar: Vec<Cookie>,
    /// How many `Set-Cookie` it was sent, ever.
    pub cookies_received: usize,
}

impl Browser {
    /// A client without cookies.
    #[must_use]
    pub fn new(proxy: SocketAddr, host: &str) -> Self {
        Self {
            proxy,
            host: host.into(),
            connection: None,
            jar: Vec::new(),
            cookies_received: 0,
        }
    }

    /// The same client, seen through another proxy.
    pub fn move_to(&mut self, proxy: SocketAddr) {
        self.proxy = proxy;
        self.connection = None;
    }

    /// Loads a page, cookies sent and kept.
    ///
    /// # Errors
    /// The connection broke, and so did a fresh one.
    pub fn get(&mut self, target: &str) -> io::Result<Response> {
        self.send(Request::get(&self.host, target))
    }

    /// As [`Browser::get`], for a request that the caller made.
    ///
    /// # Errors
    /// As [`Browser::get`].
    pub fn send(&mut self, request: Request) -> io::Result<Response> {
        let request = match self.cookie_header(&latin1(&request.target)) {
            Some(cookies) => request.header("Cookie", crate::http::bytes(&cookies)),
            None => request,
        };
        let response = self.exchange(&request)?;
        for value in response.all("set-cookie") {
            self.keep(Cookie::parse(&value));
        }
        Ok(response)
    }

    /// The value of the cookie called `name`.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookie = self.jar.iter().find(|cookie| cookie.name == name)?;
        Some(&cookie.value)
    }

    /// What it would send with a request for `target`; longest path first.
    fn cookie_header(&self, target: &str) -> Option<String> {
        let path = target.split('?').next().unwrap_or(target);
        let mut cookies: Vec<_> = self.jar.iter().filter(|c| c.matches(path)).collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path().len()));
        let pairs: Vec<_> = cookies
            .iter()
            .map(|c| format!("{}={}", c.name, c.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep(&mut self, cookie: Cookie) {
        self.cookies_received += 1;
        let same = |old: &Cookie| old.name == cookie.name && old.path() == cookie.path();
        match self.jar.iter_mut().find(|old| same(old)) {
            Some(old) => *old = cookie,
            None => self.jar.push(cookie),
        }
    }

    /// A kept-alive connection may have been closed meanwhile: then once more on a new one.
    fn exchange(&mut self, request: &Request) -> io::Result<Response> {
        if let Some(mut connection) = self.connection.take()
            && let Ok(response) = connection.send(request)
        {
            self.connection = open_still(connection, &response);
            return Ok(response);
        }
        let mut connection = Connection::open(self.proxy)?;
        let response = connection.send(request)?;
        self.connection = open_still(connection, &response);
        Ok(response)
    }
}

fn open_still(connection: Connection, response: &Response) -> Option<Connection> {
    let closes = response
        .header("connection")
        .is_some_and(|v| v.eq_ignore_ascii_case("close"));
    (!closes && response.status != 101).then_some(connection)
}
