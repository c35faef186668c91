//! Pods: HTTP/1.1 servers in this process, each on a loopback address of its own, that
//! answer with what they received.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What a pod received, as it answers it in JSON. Every string is bytes, one code point
/// U+0000..U+00FF each.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Echo {
    /// The pod's own `ip:port`.
    pub endpoint: String,
    /// The request method.
    pub method: String,
    /// The request target, raw.
    pub path: String,
    /// Header fields in the order received; names in lower case.
    pub headers: Vec<(String, String)>,
    /// How long the body was.
    pub body_size: u64,
}

impl Echo {
    /// Every value of header `name`.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(n, _)| n == name);
        named.map(|(_, value)| value.clone()).collect()
    }
}

/// How a pod behaves from now on.
#[derive(Debug, Clone)]
pub struct Script {
    /// The status it answers.
    pub status: u16,
    /// Header fields it adds to its answer.
    pub headers: Vec<(String, String)>,
    /// The statuses of the next requests in place of `status`, whichever of the pods that share them
    /// gets them.
    pub turns: Arc<Mutex<VecDeque<u16>>>,
    /// What becomes of a request that has arrived.
    pub manner: Manner,
    /// So many spaces follow what it received.
    pub padding: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            turns: Arc::default(),
            manner: Manner::Answer,
            padding: 0,
        }
    }
}

/// What a pod does with a request that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers at once; an upgrade is taken up and its bytes come back.
    Answer,
    /// Answers only when the script changes.
    Hold,
    /// Answers after so long, or when the script changes.
    After(Duration),
    /// Sends its answer in five parts, each after so long.
    Slowly(Duration),
    /// Sends the head of its answer, and closes the connection where the body should be.
    BreakOff,
    /// Closes the connection without a word.
    Reset,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Pod {
    address: SocketAddr,
    inner: Arc<Inner>,
    open: bool,
}

#[derive(Debug)]
struct Inner {
    script: Mutex<Script>,
    changed: Condvar,
    requests: AtomicU64,
    /// Counts up when the pod stops: threads of an older life end.
    life: AtomicU64,
    connections: Mutex<Vec<TcpStream>>,
    last: Mutex<Option<Echo>>,
}

impl Pod {
    /// A pod on a loopback address that no other pod of this process has, any port.
    #[must_use]
    pub fn start() -> Self {
        let inner = Inner {
            script: Mutex::default(),
            changed: Condvar::new(),
            requests: AtomicU64::new(0),
            life: AtomicU64::new(0),
            connections: Mutex::default(),
            last: Mutex::default(),
        };
        let any_port = SocketAddrV4::new(next_address(), 0);
        let listener = TcpListener::bind(any_port).expect("a loopback address");
        let address = listener.local_addr().unwrap();
        let mut pod = Self {
            address,
            inner: Arc::new(inner),
            open: false,
        };
        pod.listen(listener);
        pod
    }

    /// Several at once.
    #[must_use]
    pub fn several(count: usize) -> Vec<Self> {
        (0..count).map(|_| Self::start()).collect()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its name as an endpoint: `ip:port`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// How it behaves from now on; held requests are answered accordingly.
    pub fn behave(&self, script: Script) {
        *self.inner.script.lock().unwrap() = script;
        self.inner.changed.notify_all();
    }

    /// From now on it answers every request so.
    ///
    /// # Panics
    /// As [`Pod::behave`].
    pub fn answer(&self, status: u16, headers: &[(&str, &str)]) {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.behave(Script {
            status,
            headers: headers.collect(),
            ..Script::default()
        });
    }

    /// Requests that have arrived, ever.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::SeqCst)
    }

    /// What it received last.
    #[must_use]
    pub fn last(&self) -> Option<Echo> {
        self.inner.last.lock().unwrap().clone()
    }

    /// Refuses connections from now on and closes those that are open.
    pub fn stop(&mut self) {
        if !self.open {
            return;
        }
        self.open = false;
        self.inner.life.fetch_add(1, Ordering::SeqCst);
        self.inner.changed.notify_all();
        // Wakes the thread that waits in `accept`, which then sees that its life is over.
        drop(TcpStream::connect(self.address));
        for connection in self.inner.connections.lock().unwrap().drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
        let refused = || TcpStream::connect(self.address).is_err();
        crate::wait::until("a stopped pod refuses connections", refused);
    }

    /// Listens again on the same address after [`Pod::stop`].
    pub fn restart(&mut self) {
        if !self.open {
            let listener = TcpListener::bind(self.address).expect("the pod's own address");
            self.listen(listener);
        }
    }

    fn listen(&mut self, listener: TcpListener) {
        let inner = Arc::clone(&self.inner);
        let name = self.endpoint();
        let life = inner.life.load(Ordering::SeqCst);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if inner.life.load(Ordering::SeqCst) != life {
                    return;
                }
                let Ok(stream) = stream else { continue };
                inner.connections.lock().unwrap().extend(stream.try_clone());
                let (inner, name) = (Arc::clone(&inner), name.clone());
                std::thread::spawn(move || drop(serve(&stream, &inner, &name, life)));
            }
        });
        self.open = true;
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.stop();
    }
}

/// 127.64.0.1, 127.64.0.2, ...: far from the addresses that people use by hand.
pub(crate) fn next_address() -> Ipv4Addr {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = COUNT.fetch_add(1, Ordering::SeqCst);
    let [.., high, low] = (n / 250 * 256 + n % 250 + 1).to_be_bytes();
    Ipv4Addr::new(127, 64, high, low)
}

/// Answers the requests of one connection until it ends.
fn serve(stream: &TcpStream, inner: &Inner, name: &str, life: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let echo = read_request(&mut reader, name)?;
        inner.requests.fetch_add(1, Ordering::SeqCst);
        *inner.last.lock().unwrap() = Some(echo.clone());
        let scripted = inner.script.lock().unwrap();
        let own = scripted.manner;
        let waits = |s: &mut Script| s.manner == own && inner.life.load(Ordering::SeqCst) == life;
        let scripted = match own {
            Manner::Hold => inner.changed.wait_while(scripted, waits).unwrap(),
            Manner::After(time) => {
                let waited = inner.changed.wait_timeout_while(scripted, time, waits);
                waited.unwrap().0
            }
            Manner::Answer | Manner::Slowly(_) | Manner::BreakOff | Manner::Reset => scripted,
        };
        let mut script = scripted.clone();
        // An upgraded connection goes on, and so do the others.
        drop(scripted);
        if let Some(status) = script.turns.lock().unwrap().pop_front() {
            script.status = status;
        }
        if script.manner == Manner::Reset {
            return stream.shutdown(Shutdown::Both);
        }
        let mut writer = stream;
        if !echo.all("upgrade").is_empty() {
            writer.write_all(b"HTTP/1.1 101 Switching Protocols\r\n")?;
            writer.write_all(
                format!("connection: upgrade\r\nupgrade: websocket\r\nx-pod: {name}\r\n\r\n")
                    .as_bytes(),
            )?;
            io::copy(&mut reader, &mut writer)?;
            return Ok(());
        }
        let answer = answer(&echo, &script);
        if script.manner == Manner::BreakOff {
            let head = answer.windows(4).position(|at| at == b"\r\n\r\n");
            writer.write_all(&answer[..head.unwrap() + 4])?;
            return stream.shutdown(Shutdown::Both);
        }
        let Manner::Slowly(pause) = script.manner else {
            writer.write_all(&answer)?;
            continue;
        };
        for part in answer.chunks(answer.len().div_ceil(5)) {
            let scripted = inner.script.lock().unwrap();
            let waited = inner.changed.wait_timeout_while(scripted, pause, waits);
            drop(waited.unwrap());
            writer.write_all(part)?;
        }
    }
}

fn answer(echo: &Echo, script: &Script) -> Vec<u8> {
    let mut body = serde_json::to_vec(echo).unwrap();
    body.resize(body.len() + script.padding, b' ');
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\nx-pod: {}\r\n",
        script.status, echo.endpoint
    );
    for (name, value) in &script.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut out = crate::latin1::bytes(&head);
    if matches!(script.status, 204 | 304) {
        out.extend_from_slice(b"\r\n");
        return out;
    }
    out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    if echo.method != "HEAD" {
        out.extend_from_slice(&body);
    }
    out
}

/// Reads one request, its body thrown away.
fn read_request(reader: &mut BufReader<&TcpStream>, name: &str) -> io::Result<Echo> {
    let line = read_line(reader)?;
    let (method, rest) = line.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
    let (path, _) = rest.rsplit_once(' ').ok_or(io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((
            name.to_ascii_lowercase(),
            value.trim_matches([' ', '\t']).to_owned(),
        ));
    }
    let mut echo = Echo {
        endpoint: name.into(),
        method: method.into(),
        path: path.into(),
        headers,
        body_size: 0,
    };
    echo.body_size = discard_body(reader, &echo)?;
    Ok(echo)
}

/// How long the body was.
fn discard_body(reader: &mut BufReader<&TcpStream>, echo: &Echo) -> io::Result<u64> {
    if echo
        .all("transfer-encoding")
        .iter()
        .any(|v| v.contains("chunked"))
    {
        let mut whole = 0;
        loop {
            let size = u64::from_str_radix(&read_line(reader)?, 16);
            let size = size.map_err(|_| io::ErrorKind::InvalidData)?;
            whole += io::copy(&mut reader.by_ref().take(size), &mut io::sink())?;
            read_line(reader)?;
            if size == 0 {
                return Ok(whole);
            }
        }
    }
    let length = echo
        .all("content-length")
        .first()
        .and_then(|v| v.parse().ok());
    io::copy(
        &mut reader.by_ref().take(length.unwrap_or(0)),
        &mut io::sink(),
    )
}

/// One line without its end, one code point per byte.
fn read_line(reader: &mut BufReader<&TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(crate::latin1::latin1(&line))
}
