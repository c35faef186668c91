//! The version of a platform, as far as it decides what may be rendered.

use std::fmt;
use std::str::FromStr;

/// `1.27` of `v1.27.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// The release 1 of a minor number.
    #[must_use]
    pub const fn of(minor: u32) -> Self {
        Self { major: 1, minor }
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = numbers.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err("expected a version: two numbers with a dot between them".to_owned()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A version of a flag, not older than `least`.
///
/// # Errors
/// It is no version, or an older one.
pub(super) fn from(text: &str, least: Version) -> Result<Version, String> {
    let version: Version = text.parse()?;
    if version < least {
        return Err(format!("what is rendered needs {least} or newer"));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers_of_what_is_said() {
        for text in ["1.7", "v1.7", "1.7.0", "v1.7.2-rc.1"] {
            assert_eq!(text.parse(), Ok(Version::of(7)), "{text}");
        }
        for text in ["", "1", "1.x", "seven", "-1.7"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert!(Version::of(9) < Version::of(10));
        assert_eq!(from("1.8", Version::of(8)), Ok(Version::of(8)));
        assert!(from("1.7.9", Version::of(8)).is_err());
    }
}
