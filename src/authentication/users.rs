//! A file of names and passwords, as `htpasswd` writes it.

use super::crypt::{self, Scheme};
use sha1::Sha1;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

/// How many passwords are known to be right, where it costs much to find out.
const KNOWN: usize = 256;

/// Names and passwords.
pub struct Users {
    file: Vec<u8>,
    costly: OnceLock<usize>,
    /// Digests of passwords and what was found right for them. They live as long as the
    /// configuration, and never leave this memory.
    known: Mutex<Vec<Vec<u8>>>,
}

impl Users {
    /// Those of a file.
    #[must_use]
    pub fn new(file: Vec<u8>) -> Self {
        Self {
            file,
            costly: OnceLock::new(),
            known: Mutex::default(),
        }
    }

    /// How many have a password of a kind that takes too long to compare. They do not come in.
    #[must_use]
    pub fn costly(&self) -> usize {
        *self.costly.get_or_init(|| self.count_costly())
    }

    fn count_costly(&self) -> usize {
        let lines = self.file.split(|byte| *byte == b'\n');
        let passwords = lines.filter_map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = line.iter().position(|byte| *byte == b':')?;
            let is_one = !line.starts_with(b"#");
            line.get(colon.saturating_add(1)..).filter(|_| is_one)
        });
        let costly = passwords.filter(|password| Scheme::of(password) == Scheme::Costly);
        costly.count()
    }

    /// Whether that is the password of `user`.
    pub(super) fn know(&self, user: &[u8], password: &[u8]) -> bool {
        let Some(hash) = self.find(user) else {
            return false;
        };
        let is_slow = Scheme::of(hash) == Scheme::Slow;
        if !is_slow {
            return crypt::is_password(password, hash);
        }
        let digest = crypt::digest::<Sha1>(&[hash, b"\n", password]);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&digest) {
            return true;
        }
        let is_right = crypt::is_password(password, hash);
        if is_right {
            if known.len() >= KNOWN {
                known.remove(0);
            }
            known.push(digest);
        }
        is_right
    }

    /// What stands behind the name, up to a colon or the end of its line. As nginx reads byte by
    /// byte: where a line ends while it still may be the name, the next line is passed over too.
    fn find(&self, user: &[u8]) -> Option<&[u8]> {
        let mut rest = self.file.as_slice();
        while let Some(first) = rest.first() {
            if *first == b'\n' {
                rest = rest.get(1..)?;
                continue;
            }
            let is_other = matches!(first, b'#' | b'\r');
            let same = rest.iter().zip(user).take_while(|(a, b)| a == b).count();
            if !is_other && same == user.len() && rest.get(same) == Some(&b':') {
                let value = rest.get(same.saturating_add(1)..)?;
                let end = |byte: &u8| matches!(byte, b'\n' | b'\r' | b':');
                return value.split(end).next();
            }
            // The byte that differs is gone already, be it the end of the line.
            let skipped = rest.get(same.saturating_add(1)..)?;
            let skipped = if is_other { rest } else { skipped };
            let end = skipped.iter().position(|byte| *byte == b'\n')?;
            rest = skipped.get(end.saturating_add(1)..)?;
        }
        None
    }
}

impl fmt::Debug for Users {
    /// Says nothing of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Users")
    }
}

impl Clone for Users {
    fn clone(&self) -> Self {
        Self::new(self.file.clone())
    }
}

impl PartialEq for Users {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl Eq for Users {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_name_counts() {
        let users = Users::new(
            b"# c:{PLAIN}x\n\nu:{PLAIN}p\nu:{PLAIN}q\nlong:{PLAIN}l:comment\nw:{PLAIN}w\r\nz:{PLAIN}z"
                .to_vec(),
        );
        for (user, password, is_known) in [
            ("u", "p", true),
            ("u", "q", false),
            ("long", "l", true),
            ("long", "l:comment", false),
            ("w", "w", true),
            ("z", "z", true),
            ("lon", "l", false),
            ("longer", "l", false),
            ("# c", "x", false),
            (" c", "x", false),
            ("c", "x", false),
            ("\nu", "p", false),
        ] {
            let found = users.know(user.as_bytes(), password.as_bytes());
            assert_eq!(found, is_known, "{user} {password}");
        }
    }

    #[test]
    fn a_line_that_only_begins_a_name_hides_the_next_one() {
        let users = Users::new(b"bob\nbobby:{PLAIN}a\nbobby:{PLAIN}b\n".to_vec());
        assert!(!users.know(b"bobby", b"a"));
        assert!(users.know(b"bobby", b"b"));
    }

    #[test]
    fn what_takes_long_is_found_out_once() {
        let file = "u:$1$abcdefgh$HxWb8VZZ8HqzOKVuLaoxI.\n";
        let users = Users::new(file.into());
        assert!(!users.know(b"u", b"q"));
        assert!(users.know(b"u", b"p"));
        assert_eq!(users.known.lock().unwrap().len(), 1);
        assert!(users.know(b"u", b"p"));
        assert!(!users.know(b"u", b"q"));
        assert_eq!(users.known.lock().unwrap().len(), 1);
        assert_eq!(users.costly(), 0);
        let costly = Users::new(b"u:{PLAIN}p\n#x:$2y$05$a\nv:$2y$05$abc\nw:$2a$10$abc\r\n".into());
        assert_eq!(costly.costly(), 2);
        assert!(!format!("{costly:?}").contains("PLAIN"));
    }

    // A megabyte of salt was read for every password that anybody tried.
    #[test]
    fn a_salt_of_a_megabyte_lets_nobody_in() {
        let salted = |length: usize| {
            use base64::Engine;
            let salt = vec![7; length];
            let digest = crypt::digest::<Sha1>(&[b"p", &salt]);
            let text = base64::engine::general_purpose::STANDARD.encode([digest, salt].concat());
            Users::new(format!("u:{{SSHA}}{text}\n").into())
        };
        let usual = salted(64);
        assert_eq!((usual.know(b"u", b"p"), usual.costly()), (true, 0));
        let long = salted(700_000);
        assert_eq!((long.know(b"u", b"p"), long.costly()), (false, 1));
    }
}
