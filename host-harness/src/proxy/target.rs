//! Request targets with bytes that hyper does not take.
//!
//! Envoy and nginx pass any byte from `!` up in a request target, UTF-8 or not; the `http`
//! crate refuses some (`<`, invalid UTF-8) and cuts others off (`#`). So the sockets show
//! hyper a stand-in for such a target, and the real one travels beside it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What hyper sees in the place of a target it would not take.
pub(super) const STAND_IN: &[u8] = b"/";

/// The real target of the request under way, if hyper has a stand-in.
#[derive(Clone, Default)]
pub(super) struct RawTarget {
    slot: Arc<Mutex<Slot>>,
}

#[derive(Default)]
struct Slot {
    target: Option<Vec<u8>>,
    /// A request line may come next.
    line_expected: bool,
}

impl RawTarget {
    pub(super) fn set(&self, target: Option<Vec<u8>>) {
        self.lock().target = target;
    }

    pub(super) fn take(&self) -> Option<Vec<u8>> {
        self.lock().target.take()
    }

    /// The request before has been read whole, so a request line comes next.
    pub(super) fn expect_line(&self) {
        self.lock().line_expected = true;
    }

    pub(super) fn is_line_expected(&self) -> bool {
        self.lock().line_expected
    }

    /// The request line has been read.
    pub(super) fn line_came(&self) {
        self.lock().line_expected = false;
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The target of a request line, with what stands before and behind it.
pub(super) fn split_line(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let first = line.iter().position(|byte| *byte == b' ')?.checked_add(1)?;
    let last = line.iter().rposition(|byte| *byte == b' ')?;
    Some((
        line.get(..first)?,
        line.get(first..last)?,
        line.get(last..)?,
    ))
}

/// Whether hyper would refuse or change `target`, but a request line can carry it.
pub(super) fn needs_stand_in(target: &[u8]) -> bool {
    let odd = |byte: &u8| !byte.is_ascii_graphic() || b"#\"<>`".contains(byte);
    can_be_sent(target) && target.iter().any(odd)
}

/// Whether a request line can carry `target`: no blank, no control byte, not empty.
pub(super) fn can_be_sent(target: &[u8]) -> bool {
    !target.is_empty() && target.iter().all(|byte| *byte > b' ' && *byte != 0x7F)
}

/// Splits `http://authority/path` into its authority and the rest.
pub(super) fn split_absolute(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let rest = [b"http://".as_slice(), b"https://"]
        .iter()
        .find_map(|scheme| target.strip_prefix(*scheme));
    let Some(rest) = rest else {
        return (None, target);
    };
    let end = rest.iter().position(|byte| b"/?#".contains(byte));
    match rest.split_at_checked(end.unwrap_or(rest.len())) {
        Some((authority, b"")) => (Some(authority), b"/"),
        Some((authority, path)) => (Some(authority), path),
        None => (None, target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hyper_does_not_take_gets_a_stand_in() {
        for (target, needed) in [
            (b"/plain?q=%41".as_slice(), false),
            (b"/\xFF", true),
            ("/ü".as_bytes(), true),
            (b"/a<b>", true),
            (b"/a#b", true),
            (b"/a?\"", true),
            (b"/a b", false),
            (b"/\x01\xFF", false),
        ] {
            assert_eq!(needs_stand_in(target), needed, "{}", target.escape_ascii());
        }
    }

    #[test]
    fn an_absolute_target_names_its_authority() {
        for (target, authority, path) in [
            ("/a", None, "/a"),
            ("http://h:1/a?b", Some("h:1"), "/a?b"),
            ("https://h", Some("h"), "/"),
        ] {
            let want = (authority.map(str::as_bytes), path.as_bytes());
            assert_eq!(split_absolute(target.as_bytes()), want, "{target}");
        }
    }
}
