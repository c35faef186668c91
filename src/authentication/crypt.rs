//! Digests of passwords.
//!
//! Source: `ngx_crypt`, nginx 1.27.1, and `crypt(3)`, to which it hands what it does not know.

mod des;
mod digits;
mod md5;
mod rounds;
mod sha2;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
pub(super) use digits::digest;
use sha1::Sha1;

/// How much work a digest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Next to none.
    Quick,
    /// Up to some milliseconds.
    Slow,
    /// More than one request may take of a worker's time.
    Costly,
}

/// A password for a digest of many rounds is at most so long, as it is for bcrypt: each round reads it, and 128 bytes
/// were 9 ms.
const LONGEST: usize = 72;
/// The same of a salt with its digest: every password is read with it.
const LONGEST_SALT: usize = 1024;

impl Scheme {
    pub(super) fn of(hash: &[u8]) -> Self {
        let is = |starts: &[&str]| {
            let mut starts = starts.iter();
            starts.any(|start| hash.starts_with(start.as_bytes()))
        };
        let is_long = is(&["{SSHA}"]) && hash.len() > LONGEST_SALT;
        if is(&["$2"]) || is_long || rounds::is_costly(hash) {
            Self::Costly
        } else if is(&["$apr1$", "$1$", "$5$", "$6$"]) {
            Self::Slow
        } else {
            Self::Quick
        }
    }
}

/// Whether `hash` is a digest of `password`.
pub(super) fn is_password(password: &[u8], hash: &[u8]) -> bool {
    let made = if Scheme::of(hash) == Scheme::Costly {
        None
    } else if hash.starts_with(b"{PLAIN}") {
        Some([b"{PLAIN}", password].concat())
    } else if hash.starts_with(b"{SHA}") {
        let digest = digest::<Sha1>(&[password]);
        Some(["{SHA}", &BASE64.encode(digest)].concat().into_bytes())
    } else if let Some(encoded) = hash.strip_prefix(b"{SSHA}") {
        Some(salted(password, encoded))
    } else if password.len() > LONGEST {
        None
    } else if let Some(rest) = hash.strip_prefix(b"$apr1$") {
        Some(md5::crypt(password, "$apr1$", rest))
    } else if let Some(rest) = hash.strip_prefix(b"$1$") {
        Some(md5::crypt(password, "$1$", rest))
    } else if hash.starts_with(b"$5$") || hash.starts_with(b"$6$") {
        rounds::crypt(password, hash)
    } else {
        des::crypt(password, hash)
    };
    made.is_some_and(|made| is_same(&made, hash))
}

fn salted(password: &[u8], encoded: &[u8]) -> Vec<u8> {
    let decoded = BASE64.decode(encoded).unwrap_or_default();
    let salt = decoded.get(20..).unwrap_or_default();
    let digest = digest::<Sha1>(&[password, salt]);
    let encoded = BASE64.encode([&digest, salt].concat());
    ["{SSHA}", &encoded].concat().into_bytes()
}

/// Compares in a time that depends on the lengths alone.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_known_by_every_kind_of_digest() {
        // Written by htpasswd, openssl passwd and crypt(3).
        for hash in [
            "{PLAIN}p",
            "{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=",
            "{SSHA}KVznuh4n9gPoTRC56Cp+JXDfvJxzYWx0",
            "$apr1$abcdefgh$C5orPJWI8v4Qy8kOPQ1vA.",
            "$1$abcdefgh$HxWb8VZZ8HqzOKVuLaoxI.",
            "ab8Smhzf5D4wA",
            "$5$abcdefgh$t1O/2wAzRIzltOI8.PvEkE4lwGflhW5HcJcGS.qAk29",
            "$6$abcdefgh$cbHueVS/UT4Gg0.EnfnwJ27Lzzwf8rUdxRQSZm8iRDJv4TEZFHzD38nDTa.yVwJzbBrkaywt7RtORH2j7O12k1",
        ] {
            assert!(is_password(b"p", hash.as_bytes()), "{hash}");
            for wrong in [&b""[..], b"q", b"pp", &[b'p'; 300]] {
                assert!(!is_password(wrong, hash.as_bytes()), "{hash} {wrong:?}");
            }
            let (short, long) = (&hash[..hash.len() - 1], [hash, "A"].concat());
            for other in [short, &long] {
                assert!(!is_password(b"p", other.as_bytes()), "{other}");
            }
        }
    }

    #[test]
    fn a_long_password_counts_to_its_last_byte_and_the_rounds_are_those_of_the_digest() {
        const LONG: &str = "correct horse battery staple, and then some more of it";
        // Written by crypt(3) and openssl passwd.
        for hash in [
            "$1$abcdefgh$lWdw6Q1hD39HIvjxZzZp.1",
            "$apr1$abcdefgh$fa/u6P1U9ZcAeiKSeHDm5.",
            "$5$abcdefgh$5wc5uaRiNb.wonL9XqVzQefsOoDXjpPY/Ued1CiwU93",
            "$6$abcdefgh$KM463U22Yt25Lwx5.2IeUSYrlRO1auXaYjpcBDl9Grhk3/M63Rlok2TqlNPzDerlK3KseOeWOYeps96jJZG250",
            "$5$rounds=1000$abcdefgh$wX36XHpkR7DP2gKYJFLmaQwVQnqzVICgPy1IyJxrhA5",
            "$6$rounds=1000$abcdefgh$/WY/VZE6wLRf6X.RA8vzy3Y39Skb/.kCrn0P.UyQK9Qh9yMcWj7krzLNfZW37SAcNwZUF4q1pABZUZpBZx82H/",
        ] {
            assert!(is_password(LONG.as_bytes(), hash.as_bytes()), "{hash}");
            let short = &LONG.as_bytes()[..LONG.len() - 1];
            assert!(!is_password(short, hash.as_bytes()), "{hash}");
            assert_eq!(Scheme::of(hash.as_bytes()), Scheme::Slow, "{hash}");
        }
        let costly = b"$6$rounds=5001$abcdefgh$x";
        assert_eq!(Scheme::of(costly), Scheme::Costly);
        assert_eq!(Scheme::of(b"$6$rounds=5000$abcdefgh$x"), Scheme::Slow);
    }

    #[test]
    fn what_is_no_digest_is_nobodys_password() {
        for hash in [
            "",
            "p",
            "{SHA}",
            "{SSHA}",
            "{SSHA}AAAA",
            "{sha}x",
            "$apr1$",
            "$apr1$x",
            "$1$",
            "$5$",
            "$6$",
            "$6$rounds=5001$a$b",
            "$6$rounds=x$a$b",
            "$2y$05$abc",
            "$y$j9T$a$b",
            "ab",
            "a",
            "*0",
            "ab8Smhzf5D4w",
            "\u{e9}\u{e9}abcdefghijk",
        ] {
            for password in [&b""[..], b"p", hash.as_bytes()] {
                assert!(
                    !is_password(password, hash.as_bytes()),
                    "{hash} {password:?}"
                );
            }
        }
    }

    #[test]
    fn two_wrong_bytes_do_not_make_up_for_each_other() {
        assert!(is_same(b"ab", b"ab"));
        for other in ["ba", "aa", "cb", "abc", "a", ""] {
            assert!(!is_same(b"ab", other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_password_of_many_rounds_is_at_most_so_long() {
        let hash = md5::crypt(&[b'p'; LONGEST], "$1$", b"abcdefgh$");
        assert!(is_password(&[b'p'; LONGEST], &hash));
        let hash = md5::crypt(&[b'p'; LONGEST + 1], "$1$", b"abcdefgh$");
        assert!(!is_password(&[b'p'; LONGEST + 1], &hash));
    }
}
