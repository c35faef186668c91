//! A client that keeps its cookies, as a browser does.

use crate::http::{Connection, Request, Response, latin1};
use limpet_cli::cookie_jar::CookieJar;
use std::io;
use std::net::SocketAddr;

/// One client of one host, with one connection and one cookie jar.
#[derive(Debug)]
pub struct Browser {
    proxy: SocketAddr,
    host: String,
    connection: Option<Connection>,
    /// What it was given.
    pub jar: CookieJar,
}

impl Browser {
    /// A client without cookies.
    #[must_use]
    pub fn new(proxy: SocketAddr, host: &str) -> Self {
        Self {
            proxy,
            host: host.into(),
            connection: None,
            jar: CookieJar::default(),
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
        let request = match self.jar.header(&latin1(&request.target)) {
            Some(cookies) => request.header("Cookie", crate::http::bytes(&cookies)),
            None => request,
        };
        let response = self.exchange(&request)?;
        for value in response.all("set-cookie") {
            self.jar.keep(&value);
        }
        Ok(response)
    }

    /// The value of the cookie called `name`.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.value(name)
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
