//! Numbers and encodings of proxy-wasm 0.2.1.
//!
//! Source: proxy-wasm/spec `abi-versions/v0.2.1`, and `types.rs` of the Rust SDK 0.2.5.

use crate::headers::Headers;

/// What a host call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    InvalidMemoryAccess = 6,
    CasMismatch = 8,
    InternalFailure = 10,
    Unimplemented = 12,
}

/// Which header map a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapType {
    RequestHeaders,
    ResponseHeaders,
    CallResponseHeaders,
    CallResponseTrailers,
    /// Trailers of streams and all of gRPC: never there.
    Absent,
}

impl MapType {
    /// Numbers from 8 up do not exist.
    pub(crate) fn from_number(number: u32) -> Result<Self, Status> {
        match number {
            0 => Ok(Self::RequestHeaders),
            2 => Ok(Self::ResponseHeaders),
            6 => Ok(Self::CallResponseHeaders),
            7 => Ok(Self::CallResponseTrailers),
            1 | 3 | 4 | 5 => Ok(Self::Absent),
            _ => Err(Status::BadArgument),
        }
    }
}

/// Appends the wire form of `headers` to `out`: the count, all lengths, then names and
/// values with a zero byte behind each; numbers are 32 bits, little endian.
pub(crate) fn write_pairs(headers: &Headers, out: &mut Vec<u8>) {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
    for (name, value) in headers {
        out.extend_from_slice(&length(name.as_bytes()));
        out.extend_from_slice(&length(value));
    }
    for (name, value) in headers {
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
}

/// Reads the wire form back. Bytes of a name that are not UTF-8 are replaced.
pub(crate) fn read_pairs(bytes: &[u8]) -> Result<Headers, Status> {
    if bytes.is_empty() {
        return Ok(Headers::new());
    }
    let mut lengths = Reader { rest: bytes };
    let count = lengths.number()?;
    let skip = count.checked_mul(8).ok_or(Status::BadArgument)?;
    let mut texts = Reader { rest: lengths.rest };
    texts.take(skip)?;
    let mut headers = Headers::with_capacity(count.min(bytes.len() / 10));
    for _ in 0..count {
        let (name, value) = (lengths.number()?, lengths.number()?);
        let name = texts.text(name)?;
        let value = texts.text(value)?;
        headers.add(String::from_utf8_lossy(name), value);
    }
    Ok(headers)
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], Status> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Status::BadArgument)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize, Status> {
        let bytes = self.take(4)?.try_into().map_err(|_| Status::BadArgument)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| Status::BadArgument)
    }

    /// A text and the zero byte behind it.
    fn text(&mut self, length: usize) -> Result<&'b [u8], Status> {
        let text = self.take(length)?;
        self.take(1)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_way_there_and_back() {
        let mut headers: Headers = [(":path", "/"), ("x-empty", "")].into_iter().collect();
        headers.add("x-bytes", vec![0x80, 0xFF, 0]);
        let mut bytes = Vec::new();
        write_pairs(&headers, &mut bytes);
        assert_eq!(read_pairs(&bytes), Ok(headers));
        assert_eq!(read_pairs(&[]), Ok(Headers::new()));
        for end in 1..bytes.len() {
            assert_eq!(
                read_pairs(&bytes[..end]),
                Err(Status::BadArgument),
                "cut at {end}"
            );
        }
    }

    /// What the fuzz target `harness_abi` begins with, and what it found.
    #[test]
    fn any_bytes_are_read_or_refused() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/seeds/head");
        let mut read = 0;
        for seed in std::fs::read_dir(seeds).unwrap() {
            let bytes = std::fs::read(seed.unwrap().path()).unwrap();
            let Ok(headers) = read_pairs(&bytes) else {
                continue;
            };
            read += 1;
            let mut again = Vec::new();
            write_pairs(&headers, &mut again);
            assert_eq!(read_pairs(&again), Ok(headers));
        }
        assert!(read > 0, "no seed is a header map");
    }
}
