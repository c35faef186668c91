//! What the plugin configuration says about session cookies.

use crate::config::CookieFormat;

/// What the configuration, not an Ingress, says about cookies.
#[derive(Clone, Default)]
pub struct AffinitySettings {
    /// `cookie_format`.
    pub cookie_format: Option<CookieFormat>,
    /// `cookie_keys`: secrets of keyed cookies; the first one writes, all read. `None`: cookies
    /// are not keyed; empty: they are to be, and there is no key, so none is written.
    pub cookie_keys: Option<Vec<Vec<u8>>>,
    /// `cookie_keys_only`: where cookies are keyed, no other format is read, so that no client
    /// can aim at an endpoint. Off, sessions of before live on.
    pub cookie_keys_only: bool,
}
