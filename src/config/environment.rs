//! What the configuration takes from the VM's environment variables: secrets that are not to
//! stand in it.

use super::{Config, CookieKey};
use crate::remark::{Effect, Problem, Remark};
use std::collections::BTreeMap;

/// Variables by name; values are any bytes but zero.
pub type Environment = BTreeMap<String, Vec<u8>>;

/// Reads what WASI's `environ_get` hands over: `NAME=value`, a zero byte behind each.
#[must_use]
pub fn read(bytes: &[u8]) -> Environment {
    let variables = bytes.split(|byte| *byte == 0).filter_map(|variable| {
        let equal = variable.iter().position(|byte| *byte == b'=')?;
        let (name, value) = variable.split_at_checked(equal)?;
        let name = std::str::from_utf8(name).ok()?;
        Some((name.to_owned(), value.get(1..)?.to_vec()))
    });
    // One by one: to collect is to sort, which is 6 KiB of the module for each kind of map.
    let mut environment = Environment::new();
    environment.extend(variables);
    environment
}

impl Config {
    /// The variables that it names.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let keys = self.cookie_keys.iter().flatten();
        keys.filter_map(|key| match key {
            CookieKey::Secret(_) => None,
            CookieKey::Variable(name) => Some(name.as_str()),
        })
    }

    /// Puts the values of the variables in their places. One that is absent or empty is left
    /// out, with an error: a cookie key that is not there never leads to cookies without one,
    /// which would tell pod addresses to whoever tries them all.
    #[must_use]
    pub fn take_environment(&mut self, environment: &Environment) -> Vec<Remark> {
        let mut absent = Vec::new();
        let keys = self.cookie_keys.iter_mut();
        keys.for_each(|keys| {
            keys.retain_mut(|key| {
                let CookieKey::Variable(name) = key else {
                    return true;
                };
                match environment.get(name).filter(|value| !value.is_empty()) {
                    Some(value) => *key = CookieKey::Secret(value.clone()),
                    None => absent.push(std::mem::take(name)),
                }
                matches!(key, CookieKey::Secret(_))
            });
        });
        let has_others = !matches!(self.cookie_keys.as_deref(), Some([]));
        let error = |name| {
            let problem = Problem::NoVariable { has_others };
            Remark::key("cookie_keys", Some(name), problem, Effect::Setting)
        };
        absent.into_iter().map(error).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn configured(keys: &str) -> Config {
        let text = format!("{{\"cookie_keys\": {keys}}}");
        let (config, remarks) = config::read(text.as_bytes()).unwrap();
        assert!(remarks.is_empty(), "{remarks:?}");
        config
    }

    #[test]
    fn the_environment_of_a_vm_is_read() {
        let found = read(b"A=1\0EMPTY=\0B=x=\xffy\0=odd\0none\0");
        let expected = [
            ("A", &b"1"[..]),
            ("EMPTY", b""),
            ("B", b"x=\xffy"),
            ("", b"odd"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_vec()));
        assert_eq!(found, Environment::from(expected));
        assert!(read(b"").is_empty());
    }

    #[test]
    fn variables_become_secrets_in_their_places() {
        let mut config = configured(r#"[{"environment": "NEW"}, "plain", {"environment": "OLD"}]"#);
        assert_eq!(config.variables().collect::<Vec<_>>(), ["NEW", "OLD"]);
        let missing = config.take_environment(&read(b"OLD=o\0NEW=n\0"));
        assert_eq!(missing, []);
        let secrets = ["n", "plain", "o"].map(|text| CookieKey::Secret(text.into()));
        assert_eq!(config.cookie_keys.as_deref(), Some(&secrets[..]));
        assert_eq!(config.variables().count(), 0);
    }

    #[test]
    fn a_variable_that_is_missing_is_an_error_and_never_means_no_key_at_all() {
        for (keys, left, now) in [
            (
                r#"{"environment": "GONE"}"#,
                0,
                "no session cookie is written",
            ),
            (
                r#"[{"environment": "EMPTY"}]"#,
                0,
                "no session cookie is written",
            ),
            (
                r#"[{"environment": "GONE"}, {"environment": "OLD"}]"#,
                1,
                "the other keys are used",
            ),
        ] {
            let mut config = configured(keys);
            let missing = config.take_environment(&read(b"OLD=o\0EMPTY=\0"));
            let [error] = &missing[..] else {
                panic!("{keys}: {missing:?}");
            };
            let text = error.to_string();
            assert!(text.contains("GONE") || text.contains("EMPTY"), "{text}");
            assert!(text.contains(now), "{text}");
            assert_eq!(
                config.cookie_keys.map(|keys| keys.len()),
                Some(left),
                "{keys}"
            );
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let printed = format!("{:?}", configured(r#"["s3cret", {"environment": "NAME"}]"#));
        assert!(
            !printed.contains("s3cret") && printed.contains("NAME"),
            "{printed}"
        );
    }
}
