//! Random bytes, so that a caller can dictate them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Where `random_get` takes its bytes from.
pub trait Random: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The random numbers of the operating system, by way of a generator per thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        rand::Rng::fill_bytes(&mut rand::rng(), bytes);
    }
}

/// Dictated numbers first, then a sequence that is the same in every run.
///
/// Each dictated number answers one call, little endian, cut or filled up with zeros to
/// the length asked for.
#[derive(Debug)]
pub struct Scripted {
    state: Mutex<(VecDeque<u64>, u64)>,
}

impl Scripted {
    /// `seed` decides the sequence that follows the dictated numbers.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self {
            state: Mutex::new((VecDeque::new(), seed)),
        }
    }

    /// The next call that is not yet dictated gets `number`.
    pub fn push(&self, number: u64) {
        self.lock().0.push_back(number);
    }

    /// Forgets the dictated numbers that nobody asked for, and starts again at `seed`.
    pub fn reset(&self, seed: u64) {
        *self.lock() = (VecDeque::new(), seed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (VecDeque<u64>, u64)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Random for Scripted {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.lock();
        if let Some(number) = state.0.pop_front() {
            bytes.fill(0);
            for (byte, given) in bytes.iter_mut().zip(number.to_le_bytes()) {
                *byte = given;
            }
            return;
        }
        for chunk in bytes.chunks_mut(8) {
            let number = split_mix(&mut state.1);
            for (byte, given) in chunk.iter_mut().zip(number.to_le_bytes()) {
                *byte = given;
            }
        }
    }
}

/// SplitMix64 by Sebastiano Vigna: good enough where only repeatability counts.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictated_numbers_come_first_and_the_rest_repeats() {
        let draw = |random: &Scripted| {
            let mut bytes = [0; 8];
            random.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        let random = Scripted::from_seed(7);
        random.push(41);
        assert_eq!(draw(&random), 41);
        let after = draw(&random);
        assert_ne!(after, draw(&random));
        random.reset(7);
        assert_eq!(draw(&random), after);
    }
}
