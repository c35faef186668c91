//! Values that ingress-nginx 1.15 refuses: what becomes of them here, and under older ones.

use limpet::annotations::catalogue::Refused;
use limpet::remark::{Effect, Problem, Remark};

use super::finding::{Finding, Level};
use crate::manifests::Manifests;
use crate::values;

/// Who serves what ingress-nginx 1.15 does not.
const OLDER: &str = "ingress-nginx before 1.12, and later ones with --enable-annotation-validation=false, do as limpet \
     does; --strict does as 1.15";

/// Whether it says what becomes of a value that ingress-nginx 1.15 refuses.
pub(super) fn is_of_validation(remark: &Remark) -> bool {
    matches!(remark.problem, Problem::Refused { .. })
        && matches!(
            remark.effect,
            Effect::AsBefore | Effect::Setting | Effect::Tolerated
        )
}

/// The same, with what holds in its place, or with what older ones made of it.
pub(super) fn with_what_holds(
    manifests: &Manifests,
    remark: &Remark,
    mut finding: Finding,
) -> Finding {
    let (name, value) = (remark.field.name(), remark.value.as_deref());
    let is_taken = remark.effect == Effect::Tolerated;
    let holds = values::holding(manifests, name).filter(|_| !is_taken);
    if let Some(holds) = holds {
        finding.consequence = format!("{}: {holds} holds", finding.consequence);
    }
    if is_taken && values::breaks_nginx(name, value.unwrap_or_default()) {
        finding.level = Level::Warning;
        return finding.help(
            "no ingress-nginx served it: where values are not validated nginx refuses its whole configuration, \
             and what held before it was written goes on",
        );
    }
    if drops_more(remark) && remark.effect != Effect::Setting {
        finding.help(OLDER)
    } else {
        finding
    }
}

/// Whether ingress-nginx 1.15 drops more than the annotation for its value.
pub(super) fn drops_more(remark: &Remark) -> bool {
    let Problem::Refused { refused, .. } = remark.problem else {
        return false;
    };
    refused != Refused::Annotation
}
