//! Sets of bytes: what one atom of a pattern matches.

/// Which bytes an atom matches, both cases of a letter alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const EMPTY: Self = Self([0; 4]);
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    /// One byte, with the other case of a letter.
    pub(super) fn of(byte: u8) -> Self {
        Self::from_fn(|other| other.eq_ignore_ascii_case(&byte))
    }

    /// The bytes from `first` to `last`, with the other case of letters.
    pub(super) fn range(first: u8, last: u8) -> Self {
        let within = move |byte: u8| (first..=last).contains(&byte);
        Self::from_fn(|byte| {
            within(byte.to_ascii_lowercase()) || within(byte.to_ascii_uppercase()) || within(byte)
        })
    }

    pub(super) fn from_fn(holds: impl Fn(u8) -> bool) -> Self {
        let mut words = [0; 4];
        for byte in (0..=u8::MAX).filter(|byte| holds(*byte)) {
            if let Some(word) = words.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        Self(words)
    }

    pub(super) fn union(self, other: Self) -> Self {
        let mut words = self.0;
        for (word, more) in words.iter_mut().zip(other.0) {
            *word |= more;
        }
        Self(words)
    }

    pub(super) fn not(self) -> Self {
        Self(self.0.map(|word: u64| !word))
    }

    pub(super) fn holds(self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6));
        word.is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    pub(super) fn is_disjoint(self, other: Self) -> bool {
        let mut words = self.0.into_iter().zip(other.0);
        words.all(|(one, two)| one & two == 0)
    }
}
