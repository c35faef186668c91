//! The session cookie: its attributes and the Set-Cookie that carries it.
//!
//! Source: `set_cookie` (`rootfs/etc/nginx/lua/balancer/sticky.lua`, ingress-nginx dbb11b92d)
//! and `bake` (`lib/resty/cookie.lua`, lua-resty-cookie f418d77).

use crate::same_site;

pub mod date;
pub mod number;
pub mod read;

/// Everything of a session cookie that does not change from response to response.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionCookie {
    /// Its name.
    pub name: String,
    /// `Path`; `None`: the location's path.
    pub path: Option<String>,
    /// `Domain`.
    pub domain: Option<String>,
    /// Seconds until `Expires`; any number, a fraction too.
    pub expires: Option<f64>,
    /// `Max-Age` in seconds.
    pub max_age: Option<f64>,
    /// `SameSite`.
    pub same_site: Option<SameSite>,
    /// `SameSite=None` only for user agents that can read it.
    pub conditional_same_site_none: bool,
    /// `Secure`; `None`: on https only.
    pub secure: Option<bool>,
    /// `Partitioned` (CHIPS), after ingress-nginx's own attributes.
    pub partitioned: bool,
}

/// A value of `SameSite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// `Strict`.
    Strict,
    /// `Lax`.
    Lax,
    /// `None`.
    None,
}

impl SameSite {
    /// The value as `bake` takes it: other spellings, lower case too, mean no attribute.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Strict" => Some(Self::Strict),
            "Lax" => Some(Self::Lax),
            "None" => Some(Self::None),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// Where on the site a cookie is set.
#[derive(Debug, Clone, Copy)]
pub struct CookiePlace<'a> {
    /// [`crate::route::Location::path`].
    pub location_path: &'a str,
    /// [`crate::route::Location::sets_cookie`].
    pub sets_cookie: bool,
    /// [`crate::route::Forward::https`].
    pub https: bool,
    /// The request's User-Agent; `None` where it has none, or
    /// [`crate::affinity::Affinity::reads_user_agent`] says that nobody asks.
    pub user_agent: Option<&'a [u8]>,
}

impl SessionCookie {
    /// The value of Set-Cookie for the cookie value `value`. `now`: seconds since 1970, asked
    /// for only where the cookie expires.
    #[must_use]
    pub fn set_cookie(&self, value: &str, place: &CookiePlace, now: &dyn Fn() -> u64) -> Vec<u8> {
        let same_site = self.same_site.filter(|same_site| {
            *same_site != SameSite::None
                || !self.conditional_same_site_none
                || same_site::none_compatible(place.user_agent)
        });
        // Longer ones grow.
        let mut line = String::with_capacity(160);
        line.push_str(&self.name);
        line.push('=');
        line.push_str(value);
        let mut add = |name: &str, value: &str| {
            line.push_str("; ");
            line.push_str(name);
            line.push_str(value);
        };
        if let Some(seconds) = self.expires {
            add("Expires=", &date::cookie_time(expiry(now(), seconds)));
        }
        if let Some(seconds) = self.max_age {
            add("Max-Age=", &number::print(seconds));
        }
        if let Some(domain) = &self.domain {
            add("Domain=", domain);
        }
        add("Path=", self.path.as_deref().unwrap_or(place.location_path));
        if self.secure.unwrap_or(place.https) {
            add("Secure", "");
        }
        add("HttpOnly", "");
        if let Some(same_site) = same_site {
            add("SameSite=", same_site.as_str());
        }
        if self.partitioned {
            add("Partitioned", "");
        }
        line.into_bytes()
    }
}

/// LuaJIT hands nginx a C `long`: the fraction is cut, what does not fit is before 1970.
fn expiry(now: u64, seconds: f64) -> i64 {
    let time = now as f64 + seconds;
    if time.abs() < 9_223_372_036_854_775_808.0 {
        time as i64
    } else {
        i64::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recorded ones are replayed by `tests/recordings/on_core/affinity.rs`; these are limpet's own.
    #[test]
    fn attributes_come_in_the_order_of_ingress_nginx_and_then_ours() {
        let cookie = SessionCookie {
            name: "c".into(),
            path: Some("/p".into()),
            domain: Some("d".into()),
            expires: Some(60.9),
            max_age: Some(1.5),
            same_site: Some(SameSite::Lax),
            secure: Some(true),
            partitioned: true,
            ..SessionCookie::default()
        };
        let place = CookiePlace {
            location_path: "/l",
            sets_cookie: true,
            https: false,
            user_agent: None,
        };
        let line = cookie.set_cookie("v", &place, &|| 0);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "c=v; Expires=Thu, 01-Jan-70 00:01:00 GMT; Max-Age=1.5; Domain=d; Path=/p; Secure; \
             HttpOnly; SameSite=Lax; Partitioned"
        );
    }

    #[test]
    fn lifetimes_are_cut_to_seconds() {
        for (seconds, time) in [
            (1.5, 101),
            (-1.0, 99),
            (-0.5, 99),
            (1e20, i64::MIN),
            (9_223_372_036_854_775_808.0, i64::MIN),
        ] {
            assert_eq!(expiry(100, seconds), time, "{seconds}");
        }
        assert_eq!(expiry(0, f64::NAN), i64::MIN);
    }
}
