//! HTTP/1.1 in bytes: what is sent is sent as given, what comes back is kept whole.
//!
//! No HTTP library on purpose: they refuse or mend what hostile clients send.

pub use crate::latin1::{bytes, latin1};

use crate::wait::PATIENCE;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tokio::net::TcpSocket;

/// One request, as it will stand on the wire.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Vec<u8>,
    /// The request target, raw.
    pub target: Vec<u8>,
    /// `HTTP/1.1` or another.
    pub version: Vec<u8>,
    /// Header fields in order, `Host` included; names as they will be written.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body; sent as it is, with no length added.
    pub body: Vec<u8>,
}

impl Request {
    /// A GET of `target` at `host`.
    #[must_use]
    pub fn get(host: &str, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: b"GET".to_vec(),
            target: target.as_ref().to_vec(),
            version: b"HTTP/1.1".to_vec(),
            headers: vec![(b"Host".to_vec(), bytes(host))],
            body: Vec::new(),
        }
    }

    /// The same with one more header field.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let field = (name.as_ref().to_vec(), value.as_ref().to_vec());
        self.headers.push(field);
        self
    }

    /// The same with another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = bytes(method);
        self
    }

    /// As it will stand on the wire.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.method);
        out.push(b' ');
        out.extend_from_slice(&self.target);
        out.push(b' ');
        out.extend_from_slice(&self.version);
        out.extend_from_slice(b"\r\n");
        for (name, value) in &self.headers {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// Header fields in the order received.
type Fields = Vec<(String, Vec<u8>)>;

/// One answer, duplicates and raw bytes kept.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields in the order received; names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// Every value of header `name`, one code point per byte.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(n, _)| n == name);
        named.map(|(_, value)| latin1(value)).collect()
    }

    /// The first value of header `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// The body as text, one code point per byte.
    #[must_use]
    pub fn text(&self) -> String {
        latin1(&self.body)
    }

    /// What a [`crate::pod::Pod`] said it received; `None` if no pod answered.
    #[must_use]
    pub fn echo(&self) -> Option<crate::pod::Echo> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Which pod answered, as `ip:port`; `None` if none did.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        self.echo().map(|echo| echo.endpoint)
    }
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// TCP.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

impl From<&Place> for Place {
    fn from(place: &Place) -> Self {
        place.clone()
    }
}

/// One connection, kept alive.
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn open(to: impl Into<Place>) -> io::Result<Self> {
        let stream: Box<dyn Stream> = match to.into() {
            Place::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
            Place::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
        };
        let stream = BufReader::new(stream);
        Ok(Self { stream })
    }

    /// Connects from this address.
    ///
    /// # Errors
    /// Nobody listens there, or the address is not this machine's.
    pub fn open_from(client: IpAddr, to: SocketAddr) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let stream = runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(client, 0))?;
            socket.connect(to).await?.into_std()
        })?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let stream: Box<dyn Stream> = Box::new(stream);
        let stream = BufReader::new(stream);
        Ok(Self { stream })
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// The connection ended, or what came back is not HTTP/1.1.
    pub fn send(&mut self, request: &Request) -> io::Result<Response> {
        self.send_bytes(&request.write())?;
        self.read_response(request.method == b"HEAD")
    }

    /// Writes bytes as given.
    ///
    /// # Errors
    /// The connection ended.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads exactly `count` bytes: what follows a 101.
    ///
    /// # Errors
    /// The connection ended before.
    pub fn read_bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut out = vec![0; count];
        self.stream.read_exact(&mut out)?;
        Ok(out)
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn read_response(&mut self, to_head: bool) -> io::Result<Response> {
        let (status, headers) = loop {
            let (status, headers) = self.read_head()?;
            if status != 100 {
                break (status, headers);
            }
        };
        let empty = to_head || matches!(status, 101 | 204 | 304);
        let body = if empty {
            Vec::new()
        } else {
            self.read_body(&headers)?
        };
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    fn read_head(&mut self) -> io::Result<(u16, Fields)> {
        let line = self.read_line()?;
        let status = line
            .get(9..12)
            .and_then(|s| std::str::from_utf8(s).ok()?.parse().ok());
        let status = status.ok_or_else(|| broken("status line", &line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let colon = line.iter().position(|&b| b == b':');
            let colon = colon.ok_or_else(|| broken("header line", &line))?;
            let name = latin1(&line[..colon]).to_ascii_lowercase();
            headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
    }

    fn read_body(&mut self, headers: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
        let value = |name: &str| {
            headers
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| latin1(v))
        };
        if value("transfer-encoding").is_some_and(|v| v.contains("chunked")) {
            return self.read_chunks();
        }
        match value("content-length").and_then(|v| v.parse().ok()) {
            Some(length) => self.read_bytes(length),
            None => {
                let mut body = Vec::new();
                self.stream.read_to_end(&mut body)?;
                Ok(body)
            }
        }
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = latin1(&line);
            let size = usize::from_str_radix(size.split(';').next().unwrap_or(""), 16);
            let size = size.map_err(|_| broken("chunk size", &line))?;
            body.append(&mut self.read_bytes(size)?);
            self.read_line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        Ok(line)
    }
}

fn broken(what: &str, line: &[u8]) -> io::Error {
    io::Error::other(format!("not a {what}: {:?}", latin1(line)))
}

/// One request on a connection of its own.
///
/// # Errors
/// As [`Connection::open`] and [`Connection::send`].
pub fn send(to: impl Into<Place>, request: &Request) -> io::Result<Response> {
    let request = request.clone().header("Connection", "close");
    Connection::open(to)?.send(&request)
}
