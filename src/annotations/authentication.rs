//! Who is asked for what before a location is entered.
//!
//! Source: `Parse` of `internal/ingress/annotations/auth`, ingress-nginx dbb11b92d.

use super::read::{Reader, Unset};
use crate::authentication::{Basic, Users};
use crate::config::settings::Settings;
use crate::config::{Config, Entries, Secret};
use crate::remark::{Effect, Expected, Problem};
use std::sync::Arc;

/// What digest authentication is to be replaced by.
const DIGEST: &str = "nothing does it: auth-type basic over TLS is the way out";

/// `Err`: nobody may come in.
pub(super) fn basic(
    reader: &mut Reader,
    settings: &Settings,
    config: &Config,
) -> Result<Option<Arc<Basic>>, ()> {
    let kind = match reader.text("auth-type") {
        Ok(kind) => kind,
        Err(Unset::Missing | Unset::Content) => return Ok(None),
        Err(Unset::Refused) => return Err(()),
    };
    match kind.as_str() {
        "basic" => {}
        "digest" => {
            let problem = Problem::NotHonoured { instead: DIGEST };
            reader.remark("auth-type", &kind, problem, Effect::Setting);
            return Ok(None);
        }
        _ => {
            let problem = Problem::Not(Expected::AuthType);
            reader.remark("auth-type", &kind, problem, Effect::Path);
            return Err(());
        }
    }
    let is_map = match reader.text("auth-secret-type").as_deref() {
        Err(_) | Ok("auth-file") => false,
        Ok("auth-map") => true,
        Ok(other) => {
            let problem = Problem::Not(Expected::SecretType);
            reader.remark("auth-secret-type", other, problem, Effect::Path);
            return Err(());
        }
    };
    let named = reader.text("auth-secret").unwrap_or_default();
    let name = of_namespace(&named, &reader.ingress.namespace, settings);
    let secret = name.and_then(|name| config.secrets.iter().find(|secret| secret.name == name));
    let users = secret.and_then(|secret| {
        let [file, map] = &secret.users;
        let known = if is_map { map } else { file };
        let users = known.get_or_init(|| users(secret, is_map).map(Arc::new));
        users.clone()
    });
    let Some(users) = users else {
        let problem = Problem::Not(Expected::Secret);
        reader.remark("auth-secret", &named, problem, Effect::Path);
        return Err(());
    };
    let count = users.costly();
    if count > 0 {
        let problem = Problem::CostlyUsers { count };
        reader.remark("auth-secret", &named, problem, Effect::Setting);
    }
    let realm = reader.text("auth-realm").unwrap_or_default();
    Ok(Some(Arc::new(Basic::new(realm, users))))
}

/// `namespace/name` of what an annotation names; `None`: it may not.
///
/// Source: `SplitMetaNamespaceKey`, k8s.io/client-go.
pub(super) fn of_namespace(named: &str, own: &str, settings: &Settings) -> Option<String> {
    let (namespace, name) = named.split_once('/').unwrap_or((own, named));
    let namespace = if namespace.is_empty() { own } else { namespace };
    let may = !name.is_empty()
        && !name.contains('/')
        && (namespace == own || settings.allow_cross_namespace_resources);
    may.then(|| format!("{namespace}/{name}"))
}

/// One that is in the environment is not known outside of a proxy, and is nobody there.
fn users(secret: &Entries, is_map: bool) -> Option<Users> {
    let text = |value: &Secret| match value {
        Secret::Value(text) => text.clone(),
        Secret::Variable(_) => Vec::new(),
    };
    let mut all = secret.data.iter();
    if !is_map {
        let (_, file) = all.find(|(key, _)| key == "auth")?;
        return Some(Users::new(text(file)));
    }
    let lines = all.map(|(user, password)| {
        let password = text(password);
        [user.as_bytes(), b":", &password, b"\n"].concat()
    });
    Some(Users::new(lines.collect::<Vec<_>>().concat()))
}
