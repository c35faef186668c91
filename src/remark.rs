//! What an operator is told about a configuration that works, but not as written.
//!
//! A remark is data. Who decides by one matches [`Problem`] and [`Effect`], never its
//! sentence, which `src/remark/wording.rs` makes. A new one is a variant of [`Problem`] (or of
//! [`Expected`]), its words there, and the call that tells it.

mod wording;

use crate::annotations::catalogue::{Refused, Risk};
use crate::annotations::validator::Validator;

/// One remark on the configuration. Logged once at configure; `limpet check` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// `namespace/name` of the Ingress; `None`: it is about the configuration itself.
    pub ingress: Option<String>,
    /// What of it.
    pub field: Field,
    /// The value as written; `None` where there is none to quote.
    pub value: Option<String>,
    /// What is odd about it.
    pub problem: Problem,
    /// How far that goes.
    pub effect: Effect,
}

/// What a remark is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A key of the configuration, with dots: `config_map.http-redirect-code`.
    Key(String),
    /// An annotation: ingress-nginx's without their prefix, all others in full.
    Annotation(String),
    /// A path of a rule; its text is the value. Also a host, where it is judged as paths are.
    Path,
    /// A backend: the value is `namespace/service:port`.
    Backend,
    /// `ingressClassName`.
    Class,
    /// `metadata.name`.
    Name,
}

/// How far a problem goes: what losing by it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// ingress-nginx does the same: nothing changes with limpet.
    AsBefore,
    /// It works here; ingress-nginx 1.15's validation, and `strict`, or Kubernetes would
    /// refuse it.
    Tolerated,
    /// This annotation, or this key of the configuration, is ignored or works otherwise.
    Setting,
    /// This path is not served.
    Path,
    /// None of this Ingress's paths is served.
    Ingress,
    /// Nothing of the configuration is used.
    Configuration,
}

/// What is odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The configuration cannot be read: why.
    Unreadable(String),
    /// No such key of the configuration.
    UnknownKey {
        /// The key that is meant, probably.
        meant: Option<&'static str>,
    },
    /// No such annotation of ingress-nginx.
    UnknownAnnotation {
        /// The one that is meant, probably.
        meant: Option<&'static str>,
    },
    /// No such annotation of limpet.
    UnknownOwn {
        /// The one that is meant, probably; without its prefix.
        meant: Option<&'static str>,
    },
    /// An annotation that what surrounds the module honours.
    NotAlone {
        /// Who does its job.
        instead: &'static str,
    },
    /// An annotation that is not limpet's business.
    NotHonoured {
        /// What does its job.
        instead: &'static str,
    },
    /// The value is nothing of the kind.
    Not(Expected),
    /// The same, and something else is used.
    Replaced {
        /// What it should be.
        expected: Expected,
        /// What is used.
        by: String,
    },
    /// None of the words that a key of the configuration takes.
    UnknownWord {
        /// Those.
        words: Vec<&'static str>,
    },
    /// An annotation's value that Kubernetes takes for no string.
    NotAString,
    /// An annotation under the prefix that `annotations_prefix` replaces.
    OtherPrefix {
        /// The prefix that is read.
        read: String,
    },
    /// No Ingress can be used.
    NoIngress,
    /// Not all of `cookie_keys` are keys.
    NoKeys {
        /// So many are none.
        unusable: usize,
        /// Of so many.
        given: usize,
    },
    /// A cookie key's environment variable is absent or empty.
    NoVariable {
        /// There is another key.
        has_others: bool,
    },
    /// A cookie key's environment variable is too short for a secret.
    ShortVariable {
        /// There is another key.
        has_others: bool,
    },
    /// `close` names no Ingress that is served, and no host of one.
    NothingToClose,
    /// A Service port with given endpoints that no Ingress names.
    UnusedEndpoints,
    /// An object without `metadata.name`.
    Nameless,
    /// There is one of this name already.
    GivenTwice,
    /// An Ingress without a class, under `strict`.
    NoClass,
    /// An Ingress with a class, where none is served.
    NoClassServed,
    /// An Ingress of another class.
    OtherClass {
        /// The classes that are served.
        served: Vec<String>,
    },
    /// A text that may be part of an attack on nginx's configuration.
    LooksLikeConfiguration,
    /// The backend has no port.
    NoPort,
    /// The Service does not exist.
    NoService,
    /// The Service does not have the port.
    NoServicePort {
        /// Those that it has.
        ports: Vec<String>,
    },
    /// The Service of `default-backend` has no cluster.
    NoCluster,
    /// A canary that stands beside nothing.
    NoPrimary,
    /// A canary of itself.
    OwnPrimary,
    /// Another Ingress gave the host its aliases.
    OtherAliases {
        /// The host.
        host: String,
    },
    /// Another Ingress has the path already.
    PathTaken {
        /// `namespace/name`; `None`: the default backend.
        owner: Option<String>,
        /// The host.
        host: String,
    },
    /// Two locations that nginx takes for one.
    SameLocation {
        /// The host.
        host: String,
    },
    /// The host to be redirected by `from-to-www-redirect` has an Ingress of its own.
    OwnHost {
        /// It.
        host: String,
    },
    /// `from-to-www-redirect` on a wildcard or on no host.
    NoHost {
        /// What would be redirected.
        host: String,
    },
    /// The linear-time engine, or a template, cannot do it: why.
    Unusable(String),
    /// The same of a canary's pattern.
    UnusablePattern(String),
    /// The same of `upstream-hash-by`.
    UnusableHash(String),
    /// A pattern that is too much work for long paths.
    Costly {
        /// The longest path that is compared with it, in bytes.
        longest: u64,
    },
    /// Patterns that are too much work together for long paths.
    CostlyTogether {
        /// Whose they are.
        host: String,
        /// The longest path for which all of them fit, in bytes.
        longest: u64,
    },
    /// Aliases that are regular expressions, and too much work together for long names.
    CostlyAliases {
        /// The longest name for which all of them fit, in bytes.
        longest: u64,
    },
    /// A word of `annotation-value-word-blocklist`.
    Blocked {
        /// The word.
        word: String,
    },
    /// An annotation of a risk that is not accepted.
    Risky(Risk),
    /// The value becomes a part of a header, and has a control character.
    ControlCharacter,
    /// ingress-nginx 1.15 refuses the value.
    Refused {
        /// What it accepts.
        validator: Validator,
        /// What it drops with the value.
        refused: Refused,
    },
    /// An attribute within the value of another one.
    Carries {
        /// The attribute.
        attribute: String,
        /// It counts nevertheless.
        is_kept: bool,
    },
    /// Digests of passwords that are too much work for a request.
    CostlyUsers {
        /// Of so many users.
        count: usize,
    },
    /// Something else decides.
    Superseded {
        /// What.
        by: String,
    },
    /// `session-cookie-hash: index`.
    MovesSessions,
    /// Another Ingress on the Service keeps sessions, this one does not.
    NoAffinity {
        /// The other one.
        ingress: String,
        /// `namespace/service:port`.
        service: String,
    },
    /// Another Ingress on the Service says something else, and decides.
    Contradicted {
        /// What it says.
        value: String,
        /// The other one.
        ingress: String,
        /// `namespace/service:port`.
        service: String,
        /// Who decides.
        decides: Decides,
    },
}

/// Which of several Ingresses decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decides {
    /// The first.
    First,
    /// The last.
    Last,
}

/// What a value should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A boolean.
    Flag,
    /// An integer.
    WholeNumber,
    /// An integer above zero.
    Positive,
    /// A number of bytes, with or without a unit.
    Size,
    /// A number of buffers and their size.
    Buffers,
    /// A string with something in it.
    Text,
    /// A header's name.
    HeaderName,
    /// A list of names.
    Names,
    /// What is replaced, and by what.
    Pair,
    /// A list of statuses of errors.
    Statuses,
    /// One of ingress-nginx's levels of risk.
    Risk,
    /// A list of `ip:port`.
    Addresses,
    /// A Service, by name or as an object.
    Service,
    /// An Ingress.
    Ingress,
    /// One of nginx's statuses of redirects.
    RedirectCode,
    /// A path with a slash in front.
    RootedPath,
    /// An absolute URL.
    HttpUrl,
    /// `cookie`.
    Affinity,
    /// A value of `affinity-mode`.
    AffinityMode,
    /// A value of `session-cookie-hash`.
    CookieHash,
    /// A value of SameSite.
    SameSite,
    /// A number of seconds.
    Seconds,
    /// A list of addresses and networks.
    Networks,
    /// A ConfigMap with headers that the settings allow.
    CustomHeaders,
    /// A Secret of Kubernetes, with what it is for.
    Secret,
    /// One by which the listener checks certificates.
    Authority,
    /// An environment variable.
    Variable,
    /// The URL of one of `authorizers`.
    Authorizer,
    /// A method that an authorizer may be asked with.
    Method,
    /// Statuses and a duration.
    CacheDuration,
    /// A ConfigMap of header fields that an authorizer is sent.
    SetHeaders,
    /// `auth-type`: a way to ask for a password.
    AuthType,
    /// `auth-secret-type`.
    SecretType,
}

impl Remark {
    /// A remark on the key `key` of the configuration.
    #[must_use]
    pub fn key(key: &str, value: Option<String>, problem: Problem, effect: Effect) -> Self {
        Self {
            ingress: None,
            field: Field::Key(key.to_owned()),
            value,
            problem,
            effect,
        }
    }

    /// A remark on `value` of a field of the Ingress that [`of`](Self::of) names.
    #[must_use]
    pub fn new(field: Field, value: &str, problem: Problem, effect: Effect) -> Self {
        Self {
            ingress: None,
            field,
            value: Some(value.to_owned()),
            problem,
            effect,
        }
    }

    /// Whether paths stay and let nobody in; `false` where they are none, and what lay under them falls to
    /// others.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.effect == Effect::Path
            && match &self.problem {
                Problem::Unusable(_) => {
                    self.is_of_certificates() || self.field.name() == "auth-url"
                }
                problem => matches!(problem, Problem::Refused { .. } | Problem::Not(_)),
            }
    }

    /// Whether it is about what a host asks of its clients' certificates.
    fn is_of_certificates(&self) -> bool {
        self.field.name().starts_with("auth-tls-")
    }

    /// The same, of the Ingress `ingress` (`namespace/name`).
    #[must_use]
    pub fn of(mut self, ingress: &str) -> Self {
        self.ingress = Some(ingress.to_owned());
        self
    }
}

impl Field {
    /// The annotation `name`, without ingress-nginx's prefix.
    #[must_use]
    pub fn annotation(name: &str) -> Self {
        Self::Annotation(name.to_owned())
    }

    /// As a manifest or the configuration calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Key(name) | Self::Annotation(name) => name,
            Self::Path => "path",
            Self::Backend => "backend",
            Self::Class => "ingressClassName",
            Self::Name => "metadata.name",
        }
    }
}
