//! What `check` has to say: one remark, with its place.

use limpet::annotations::catalogue::Refused;
use limpet::remark::{Effect, Problem, Remark};
use serde::Serialize;
use serde_json::Value;

use crate::manifests::Object;

/// How much a finding matters; the exit status follows the gravest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It works as under ingress-nginx, but probably not as meant.
    Note,
    /// Something will behave differently.
    Warning,
    /// Unusable.
    Error,
}

impl Level {
    /// As printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The code of a remark on protection that is lost.
pub(crate) const LOSS: &str = "loss";

/// The code of a remark on a document that cannot be read.
pub(crate) const UNREADABLE: &str = "unreadable";

/// The code of a remark on an annotation that is not limpet's business.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// The code of a remark on what did nothing under ingress-nginx either.
pub(crate) const IDLE: &str = "idle";

/// The code of a remark on a value that changes nothing, under ingress-nginx either.
pub(super) const AS_BEFORE: &str = "as-before";

/// The same as `ELSEWHERE`, for a key of ingress-nginx's ConfigMap.
pub(crate) const SETTING: &str = "setting";

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// Which remark: a stable name, such as `regex-host`.
    pub code: &'static str,
    /// The file as the operator named it.
    pub file: String,
    /// Counted from 1; 0: not known.
    pub line: u64,
    /// `namespace/name`; `None` where it is about no Ingress alone.
    pub ingress: Option<String>,
    /// The annotation without its prefix, or the field of the object.
    pub field: String,
    /// The value as written.
    pub value: Option<String>,
    /// What was expected.
    pub expected: String,
    /// What happens now.
    pub consequence: String,
    /// What to do, one line each.
    pub help: Vec<String>,
}

/// The code of a value that only the validation of ingress-nginx 1.15 refuses.
pub(super) const VALIDATION: &str = "validation";

/// Where a finding is.
#[derive(Debug)]
pub(crate) struct Place<'m> {
    object: &'m Object,
    pointer: String,
    field: String,
}

impl<'m> Place<'m> {
    /// At the annotation `name`, without ingress-nginx's prefix.
    pub(crate) fn annotation(object: &'m Object, name: &str) -> Self {
        Self::at(object, &object.own_pointer(name), name)
    }

    /// At a JSON pointer, called `field`.
    pub(crate) fn at(object: &'m Object, pointer: &str, field: &str) -> Self {
        Self {
            object,
            pointer: pointer.to_owned(),
            field: field.to_owned(),
        }
    }

    fn value(&self) -> Option<String> {
        match self.object.value.pointer(&self.pointer)? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Bool(_) | Value::Number(_)) => Some(value.to_string()),
            _ => None,
        }
    }
}

impl Finding {
    /// What the module itself says of the field at `file` and `line`.
    #[must_use]
    pub(crate) fn of(remark: &Remark, file: String, line: u64) -> Self {
        let (level, code) = match (&remark.problem, remark.effect) {
            (Problem::NotAString, Effect::Tolerated) => (Level::Note, "not-a-string"),
            // It answers 503 before and after, and nobody meant that.
            (Problem::NoServicePort { .. }, _) => (Level::Error, "port"),
            // Served here, and not by ingress-nginx 1.15.
            (Problem::Refused { refused, .. }, Effect::Tolerated | Effect::AsBefore)
                if *refused != Refused::Annotation =>
            {
                (Level::Warning, VALIDATION)
            }
            (_, Effect::Tolerated) => (Level::Note, VALIDATION),
            (_, Effect::AsBefore) => (Level::Note, AS_BEFORE),
            (_, Effect::Configuration) => (Level::Error, "unusable"),
            (_, Effect::Setting | Effect::Path | Effect::Ingress) => (Level::Warning, "refused"),
        };
        let finding = Self {
            level,
            code,
            file,
            line,
            ingress: remark.ingress.clone(),
            field: remark.field.name().to_owned(),
            value: remark.value.clone(),
            expected: remark.expectation(),
            consequence: remark.consequence(),
            help: Vec::new(),
        };
        match (&remark.problem, &remark.value) {
            (Problem::NotAString, Some(value)) if remark.effect == Effect::Tolerated => {
                finding.help(format!("write \"{value}\", with quotes"))
            }
            _ => finding,
        }
    }

    /// A remark on what stands at `place`.
    #[must_use]
    pub(crate) fn new(
        level: Level,
        code: &'static str,
        place: &Place<'_>,
        expected: impl Into<String>,
        consequence: impl Into<String>,
    ) -> Self {
        Self {
            level,
            code,
            file: place.object.origin.file.clone(),
            line: place.object.line_of(&place.pointer),
            ingress: Some(place.object.id()),
            field: place.field.clone(),
            value: place.value(),
            expected: expected.into(),
            consequence: consequence.into(),
            help: Vec::new(),
        }
    }

    /// Whether protection is lost, or may be.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        [LOSS, UNREADABLE].contains(&self.code)
    }

    /// Whether it is about an annotation or a key whose job is somebody else's.
    #[must_use]
    pub fn is_left_to_others(&self) -> bool {
        [LOSS, ELSEWHERE, SETTING].contains(&self.code)
    }

    /// Whose it is, in words.
    #[must_use]
    pub(crate) fn owner(&self) -> String {
        match &self.ingress {
            Some(ingress) => format!("ingress {}", ingress.escape_debug()),
            None if self.code == UNREADABLE => "the manifests".to_owned(),
            None => "the ConfigMap".to_owned(),
        }
    }

    /// The same, with a line of advice.
    #[must_use]
    pub(crate) fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// The remark in one line, with its place.
    #[must_use]
    pub fn located(&self) -> String {
        format!(
            "{}:{}: {}: {}",
            self.file,
            self.line,
            self.owner(),
            self.message()
        )
    }

    /// The value in quotes, no longer than a line bears.
    pub(super) fn quoted(&self) -> Option<String> {
        let value = self.value.as_ref()?;
        Some(format!("{:?}", shorten(value)))
    }

    /// The remark in one line, without its place.
    #[must_use]
    pub fn message(&self) -> String {
        let value = self.quoted().map(|value| format!("{value} "));
        let value = value.unwrap_or_default();
        let consequence = if self.consequence.is_empty() {
            String::new()
        } else {
            format!("; {}", self.consequence)
        };
        format!("{}: {value}{}{consequence}", self.field, self.expected)
    }
}

/// The first line of a long value: snippets fill pages.
fn shorten(value: &str) -> String {
    let line = value.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("{} ...", line.get(..at).unwrap_or_default()),
        None if line.len() < value.trim().len() => format!("{line} ..."),
        None => line.to_owned(),
    }
}
