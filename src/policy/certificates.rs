//! What the hosts ask of their clients' certificates.
//!
//! Source: `getBackendServers`, `internal/ingress/controller/controller.go`, ingress-nginx
//! dbb11b92d: of the Ingresses of a host the first that asks for certificates decides, whatever
//! else it is, and one that cannot be used closes the host.

use super::merge::{Loaded, Merged, Server, host_of};
use crate::annotations::{AskedCertificate, ClientCertificateAnnotations};
use crate::client_certificate::{Asked, ClientCertificate};
use crate::remark::{Effect, Field, Problem, Remark};
use crate::route::host::DEFAULT_SERVER;
use crate::route::pattern::Pattern;
use std::sync::Arc;

/// Tells the servers; whether there is something to tell.
pub(super) fn add(merged: &mut Merged, loaded: &[Loaded], remarks: &mut Vec<Remark>) -> bool {
    for one in loaded {
        let Some(annotations) = &one.annotations.client_certificate else {
            continue;
        };
        let compiled = Arc::new(compile(annotations).unwrap_or_else(|remark| {
            remarks.push(remark.of(&one.ingress.key));
            ClientCertificate::Unusable
        }));
        for rule in &one.ingress.rules {
            let host = host_of(&rule.host);
            if rule.paths.is_none() && host != DEFAULT_SERVER {
                continue;
            }
            let is_server = merged.servers.contains_key(host);
            let server = if is_server { host } else { DEFAULT_SERVER };
            let is_unusable = matches!(*compiled, ClientCertificate::Unusable);
            let server = merged.servers.get_mut(server);
            let is_free = |server: &&mut Server| server.client_certificate.is_none();
            if let Some(server) = server.filter(|server| is_unusable || is_free(server)) {
                server.client_certificate = Some(Arc::clone(&compiled));
            }
        }
    }
    let mut servers = merged.servers.values();
    servers.any(|server| server.client_certificate.is_some())
}

fn compile(annotations: &ClientCertificateAnnotations) -> Result<ClientCertificate, Box<Remark>> {
    let said = match annotations {
        ClientCertificateAnnotations::Unusable => return Ok(ClientCertificate::Unusable),
        ClientCertificateAnnotations::Asked(said) => said.clone(),
    };
    let name = name(&said).map_err(|why| {
        let field = Field::annotation("auth-tls-match-cn");
        let problem = Problem::Unusable(why);
        Box::new(Remark::new(field, &said.name, problem, Effect::Path))
    })?;
    Ok(ClientCertificate::Asked(Box::new(Asked { said, name })))
}

/// The pattern is to match from `CN=` to its end: a name that only begins so is somebody else's.
fn name(said: &AskedCertificate) -> Result<Option<Pattern>, String> {
    if said.name.is_empty() {
        return Ok(None);
    }
    if !said.name.starts_with("CN=") {
        return Err("does not begin with CN=".to_owned());
    }
    // By itself too: a parenthesis that closes what it did not open would escape the other form.
    Pattern::compile(&said.name, false)?;
    Pattern::anywhere(&format!("^(?:{})$", said.name)).map(Some)
}
