//! What a decision that is taken again knows.

use super::disposition::{Disposition, Reason};
use crate::authorizer::Answer;
use crate::redirect;

/// What was found out for a request before it is decided again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// What an authorizer answered.
    pub answer: Option<&'a Answer>,
    /// The page that stands in place of limpet's own answer.
    pub page: Option<&'a Answer>,
    /// A body follows.
    pub has_body: bool,
}

/// As nginx where a pattern reaches the limits of PCRE.
pub(super) fn too_costly<'p>() -> Disposition<'p> {
    Disposition::reply(redirect::plain(500), None, Reason::TooCostly)
}
