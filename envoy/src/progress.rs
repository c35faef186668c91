//! A sign of life for whoever waits at a terminal.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long nobody wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says what is being done, and since when, until it is dropped; nothing below a second.
#[derive(Debug)]
pub struct Progress {
    done: Option<Sender<()>>,
    clock: Option<JoinHandle<()>>,
}

impl Progress {
    /// On standard error, where that is a terminal.
    #[must_use]
    pub fn of(what: &'static str) -> Self {
        if std::io::stderr().is_terminal() {
            Self::start(what, PATIENCE, std::io::stderr())
        } else {
            Self {
                done: None,
                clock: None,
            }
        }
    }

    fn start(what: &'static str, every: Duration, mut out: impl Write + Send + 'static) -> Self {
        let (done, stop) = channel();
        let since = Instant::now();
        // A line that cannot be written is nobody's loss.
        let clock = std::thread::spawn(move || {
            let mut written = false;
            while stop.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let _ = write!(out, "\r{what} ... {} s", since.elapsed().as_secs());
                let _ = out.flush();
                written = true;
            }
            if written {
                let _ = write!(out, "\r\x1b[K");
                let _ = out.flush();
            }
        });
        Self {
            done: Some(done),
            clock: Some(clock),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(clock) = self.clock.take() {
            let _ = clock.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn it_speaks_while_it_lasts_and_leaves_a_clean_line() {
        let screen = Screen::default();
        let progress = Progress::start("reading", Duration::from_millis(1), screen.clone());
        while !screen.text().contains("reading ... 0 s") {
            std::thread::yield_now();
        }
        drop(progress);
        assert!(screen.text().ends_with("\r\x1b[K"));
    }

    #[test]
    fn what_is_quick_says_nothing() {
        let screen = Screen::default();
        drop(Progress::start("reading", PATIENCE, screen.clone()));
        assert_eq!(screen.text(), "");
    }
}
