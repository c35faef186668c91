//! Requests by the second.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// How far back it goes, in seconds.
const LENGTH: usize = 120;

/// What came in one second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Second {
    /// Requests by the address of the pod that answered.
    pub(super) pods: BTreeMap<String, u32>,
    /// Sessions by what became of them: `new`, `kept`, `moved`, `dead`, `foreign`.
    pub(super) sessions: BTreeMap<String, u32>,
    /// Requests that no pod answered.
    pub(super) elsewhere: u32,
}

/// The last minutes.
#[derive(Debug, Default)]
pub(super) struct History {
    seconds: VecDeque<Second>,
    now: Second,
}

impl History {
    /// Counts a request.
    pub(super) fn count(&mut self, pod: Option<String>, session: Option<&str>) {
        match pod {
            Some(pod) => *self.now.pods.entry(pod).or_default() += 1,
            None => self.now.elsewhere += 1,
        }
        if let Some(session) = session.filter(|session| *session != "none") {
            *self.now.sessions.entry(session.to_owned()).or_default() += 1;
        }
    }

    /// Ends the second that is running.
    pub(super) fn tick(&mut self) -> Second {
        let second = std::mem::take(&mut self.now);
        self.seconds.push_back(second.clone());
        if self.seconds.len() > LENGTH {
            self.seconds.pop_front();
        }
        second
    }

    /// All that is kept, the oldest first.
    pub(super) fn seconds(&self) -> &VecDeque<Second> {
        &self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_what_came_in_it_and_old_ones_are_forgotten() {
        let mut history = History::default();
        history.count(Some("a".into()), Some("new"));
        history.count(Some("a".into()), Some("kept"));
        history.count(None, Some("none"));
        let second = history.tick();
        assert_eq!(second.pods, [("a".to_owned(), 2)].into());
        assert_eq!(second.sessions.len(), 2);
        assert_eq!(second.elsewhere, 1);
        for _ in 0..LENGTH {
            assert_eq!(history.tick(), Second::default());
        }
        assert_eq!(history.seconds().len(), LENGTH);
        assert!(!history.seconds().contains(&second));
    }
}
