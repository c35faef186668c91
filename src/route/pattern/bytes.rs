//! Sets of bytes: what one atom of a pattern matches.

/// Which bytes an atom matches, both cases of a letter alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const EMPTY: Self = Self([0; 4]);
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    /// One byte, with the other case of a letter.
    pub(super) fn of(byte: u8) -> Self {
        Self::EMPTY
            .with(byte.to_ascii_lowercase())
            .with(byte.to_ascii_uppercase())
    }

    /// The bytes from `first` to `last`, with the other case of letters.
    pub(super) fn range(first: u8, last: u8) -> Self {
        let within = move |byte: u8| (first..=last).contains(&byte);
        Self::from_fn(|byte| {
            within(byte.to_ascii_lowercase()) || within(byte.to_ascii_uppercase()) || within(byte)
        })
    }

    pub(super) fn from_fn(holds: impl Fn(u8) -> bool) -> Self {
        let bytes = (0..=u8::MAX).filter(|byte| holds(*byte));
        bytes.fold(Self::EMPTY, Self::with)
    }

    fn with(mut self, byte: u8) -> Self {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
        self
    }

    /// The greatest byte of the set.
    pub(super) fn last(self) -> Option<u8> {
        let words = self.0.iter().zip([0, 64, 128, 192]);
        let mut bits = words
            .rev()
            .filter_map(|(word, first)| Some((word.checked_ilog2()?, first)));
        let (bit, first) = bits.next()?;
        u8::try_from(bit).ok()?.checked_add(first)
    }

    /// Of how many ranges it is made.
    pub(super) fn runs(self) -> u32 {
        // A range starts at each byte before which the set has none.
        let (runs, _) = self.0.iter().fold((0_u32, 0), |(runs, before), word| {
            let starts = word & !(word << 1 | before);
            (runs.saturating_add(starts.count_ones()), word >> 63)
        });
        runs
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

    pub(super) fn is_disjoint(self, other: Self) -> bool {
        let mut words = self.0.into_iter().zip(other.0);
        words.all(|(one, two)| one & two == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_a_set_are_counted_across_its_words() {
        for (set, runs) in [
            (ByteSet::EMPTY, 0),
            (ByteSet::ALL, 1),
            (ByteSet::of(b'/'), 1),
            (ByteSet::of(b'a'), 2),
            (ByteSet::of(b'\n').not(), 2),
            (ByteSet::range(0, 63), 1),
            (ByteSet::from_fn(|byte| (60..=70).contains(&byte)), 1),
            (ByteSet::from_fn(|byte| byte == 63 || byte == 65), 2),
            (ByteSet::from_fn(|byte| byte == 127 || byte == 128), 1),
            (ByteSet::from_fn(|byte| byte % 2 == 1), 128),
            (ByteSet::from_fn(|byte| byte % 2 == 0), 128),
        ] {
            assert_eq!(set.runs(), runs, "{set:?}");
        }
    }
}
