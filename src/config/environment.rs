//! What the configuration takes from the VM's environment variables: secrets that are not to
//! stand in it.

use super::{Config, SHORTEST_KEY, Secret};
use crate::remark::{Effect, Expected, Problem, Remark};
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
        let data = self.secrets.iter().flat_map(|secret| &secret.data);
        let all = keys.chain(data.map(|(_, value)| value));
        all.filter_map(|one| match one {
            Secret::Value(_) => None,
            Secret::Variable(name) => Some(name.as_str()),
        })
    }

    /// Puts the values of the variables in their places. One that is absent or too short is left
    /// out, with an error: a cookie key that is not there never leads to cookies without one,
    /// which would tell pod addresses to whoever tries them all.
    #[must_use]
    pub fn take_environment(&mut self, environment: &Environment) -> Vec<Remark> {
        let mut unusable = Vec::new();
        let keys = self.cookie_keys.iter_mut();
        keys.for_each(|keys| {
            keys.retain_mut(|key| {
                let Secret::Variable(name) = key else {
                    return true;
                };
                let value = environment.get(name).filter(|value| !value.is_empty());
                if let Some(value) = value.filter(|value| value.len() >= SHORTEST_KEY) {
                    *key = Secret::Value(value.clone());
                    return true;
                }
                unusable.push((std::mem::take(name), value.is_some()));
                false
            });
        });
        let has_others = !matches!(self.cookie_keys.as_deref(), Some([]));
        let error = |(name, is_short)| {
            let problem = if is_short {
                Problem::ShortVariable { has_others }
            } else {
                Problem::NoVariable { has_others }
            };
            Remark::key("cookie_keys", Some(name), problem, Effect::Setting)
        };
        let mut remarks: Vec<Remark> = unusable.into_iter().map(error).collect();
        for secret in &mut self.secrets {
            secret.data.retain_mut(|(_, value)| {
                let Secret::Variable(name) = value else {
                    return true;
                };
                let found = environment.get(name).filter(|found| !found.is_empty());
                if let Some(found) = found {
                    *value = Secret::Value(found.clone());
                    return true;
                }
                let problem = Problem::Not(Expected::Variable);
                let name = Some(std::mem::take(name));
                remarks.push(Remark::key("secrets", name, problem, Effect::Path));
                false
            });
        }
        remarks
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
        let mut config =
            configured(r#"[{"environment": "NEW"}, "a secret as it is", {"environment": "OLD"}]"#);
        assert_eq!(config.variables().collect::<Vec<_>>(), ["NEW", "OLD"]);
        let missing =
            config.take_environment(&read(b"OLD=yesterday's secret\0NEW=the secret of today\0"));
        assert_eq!(missing, []);
        let secrets = [
            "the secret of today",
            "a secret as it is",
            "yesterday's secret",
        ];
        let secrets = secrets.map(|text| Secret::Value(text.into()));
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
            // One of 15 bytes can be guessed offline, from one cookie.
            (
                r#"[{"environment": "SHORT"}]"#,
                0,
                "expected at least 16 bytes; no session cookie is written",
            ),
            (
                r#"[{"environment": "SHORT"}, {"environment": "OLD"}]"#,
                1,
                "the other keys are used",
            ),
        ] {
            let mut config = configured(keys);
            let missing = config.take_environment(&read(
                b"OLD=sixteen bytes...\0EMPTY=\0SHORT=fifteen bytes..\0",
            ));
            let [error] = &missing[..] else {
                panic!("{keys}: {missing:?}");
            };
            let text = error.to_string();
            assert!(
                ["GONE", "EMPTY", "SHORT"]
                    .iter()
                    .any(|name| text.contains(name)),
                "{text}"
            );
            assert!(!text.contains("fifteen"), "{text}");
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
        let keys = r#"["s3cret s3cret s3cret", {"environment": "NAME"}]"#;
        let mut config = configured(keys);
        let printed = format!("{config:?}");
        assert!(
            !printed.contains("s3cret") && printed.contains("NAME"),
            "{printed}"
        );
        assert_eq!(
            config.take_environment(&read(b"NAME=s3cret of the VM\0")),
            []
        );
        let ingress = r#"{"metadata": {"name": "a", "annotations":
            {"nginx.ingress.kubernetes.io/affinity": "cookie"}}, "spec": {"rules": [{"http":
            {"paths": [{"backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}"#;
        config
            .ingresses
            .push(serde_json::from_str(ingress).unwrap());
        let compiled = format!("{config:?} {:?}", crate::policy::compile(&config));
        assert!(compiled.contains("Keyed"), "{compiled}");
        assert!(!compiled.contains("s3cret"), "{compiled}");
        let bytes: Vec<String> = b"s3cret".iter().map(u8::to_string).collect();
        assert!(!compiled.contains(&bytes.join(", ")), "{compiled}");
    }

    #[test]
    fn a_key_that_can_be_guessed_is_refused_and_told_without_its_value() {
        for (keys, left, now) in [
            (r#""fifteen bytes..""#, 0, "no session cookie is written"),
            (
                r#"["fifteen bytes..", "sixteen bytes..."]"#,
                1,
                "the other keys are used",
            ),
            (r#"["", 7, {"environment": ""}]"#, 0, "3 of 3"),
        ] {
            let text = format!("{{\"cookie_keys\": {keys}}}");
            let (config, warnings) = config::read(text.as_bytes()).unwrap();
            let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            let told = told.concat();
            assert!(told.contains(now) && told.contains("16 bytes"), "{told}");
            assert!(!told.contains("fifteen"), "{told}");
            assert_eq!(config.cookie_keys.map(|keys| keys.len()), Some(left));
        }
    }

    #[test]
    fn what_a_secret_lacks_is_not_there() {
        let text = r#"{"secrets": {"a/b": {"auth": {"environment": "USERS"}, "x": "text"},
            "a/c": {"auth": {"environment": "GONE"}}, "a/d": {"auth": 1}}}"#;
        let (mut config, remarks) = config::read(text.as_bytes()).unwrap();
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        assert_eq!(config.variables().collect::<Vec<_>>(), ["USERS", "GONE"]);
        let missing = config.take_environment(&read(b"USERS=u:{PLAIN}p\0GONE=\0"));
        let [error] = &missing[..] else {
            panic!("{missing:?}");
        };
        assert!(error.to_string().contains("GONE"), "{error}");
        let data: Vec<_> = config.secrets.iter().map(|one| &one.data[..]).collect();
        let value = |text: &str| Secret::Value(text.into());
        let first = [
            ("auth".to_owned(), value("u:{PLAIN}p")),
            ("x".to_owned(), value("text")),
        ];
        assert_eq!(data, [&first[..], &[]]);
        let shown = format!("{config:?}{missing:?}");
        assert!(!shown.contains("PLAIN"), "{shown}");
    }
}
