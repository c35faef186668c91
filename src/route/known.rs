//! What a decision that is taken again knows.

use super::disposition::{Disposition, Reason};
use super::tenants::Place;
use crate::authentication::Refusal;
use crate::authorizer::Answer;
use crate::redirect;
use crate::zone::Verdict;
use std::cell::OnceCell;

/// What was found out for one request under one policy: where it is decided again, nobody is asked and
/// nothing that is dear is done a second time. A part of every stream: what few of them have is in a box, for
/// beyond 256 bytes dlmalloc takes some 400 instructions more.
#[derive(Debug, Default)]
pub struct Known {
    /// A body follows.
    pub has_body: bool,
    /// What an authorizer answered.
    pub answer: Option<Box<Answer>>,
    /// The page that stands in place of limpet's own answer.
    pub page: Option<Box<Answer>>,
    /// What became of counting it.
    pub(super) counted: OnceCell<Verdict>,
    /// Whether its name and password are right.
    pub(super) password: OnceCell<Result<(), Refusal>>,
    /// The place of its host's alias, where that is a regular expression.
    pub(super) host: OnceCell<Place>,
    /// The place of its location on that host.
    pub(super) location: OnceCell<Place>,
}

/// As nginx where a pattern reaches the limits of PCRE.
pub(super) fn too_costly<'p>() -> Disposition<'p> {
    Disposition::reply(redirect::plain(500), None, Reason::TooCostly)
}
