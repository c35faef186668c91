//! The words of a remark: what was expected, and what happens now.

use super::{Decides, Effect, Expected, Problem, Remark};
use crate::annotations::catalogue::Refused;
use crate::ingress::OWN_PREFIX;
use std::fmt::{self, Write};

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ingress {
            Some(ingress) => write!(f, "ingress {ingress}: ")?,
            None => f.write_str("configuration: ")?,
        }
        write!(f, "{}: ", self.field.name())?;
        if let Some(value) = &self.value {
            write!(f, "{value:?} ")?;
        }
        self.write_expectation(f)?;
        f.write_str(joint(&self.problem))?;
        self.write_consequence(f)
    }
}

impl Remark {
    /// What was expected, said of the value: `is not true or false`.
    #[must_use]
    pub fn expectation(&self) -> String {
        let mut text = String::new();
        let _ = self.write_expectation(&mut text); // a String takes all that is written
        text
    }

    /// What happens now: `ignored, as under ingress-nginx`.
    #[must_use]
    pub fn consequence(&self) -> String {
        let mut text = String::new();
        let _ = self.write_consequence(&mut text); // a String takes all that is written
        text
    }

    fn write_expectation(&self, out: &mut dyn Write) -> fmt::Result {
        let text = match &self.problem {
            Problem::Unreadable(why)
            | Problem::Unusable(why)
            | Problem::UnusablePattern(why)
            | Problem::UnusableHash(why) => why,
            Problem::UnknownKey { .. } => "is unknown",
            Problem::UnknownAnnotation { .. } => {
                let name = self.field.name();
                return write!(out, "is set, but ingress-nginx knows no annotation {name}");
            }
            Problem::UnknownOwn { .. } => "is set, but limpet knows no such annotation",
            Problem::NotAlone { .. } => "is not honoured by the module alone",
            Problem::NotHonoured { .. } => "is not honoured by limpet",
            Problem::Not(expected) | Problem::Replaced { expected, .. } => {
                out.write_str("is not ")?;
                noun(*expected)
            }
            Problem::UnknownWord { words } => {
                return write!(out, "is unknown, expected {}", words.join(" or "));
            }
            Problem::NotAString => "is not a string",
            Problem::OtherPrefix { read } => {
                return write!(out, "is not read, annotations_prefix is {read}");
            }
            Problem::NoIngress => "holds no Ingress that can be used",
            Problem::NoKeys { unusable, given } => {
                return write!(
                    out,
                    "expected a list of secrets, strings of at least 16 bytes or \
                     {{\"environment\": \"NAME\"}}: {unusable} of {given} is none"
                );
            }
            Problem::NoVariable { .. } => {
                "is an environment variable that the VM does not have, or is empty: expected in \
                 vm_config.environment_variables and in the environment of the proxy"
            }
            Problem::ShortVariable { .. } => {
                "is an environment variable with a secret that can be guessed from one cookie: \
                 expected at least 16 bytes"
            }
            Problem::NothingToClose => {
                "is neither an Ingress that is served, \"namespace/name\", nor a host of one"
            }
            Problem::ControlCharacter => "has a control character, which no header may carry",
            Problem::UnusedEndpoints => "is a Service port that no Ingress names",
            Problem::Nameless => "an object without metadata.name",
            Problem::GivenTwice => "is given twice",
            Problem::NoClass => "is missing, and strict takes none without a class",
            Problem::NoClassServed => "is a class, and ingress_classes names none",
            Problem::OtherClass { served } => {
                return write!(out, "is not the class {}", served.join(" or "));
            }
            Problem::LooksLikeConfiguration => {
                "looks like nginx configuration, which ingress-nginx refuses"
            }
            Problem::NoPort => "has no port",
            Problem::NoService => "is a Service that does not exist",
            Problem::NoServicePort { ports } if ports.is_empty() => "is a Service without ports",
            Problem::NoServicePort { ports } => {
                let ports = ports.join(", ");
                return write!(
                    out,
                    "is a port that the Service does not have, it has {ports}"
                );
            }
            Problem::NoCluster => {
                "is a Service without a cluster, expected one that an Ingress path names or that \
                 stands in clusters"
            }
            Problem::NoPrimary => "has no Ingress of the same host and path to be a canary of",
            Problem::OwnPrimary => "is a primary of the same host already",
            Problem::OtherAliases { host } => {
                return write!(out, "comes after other aliases of host {host}");
            }
            Problem::PathTaken { owner, host } => {
                let owner = owner.as_deref().unwrap_or("the default backend");
                return write!(out, "is served by {owner} already on host {host}");
            }
            Problem::SameLocation { host } => {
                return write!(out, "is the same location as another one of host {host}");
            }
            Problem::OwnHost { host } => {
                return write!(out, "meets host {host}, which has an Ingress of its own");
            }
            Problem::NoHost { host } => {
                return write!(
                    out,
                    "meets {host}, which is no host that could be redirected"
                );
            }
            Problem::Costly { longest } => {
                return write!(
                    out,
                    "may take more work than one request may cost, where a path is longer than \
                     {longest} bytes"
                );
            }
            Problem::CostlyTogether { host, longest } => {
                return write!(
                    out,
                    "stands on host {host}, whose patterns of its own and of older namespaces may together take \
                     more work than one request may cost, where a path is longer than {longest} bytes"
                );
            }
            Problem::CostlyAliases { longest } => {
                return write!(
                    out,
                    "may, with the patterns among the aliases of its own and of older namespaces, take more work \
                     than one request may cost, where a name is longer than {longest} bytes"
                );
            }
            Problem::Blocked { word } => {
                return write!(out, "contains {word:?} of annotation-value-word-blocklist");
            }
            Problem::Risky(risk) => {
                return write!(
                    out,
                    "is an annotation of risk {risk:?}, which ingress-nginx refuses"
                );
            }
            Problem::Refused { validator, refused } => {
                let by = match (self.effect, refused) {
                    (Effect::AsBefore, Refused::Annotation) => "is not ",
                    (Effect::AsBefore | Effect::Tolerated, refused) => {
                        let with_it = match refused {
                            Refused::Annotation => "",
                            Refused::Ingress => " with the whole Ingress",
                            Refused::Deny => " with its paths (503)",
                        };
                        write!(out, "is refused{with_it} by ingress-nginx 1.15")?;
                        ", which expects "
                    }
                    _ => "is refused, expected ",
                };
                return write!(out, "{by}{validator}");
            }
            Problem::Carries { .. } => "should not carry another attribute",
            Problem::CostlyUsers { count } => {
                return write!(
                    out,
                    "has {count} users with digests that take longer than a request may (bcrypt, or \
                     more than 5000 rounds)"
                );
            }
            Problem::Superseded { by } => return write!(out, "is superseded by {by}"),
            Problem::MovesSessions => "moves sessions whenever endpoints come or go",
            Problem::NoAffinity { ingress, service } => {
                return write!(
                    out,
                    "is absent, but ingress {ingress} has it on the same service {service}"
                );
            }
            Problem::Contradicted {
                value,
                ingress,
                service,
                ..
            } => {
                return write!(
                    out,
                    "differs from {value:?} of ingress {ingress} on the same service {service}"
                );
            }
        };
        out.write_str(text)
    }

    fn write_consequence(&self, out: &mut dyn Write) -> fmt::Result {
        let text = match &self.problem {
            Problem::UnknownKey { meant: Some(near) }
            | Problem::UnknownAnnotation { meant: Some(near) } => {
                return write!(out, "did you mean {near}? Ignored");
            }
            Problem::UnknownOwn { meant: Some(near) } => {
                return write!(out, "did you mean {OWN_PREFIX}{near}? Ignored");
            }
            Problem::NotAlone { instead } | Problem::NotHonoured { instead } => instead,
            Problem::Replaced { by, .. } => {
                write!(out, "{by} is used")?;
                return self.write_as_before(out);
            }
            Problem::UnknownWord { .. } => "the default is used",
            Problem::NoIngress => {
                "every request passes untouched, or is answered 404 where `unmatched` says so"
            }
            Problem::NoKeys { unusable, given } if unusable < given => OTHER_KEYS,
            Problem::NoVariable { has_others: true }
            | Problem::ShortVariable { has_others: true } => OTHER_KEYS,
            Problem::NoKeys { .. } | Problem::NoVariable { .. } | Problem::ShortVariable { .. } => {
                "no session cookie is written, because one without a key would tell pod addresses"
            }
            Problem::NotAString if self.effect == Effect::Tolerated => {
                "honoured here, but Kubernetes refuses the whole Ingress"
            }
            Problem::NotAString if self.ingress.is_some() => {
                "ignored, and Kubernetes refuses the whole Ingress"
            }
            Problem::Not(Expected::Ingress) | Problem::Nameless => "ignored",
            Problem::GivenTwice => "the second one is ignored",
            Problem::NoClass | Problem::NoClassServed | Problem::OtherClass { .. } => {
                "the Ingress is ignored"
            }
            Problem::NoPort | Problem::NoService | Problem::NoServicePort { .. } => {
                "its paths answer 503"
            }
            Problem::OwnPrimary => "it is no canary of it",
            Problem::PathTaken { .. } => "this one is ignored",
            Problem::SameLocation { .. } => {
                "nginx would refuse the whole configuration, this path is ignored"
            }
            Problem::OwnHost { .. } | Problem::NoHost { .. } => "it is not redirected",
            Problem::Costly { .. } | Problem::CostlyTogether { .. } => {
                "such a path is answered 500"
            }
            Problem::UnusablePattern(_) => "a request with this header never goes to the canary",
            Problem::UnusableHash(_) => "requests are not hashed",
            Problem::Refused { .. } | Problem::ControlCharacter
                if self.effect == Effect::Setting =>
            {
                "the annotation is ignored"
            }
            _ if self.effect == Effect::Path && self.is_of_certificates() => {
                "its hosts answer 403, as under ingress-nginx"
            }
            Problem::Refused { .. } | Problem::Not(_) | Problem::Unusable(_) if self.denies() => {
                "its paths answer 503"
            }
            Problem::CostlyUsers { .. } => {
                "they are not let in: give them digests by htpasswd -m, or openssl passwd -6"
            }
            Problem::Carries { attribute, is_kept } => {
                let what = if *is_kept { "kept" } else { "dropped" };
                return write!(out, "{attribute:?} is {what}");
            }
            Problem::Superseded { .. } => "it changes nothing",
            Problem::MovesSessions => "sha1 or md5 keeps them",
            Problem::NoAffinity { .. } => "cookies are honoured on these paths and never set there",
            Problem::Contradicted { decides, .. } => match decides {
                Decides::First => "the first one decides",
                Decides::Last => "the last one sets the cookie's attributes",
            },
            Problem::Not(Expected::Affinity) => "there is none",
            Problem::Not(Expected::AffinityMode | Expected::CookieHash) => "sessions are balanced",
            Problem::Not(Expected::SameSite) => "the cookie gets no SameSite",
            Problem::Not(Expected::Seconds) => "the cookie goes without this attribute",
            Problem::Not(Expected::HttpUrl) => "no redirect",
            _ => match self.effect {
                Effect::AsBefore | Effect::Setting => "ignored",
                Effect::Tolerated => "accepted here, strict would not",
                Effect::Path => "the path is ignored",
                Effect::Ingress => "the whole Ingress is ignored",
                Effect::Configuration => "nothing of it is used",
            },
        };
        out.write_str(text)?;
        self.write_as_before(out)
    }

    fn write_as_before(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str(match (self.effect, &self.problem) {
            (Effect::AsBefore, Problem::Refused { refused, .. })
                if *refused != Refused::Annotation =>
            {
                ", as under older ones"
            }
            (Effect::AsBefore, _) => ", as under ingress-nginx",
            _ => "",
        })
    }
}

const OTHER_KEYS: &str = "the other keys are used";

/// What stands between the two: a colon where the second explains the first.
fn joint(problem: &Problem) -> &'static str {
    match problem {
        Problem::NotAlone { .. }
        | Problem::NotHonoured { .. }
        | Problem::Carries { .. }
        | Problem::Superseded { .. }
        | Problem::NoAffinity { .. }
        | Problem::Contradicted { .. } => ": ",
        _ => "; ",
    }
}

fn noun(expected: Expected) -> &'static str {
    match expected {
        Expected::Flag => "true or false",
        Expected::WholeNumber => "a whole number",
        Expected::Positive => "a whole number above 0",
        Expected::Size => "a number of bytes, such as 8m",
        Expected::Buffers => "a number of buffers and their size, such as 4 8k",
        Expected::Text => "a non-empty string",
        Expected::HeaderName => "a header's name",
        Expected::Names => "a list of names",
        Expected::Pair => "two words that can be used, or off",
        Expected::Statuses => "a list of statuses from 300 to 599",
        Expected::Risk => "Low, Medium, High or Critical",
        Expected::Addresses => "a list of \"ip:port\"",
        Expected::Service => "\"namespace/name\" or a Service object",
        Expected::Ingress => "an Ingress",
        Expected::RedirectCode => "301, 302, 307 or 308",
        Expected::RootedPath => "a path that begins with a slash",
        Expected::HttpUrl => "a URL of http or https",
        Expected::Affinity => "cookie, the only kind of affinity",
        Expected::AffinityMode => "balanced, persistent or persistent-drainable",
        Expected::CookieHash => "sha1, md5 or index",
        Expected::SameSite => "Strict, Lax or None in this spelling",
        Expected::Seconds => "a number of seconds",
        Expected::CustomHeaders => {
            "a ConfigMap that is given, with headers of global-allowed-response-headers alone"
        }
        Expected::Secret => {
            "a Secret that is given, of the same namespace, with users under the key auth, or, for \
             auth-map, with a key for each user"
        }
        Expected::Authority => {
            "a Secret that is given, of the same namespace, with certificates that can be read under \
             the key ca.crt"
        }
        Expected::Variable => "an environment variable of the VM with anything in it",
        Expected::Method => "a method of HTTP, in capitals",
        Expected::Authorizer => "a URL of a server that stands in authorizers",
        Expected::CacheDuration => "a list of statuses with a duration behind them",
        Expected::SetHeaders => "a ConfigMap of header fields that may be sent to an authorizer",
        Expected::AuthType => "basic or digest",
        Expected::SecretType => "auth-file or auth-map",
        Expected::Networks => "a list of IP addresses and networks separated by commas",
    }
}
