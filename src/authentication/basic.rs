//! The question for name and password.

use super::Users;
use crate::edit::{FieldValue, Headers, Name, all};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::sync::Arc;

/// Who is asked, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basic {
    realm: String,
    users: Arc<Users>,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody is named, or not with that password.
    Unknown,
    /// Two of them are named: nginx refuses a second Authorization, which Envoy joins to the first.
    Twice,
}

/// What is not 6 bits is nothing: nginx's decoder does not ask for padding, nor for zeros at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Basic {
    /// Asks for one of `users`.
    #[must_use]
    pub fn new(realm: String, users: Arc<Users>) -> Self {
        Self { realm, users }
    }

    /// The users.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.users
    }

    pub(crate) fn admits(&self, headers: &Headers) -> Result<(), Refusal> {
        let mut fields = all(headers, "authorization");
        let field = fields.next().ok_or(Refusal::Unknown)?;
        let (scheme, rest) = field.split_at_checked(6).ok_or(Refusal::Unknown)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return Err(Refusal::Unknown);
        }
        if fields.next().is_some() || rest.contains(&b',') {
            return Err(Refusal::Twice);
        }
        let start = rest.iter().position(|byte| *byte != b' ');
        let encoded = start.and_then(|start| rest.get(start..));
        let encoded = encoded.and_then(|text| text.split(|byte| *byte == b'=').next());
        let decoded = encoded.and_then(|text| BASE64.decode(text).ok());
        let decoded = decoded.ok_or(Refusal::Unknown)?;
        let colon = decoded.iter().position(|byte| *byte == b':');
        let pair = colon.and_then(|at| decoded.split_at_checked(at));
        let (user, password) = pair.ok_or(Refusal::Unknown)?;
        let password = password.get(1..).unwrap_or_default();
        // Passwords are C strings to nginx.
        let end = password.iter().position(|byte| *byte == 0);
        let password = end.map_or(password, |end| password.get(..end).unwrap_or(password));
        if !user.is_empty() && self.users.know(user, password) {
            Ok(())
        } else {
            Err(Refusal::Unknown)
        }
    }

    /// The field that asks for a name.
    pub(crate) fn challenge(&self) -> (Name<'static>, FieldValue<'static>) {
        let realm = self.realm.replace('\\', "\\\\").replace('"', "\\\"");
        let value = format!("Basic realm=\"{realm}\"");
        (
            Name::Borrowed("www-authenticate"),
            FieldValue::new(value.into_bytes()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    fn asked(sent: &[&str]) -> Result<(), Refusal> {
        let users = Users::new(b"u:{PLAIN}p\nv:{PLAIN}a:b\n".to_vec());
        let basic = Basic::new(String::new(), Arc::new(users));
        let sent: Vec<_> = sent.iter().map(|value| ("authorization", *value)).collect();
        basic.admits(&fields(&sent))
    }

    #[test]
    fn names_and_passwords_are_read_as_nginx_reads_them() {
        for (sent, found) in [
            ("Basic dTpw", Ok(())),
            ("bAsIc    dTpw", Ok(())),
            // "v:a": a colon ends the password in the file, and not what the client sends.
            ("Basic djph", Ok(())),
            ("Basic djphOmI=", Err(Refusal::Unknown)),
            ("Basic dTpwAHg=", Ok(())),
            ("Basic dTpw=anything", Ok(())),
            ("Basic dTpx", Err(Refusal::Unknown)),
            ("Basic dQ==", Err(Refusal::Unknown)),
            ("Basic OnA=", Err(Refusal::Unknown)),
            ("Basic dTp", Err(Refusal::Unknown)),
            ("Basic d", Err(Refusal::Unknown)),
            ("Basic ", Err(Refusal::Unknown)),
            ("Basic", Err(Refusal::Unknown)),
            ("Basic\tdTpw", Err(Refusal::Unknown)),
            ("Basic -_pw", Err(Refusal::Unknown)),
            ("Bearer dTpw", Err(Refusal::Unknown)),
            ("", Err(Refusal::Unknown)),
            ("Basic dTpw,Basic dTpw", Err(Refusal::Twice)),
        ] {
            assert_eq!(asked(&[sent]), found, "{sent}");
        }
        assert_eq!(asked(&[]), Err(Refusal::Unknown));
        assert_eq!(asked(&["Basic dTpw", "x"]), Err(Refusal::Twice));
    }

    #[test]
    fn the_realm_stands_in_quotes() {
        for (realm, value) in [
            ("", "Basic realm=\"\""),
            ("Sign in", "Basic realm=\"Sign in\""),
            ("a\"b\\", "Basic realm=\"a\\\"b\\\\\""),
        ] {
            let basic = Basic::new(realm.to_owned(), Arc::new(Users::new(Vec::new())));
            let (name, found) = basic.challenge();
            assert_eq!((&*name, &*found), ("www-authenticate", value.as_bytes()));
        }
    }
}
