//! Who may come in, by name and password.
//!
//! Source: `internal/ingress/annotations/auth`, ingress-nginx dbb11b92d; `ngx_http_auth_basic_module`
//! and `ngx_crypt`, nginx 1.27.1.

mod basic;
mod crypt;
mod users;

pub use basic::Basic;
pub(crate) use basic::Refusal;
pub use users::Users;
