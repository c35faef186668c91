//! Which certificate a server shows to whom: TLS 1.2 tells it before anything is encrypted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::wait::PATIENCE;

/// ECDHE with ECDSA and with RSA, AES-128-GCM.
const CIPHERS: [u8; 4] = [0xc0, 0x2b, 0xc0, 0x2f];
/// P-256.
const GROUPS: [u8; 2] = [0x00, 0x17];
/// With P-256, RSA-PSS and RSA, SHA-256 each.
const SIGNATURES: [u8; 6] = [0x04, 0x03, 0x08, 0x04, 0x04, 0x01];

const HANDSHAKE: u8 = 22;
const CERTIFICATE: u8 = 11;

/// The certificate, as DER, that `server` shows to a client that asks for this name; `None`: it hangs up.
///
/// # Panics
/// It cannot be reached, or says what no server says.
#[must_use]
pub fn shown(server: SocketAddr, name: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&hello(name)).unwrap();
    let mut said = Vec::new();
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).ok()?;
        let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut record).ok()?;
        if head[0] != HANDSHAKE {
            return None;
        }
        said.extend(record);
        if let Some(found) = certificate(&said) {
            return Some(found);
        }
    }
}

/// The first certificate in what is there of the messages.
fn certificate(mut said: &[u8]) -> Option<Vec<u8>> {
    loop {
        let (head, rest) = said.split_at_checked(4)?;
        let (message, rest) = rest.split_at_checked(length(&head[1..]))?;
        if head[0] == CERTIFICATE {
            // The length of all of them, then that of each.
            let first = &message[3..];
            return Some(first[3..3 + length(&first[..3])].to_vec());
        }
        said = rest;
    }
}

fn length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |all, byte| all << 8 | usize::from(*byte))
}

fn hello(name: &str) -> Vec<u8> {
    let name = [&[0][..], &sized(name.as_bytes())].concat();
    let extension = |number: u8, content: &[u8]| [&[0, number][..], &sized(content)].concat();
    let extensions = [
        extension(0, &sized(&name)),
        extension(10, &sized(&GROUPS)),
        extension(11, &[1, 0]),
        extension(13, &sized(&SIGNATURES)),
    ];
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &sized(&CIPHERS),
        &[1, 0],
        &sized(&extensions.concat()),
    ];
    let body = sized(&body.concat());
    let message = [&[1, 0][..], &body].concat();
    [&[HANDSHAKE, 3, 1][..], &sized(&message)].concat()
}

/// With its length in two bytes before it.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}
