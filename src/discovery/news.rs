//! The two small shared values: who polls, and how the last poll went.

/// Under [`super::query::Keys::lease`]: when the latest poll began, µs since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// When the poll began.
    pub began: u64,
}

/// Under [`super::query::Keys::news`]: how the latest finished poll went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// When it began, µs since 1970.
    pub began: u64,
    /// Microseconds from one poll's begin to the next.
    pub interval: u64,
    /// Of the shared table as the last good poll left it; 0: there was none yet.
    pub digest: u64,
    /// How many polls failed since the last good one.
    pub failures: u64,
    /// Until when the early polls so far have used up their part of the time, µs since 1970.
    pub spent: u64,
}

/// What the shared values were when a callback began, each with its number to swap by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shared {
    /// `None`: nobody polls yet.
    pub lease: Option<(Lease, u32)>,
    /// `None`: no poll is finished.
    pub news: Option<(News, u32)>,
}

impl Lease {
    /// The value to share.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        self.began.to_le_bytes().to_vec()
    }

    /// Reads a shared value; `None` for anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [began] = integers(bytes)?;
        Some(Self { began })
    }
}

impl News {
    /// The value to share.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        [
            self.began,
            self.interval,
            self.digest,
            self.failures,
            self.spent,
        ]
        .map(u64::to_le_bytes)
        .concat()
    }

    /// Reads a shared value; `None` for anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [began, interval, digest, failures, spent] = integers(bytes)?;
        Some(Self {
            began,
            interval,
            digest,
            failures,
            spent,
        })
    }
}

fn integers<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: &[[u8; 8]; N] = words.try_into().ok()?;
    rest.is_empty().then(|| words.map(u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let lease = Lease { began: 5 };
        let news = News {
            began: 1,
            interval: 2,
            digest: u64::MAX,
            failures: 4,
            spent: 5,
        };
        assert_eq!(Lease::decode(&lease.encode()), Some(lease));
        assert_eq!(News::decode(&news.encode()), Some(news));
        assert_eq!(News::decode(&lease.encode()), None);
        assert_eq!(Lease::decode(&news.encode()), None);
        assert_eq!(Lease::decode(b"1234567"), None);
    }
}
